"""Two modules over a sequence, one from each end."""

from typing import Any

from ..branches import ConcatTable
from ..containers import Sequential
from ..decorators import Decorator
from ..module import Module
from ..table_order import ReverseTable, ZipTable
from ..tables import JoinTable
from .sequencer import Sequencer, joined


class BiSequencer(Decorator):
    """Apply one module to a sequence from its start, one from its end, and merge their outputs step by step.

    `backward` is, by default, a copy of `forward` with parameters of its own. `merge` is a module of a
    table of two, or a number n for the `JoinTable` of the first dimension of entries with n dimensions
    (1 by default). Of the three, `forward_module`, `backward_module` and `merge_module`, a `Sequencer`
    each is made. Every sequence starts from the beginning.

    Shapes: input an array (T, ...) or a list of T inputs of the modules; output accordingly an array or
    a list of T.
    Forward: yₜ = merge(f(xₜ after x₁..xₜ₋₁), b(xₜ after x_T..xₜ₊₁)).
    Backward: the sum of what comes back through both, each in its own direction.
    Errors: TypeError when something else than a module is given; those of `Sequencer` and of the modules.
    Source: nn.BiSequencer (rnn).

        >>> nn.BiSequencer(nn.LSTM(3, 2)).forward([np.ones((4, 3), np.float32)] * 5)[0].shape
        (4, 4)
    """

    def __init__(self, forward: Module, backward: Module | None = None, merge: Any = 1) -> None:
        if not isinstance(forward, Module):
            raise TypeError(f"{self.name} takes a module, got {type(forward).__name__}")
        if backward is None:
            backward = forward.clone()
            backward.reset()
        merge = JoinTable(0, merge) if isinstance(merge, int) else merge
        self.forward_module, self.backward_module, self.merge_module = forward, backward, merge
        from_end = Sequential(ReverseTable(), Sequencer(backward), ReverseTable())
        both = ConcatTable(Sequencer(forward), from_end)
        super().__init__(Sequential(both, ZipTable(), Sequencer(merge)))

    def named_parameters(self, prefix=""):
        """Yield (path, weight, grad) under the names of the three modules."""
        for name in ("forward_module", "backward_module", "merge_module"):
            yield from getattr(self, name).named_parameters(f"{prefix}{name}.")

    def update_output(self, input):
        self.output = self._like(input, self.module.update_output(list(input)))
        return self.output

    def update_grad_input(self, input, grad_output):
        grads = self.module.update_grad_input(list(input), list(grad_output))
        self.grad_input = self._like(input, grads)
        return self.grad_input

    def acc_grad_parameters(self, input, grad_output, scale=1.0):
        self.module.acc_grad_parameters(list(input), list(grad_output), scale)

    def _like(self, input, steps):
        """Return the list `steps` as an array (T, ...) when the input is one."""
        return steps if isinstance(input, list | tuple) else joined(self.xp, steps)
