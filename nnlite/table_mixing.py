"""Modules that choose or mix between the arrays of a table."""

from typing import Any

from .layers.axes import at
from .module import Module
from .typing import Array


class CMaxTable(Module):
    """The larger entry of the arrays of a table, place by place.

    Shapes: input a table of arrays of one shape, output of that shape.
    Forward: y = maxₖ xₖ.
    Backward: grad_inputₖ = g where xₖ is the maximum, of equal ones the first; 0 elsewhere.
    Errors: TypeError when the input is no table; ValueError when it is empty or the shapes differ.
    Source: nn.CMaxTable.

        >>> nn.CMaxTable().forward([np.float32([1, 20]), np.float32([10, 2])]).tolist()
        [10.0, 20.0]
    """

    state_names = (*Module.state_names, "winner")

    def __init__(self) -> None:
        super().__init__()
        self.winner: Any = None

    def update_output(self, input):
        self.check_table(input)
        if not input:
            raise ValueError(f"{self.name}: input must not be an empty table")
        self.output = input[0]
        self.winner = self.xp.zeros(getattr(input[0], "shape", ()), int)
        for k, x in enumerate(input):
            self.check_array(x, f"input[{k}]", shape=None if k == 0 else input[0].shape)
            better = self.is_better(x, self.output)
            self.winner = self.xp.where(better, k, self.winner)
            self.output = self.xp.where(better, x, self.output)
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        zero = self.dtype.type(0)
        self.grad_input = [self.xp.where(self.winner == k, grad_output, zero) for k in range(len(input))]
        return self.grad_input

    def is_better(self, x: Array, best: Array) -> Array:
        """Return where `x` wins over the best of the arrays before."""
        return x > best


class CMinTable(CMaxTable):
    """The smaller entry of the arrays of a table, place by place.

    Shapes: input a table of arrays of one shape, output of that shape.
    Forward: y = minₖ xₖ.
    Backward: grad_inputₖ = g where xₖ is the minimum, of equal ones the first; 0 elsewhere.
    Errors: TypeError when the input is no table; ValueError when it is empty or the shapes differ.
    Source: nn.CMinTable.
    """

    def is_better(self, x, best):
        """Return where `x` wins over the best of the arrays before."""
        return x < best


class MixtureTable(Module):
    """A mixture of experts: their outputs, summed with the weights that a gater gives them.

    Shapes: input a table [weights, experts]: weights (K,) or (N, K); experts a table of K arrays (...)
    or (N, ...), or one array with a dimension of size K, `dim` (0-based; by default the one after the
    batch). Output as one expert.
    Forward: y = Σₖ wₖ eₖ, for every entry of the batch with its own weights.
    Backward: the gradients of the weights, Σ g eₖ over all of an entry but the batch, and of the
    experts, wₖ g, in the form of the input.
    Errors: ValueError when there is not one weight for each expert.
    Source: nn.MixtureTable.
    """

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    def update_output(self, input):
        weights, experts = self._parts(input)
        self.output = sum(self._spread(weights, k, expert) * expert for k, expert in enumerate(experts))
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        weights, experts = self._parts(input)
        own = tuple(range(weights.ndim - 1, experts[0].ndim))
        sums = [(grad_output * expert).sum(axis=own) for expert in experts]
        grads = [self._spread(weights, k, expert) * grad_output for k, expert in enumerate(experts)]
        if not isinstance(input[1], list | tuple):
            grads = self.xp.stack(grads, axis=self._axis(weights))
        self.grad_input = [self.xp.stack(sums, axis=-1), grads]
        return self.grad_input

    def _parts(self, input):
        """Return the weights and the list of the experts."""
        self.check_table(input, size=2)
        weights, experts = input
        self.check_array(weights, "input[0]", ndim=(1, 2))
        if not isinstance(experts, list | tuple):
            axis = self._axis(weights)
            self.check_array(experts, "input[1]")
            if axis >= experts.ndim:
                raise ValueError(f"{self.name}: no dimension {axis} in experts of shape {experts.shape}")
            experts = [experts[at(axis, k)] for k in range(experts.shape[axis])]
        if len(experts) != weights.shape[-1]:
            raise ValueError(f"{self.name}: {weights.shape[-1]} weights, but {len(experts)} experts")
        for k, expert in enumerate(experts):
            self.check_array(expert, f"input[1][{k}]", shape=experts[0].shape)
            if weights.ndim == 2 and expert.shape[:1] != weights.shape[:1]:
                raise ValueError(
                    f"{self.name}: weights of {len(weights)} entries, experts of shape {expert.shape}"
                )
        return weights, experts

    def _axis(self, weights):
        return weights.ndim - 1 if self.dim is None else self.dim

    def _spread(self, weights, k, expert):
        """Return the weights of expert k in a shape that broadcasts to it."""
        w = weights[..., k]
        return w.reshape(*w.shape, *(1,) * (expert.ndim - w.ndim))
