"""Whole sequences through a module that takes one step at a time."""

from typing import Any

from .. import table
from ..module import Module
from .abstract_recurrent import AbstractRecurrent
from .recursor import Recursor
from .remembering import Remembering


class Sequencer(Remembering, Module):
    """Apply a module to every step of a sequence; a module that is not recurrent is wrapped in a `Recursor`.

    By default every sequence starts from the beginning. After `remember(mode)` it continues the previous one:
    the state is carried over, the gradient stops at the start of the sequence. Changing between training and
    evaluation mode always forgets. The length of the sequence is the module's `rho`: to truncate a longer
    one, pass it in pieces and remember.

    Shapes: input an array (T, ...) or a list of T inputs of the module; output accordingly an array (T, ...)
    or a list of T outputs. T may change from call to call.
    Forward: yₜ = f(xₜ, state after xₜ₋₁) for t = 1..T.
    Backward: grad_inputₜ for t = T..1, including the gradients from later steps; parameter gradients are
    sums over the steps.
    Errors: TypeError or ValueError when input is not a sequence or grad_output does not match it; those of
    the module.
    Source: nn.Sequencer (rnn).

        >>> net = nn.Sequencer(nn.LSTM(3, 2))
        >>> net.forward(np.ones((5, 4, 3), np.float32)).shape
        (5, 4, 2)
        >>> len(net.forward([np.ones((4, 3), np.float32)] * 5))
        5
    """

    parameter_names = ()

    def __init__(self, module: Module) -> None:
        super().__init__()
        self.module = module if isinstance(module, AbstractRecurrent) else Recursor(module)

    def children(self):
        return [("module", self.module)]

    def reset(self, stdv=None):
        """Draw new initial parameters in the module."""
        self.module.reset(stdv)

    def update_output(self, input):
        self._check_sequence(input)
        self.module.max_bptt_step(len(input))
        if not self.remembers:
            self.module.forget()
        outputs = []
        for x in input:
            y = self.module.update_output(x)
            # The module computes all steps in one place when it evaluates.
            outputs.append(y if self.train else table.map(lambda leaf: leaf.copy(), y))
        self.output = self._like(input, outputs)
        return self.output

    def update_grad_input(self, input, grad_output):
        self._check_grad_output(input, grad_output)
        grads = [self.module.update_grad_input(x, g) for x, g in self._backwards(input, grad_output)]
        self.grad_input = self._like(input, grads[::-1])
        return self.grad_input

    def acc_grad_parameters(self, input, grad_output, scale=1.0):
        for x, g in self._backwards(input, grad_output):
            self.module.acc_grad_parameters(x, g, scale)

    def forget(self) -> Any:
        """Start the next sequence from the beginning; return self."""
        self.module.forget()
        return self

    def __repr__(self):
        return f"{self.name} @ {self.module!r}"

    def _check_sequence(self, input):
        if not isinstance(input, list | tuple):
            self.check_array(input)
            if input.ndim < 2:
                raise ValueError(
                    f"{self.name}: an array of steps must have shape (T, ...), got {input.shape}"
                )
        if len(input) == 0:
            raise ValueError(f"{self.name}: a sequence must have at least one step")

    def _check_grad_output(self, input, grad_output):
        if isinstance(self.output, list) and isinstance(input, list | tuple):
            self.check_table(input, size=len(self.output))
            self.check_table(grad_output, "grad_output", size=len(self.output))
        else:
            self.check_grad_output(grad_output)

    def _backwards(self, input, grad_output):
        """Return the (input, grad_output) of every step, the last first."""
        return [(input[t], grad_output[t]) for t in reversed(range(len(input)))]

    def _like(self, input, steps):
        """Return the list `steps` as an array (T, ...) when the input is one."""
        if isinstance(input, list | tuple):
            return steps
        return joined(self.xp, steps)


def joined(xp, steps):
    """Return the arrays `steps` as one array (T, ...)."""
    # Not `stack`: CuPy's uploads a list of more than eight places in memory, which no graph can capture.
    array = xp.empty((len(steps), *steps[0].shape), steps[0].dtype)
    for t, step in enumerate(steps):
        array[t] = step
    return array
