"""Decorators: modules around one other module."""

from typing import Any

from . import backend, table
from .module import Module


class Decorator(Module):
    """A module around another: as it stands it does what that does, and subclasses add something.

    Shapes, forward and backward: those of the module inside, which is `module`.
    Errors: TypeError when it is no module.
    Source: nn.Decorator (dpnn).
    """

    parameter_names = ()

    def __init__(self, module: Module) -> None:
        super().__init__()
        if not isinstance(module, Module):
            raise TypeError(f"{self.name} takes a module, got {type(module).__name__}")
        self.module = module

    def children(self):
        return [("module", self.module)]

    def reset(self, stdv=None):
        """Draw new initial parameters in the module."""
        self.module.reset(stdv)

    def update_output(self, input):
        self.output = self.module.update_output(input)
        return self.output

    def update_grad_input(self, input, grad_output):
        self.grad_input = self.module.update_grad_input(input, grad_output)
        return self.grad_input

    def acc_grad_parameters(self, input, grad_output, scale=1.0):
        self.module.acc_grad_parameters(input, grad_output, scale)

    def __repr__(self):
        return f"{self.name}{self.describe()} @ {self.module!r}"


class Serial(Decorator):
    """`Decorator` that Torch7 writes to files in its own way; `tensortype` is accepted and not needed.

    Shapes, forward, backward and errors: as `Decorator`.
    Source: nn.Serial (dpnn).
    """

    def __init__(self, module: Module, tensortype: Any = None) -> None:
        super().__init__(module)


class DontCast(Decorator):
    """`Decorator` that keeps its module's type in Torch7; here a net has one type.

    `castin`, `castout` and `module_type` are accepted as in Torch7 and not needed.

    Shapes, forward, backward and errors: as `Decorator`.
    Source: nn.DontCast.
    """

    def __init__(
        self, module: Module, castin: bool = False, castout: Any = None, module_type: Any = None
    ) -> None:
        super().__init__(module)


class NaN(Decorator):
    """`Decorator` that stops at the first NaN, so that it is found where it comes from.

    Shapes, forward and backward: those of the module inside. `id` is part of the messages.
    Errors: ValueError for NaN in the output, saying whether it was in the input or in a parameter before, in
    grad_input or in the gradient of a parameter.
    Source: nn.NaN (dpnn).

        >>> nn.NaN(nn.Sqrt()).forward(np.float32([np.nan]))
        Traceback (most recent call last):
            ...
        ValueError: nn.NaN @ nn.Sqrt: NaN in input
    """

    def __init__(self, module: Module, id: Any = None) -> None:
        super().__init__(module)
        self.id = id

    def update_output(self, input):
        super().update_output(input)
        parameters = self.parameters()[0]
        self._refuse([("input", input), ("a parameter", parameters), ("output", self.output)], self.output)
        return self.output

    def update_grad_input(self, input, grad_output):
        super().update_grad_input(input, grad_output)
        self._refuse([("grad_output", grad_output), ("grad_input", self.grad_input)], self.grad_input)
        return self.grad_input

    def acc_grad_parameters(self, input, grad_output, scale=1.0):
        super().acc_grad_parameters(input, grad_output, scale)
        grads = self.parameters()[1]
        self._refuse([("the gradient of a parameter", grads)], grads)

    def describe(self):
        return "" if self.id is None else f"({self.id})"

    def _refuse(self, places, result):
        """Raise ValueError if there is NaN in `result`, naming the first of the places that has one."""
        if _has_nan(result):
            what = next(name for name, x in places if _has_nan(x))
            raise ValueError(f"{self!r}: NaN in {what}")


class MaskZero(Decorator):
    """`Decorator` that passes over rows of zeros: for a row of the input that is all zero, so is the output.

    Shapes: those of the module inside. An array of n_input_dim dimensions is one row, one of a
    dimension more a batch of rows. Of a table the first array says which rows are zero; the output may
    be a table of batches too. `silent` turns off a warning of Torch7's that is not given here.
    Forward: yᵢ = 0 where xᵢ = 0, else f(x)ᵢ.
    Backward: that of the module for gᵢ = 0 where xᵢ = 0. (In Torch7 accGradParameters gets the g of all
    rows, so that a layer's bias learns from rows that were masked; `published` does the same.)
    Errors: ValueError when the first array has another number of dimensions.
    Source: nn.MaskZero (rnn).

        >>> net = nn.MaskZero(nn.AddConstant(1), 1)
        >>> net.forward(np.float32([[1, 2], [0, 0]])).tolist()
        [[2.0, 3.0], [0.0, 0.0]]
    """

    state_names = (*Module.state_names, "zero_mask")

    def __init__(
        self, module: Module, n_input_dim: int, silent: bool = False, *, published: bool = False
    ) -> None:
        super().__init__(module)
        self.check_counts(n_input_dim=n_input_dim)
        self.n_input_dim, self.published = n_input_dim, published
        self.zero_mask = None

    def update_output(self, input):
        first = table.leaves(input)[0]
        self.check_array(first, ndim=(self.n_input_dim, self.n_input_dim + 1))
        rows = first[None] if first.ndim == self.n_input_dim else first
        self.zero_mask = ~rows.any(axis=tuple(range(1, rows.ndim)))
        self.output = self._masked(self.module.update_output(input))
        return self.output

    def update_grad_input(self, input, grad_output):
        self.grad_input = self.module.update_grad_input(input, self._masked(grad_output))
        return self.grad_input

    def acc_grad_parameters(self, input, grad_output, scale=1.0):
        g = grad_output if self.published else self._masked(grad_output)
        self.module.acc_grad_parameters(input, g, scale)

    def _masked(self, x):
        """Return an array, or every array of a table, with zeros in the masked rows."""
        if self.zero_mask is None:
            raise RuntimeError(f"{self.name}: call forward before backward")

        def masked(leaf):
            rows = leaf.reshape(len(self.zero_mask), leaf.size // max(len(self.zero_mask), 1))
            return self.xp.where(self.zero_mask[:, None], leaf.dtype.type(0), rows).reshape(leaf.shape)

        return table.map(masked, x)


def _has_nan(x):
    """Tell whether there is NaN in an array or in any array of a table."""
    return any(backend.get_array_module(leaf).isnan(leaf).any() for leaf in table.leaves(x))
