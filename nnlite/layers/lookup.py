"""What an index names: learnt vectors, or entries of the input."""

from typing import Any

import numpy as np

from .. import backend
from ..module import Module
from ..random import default_generator
from ..typing import Number
from .axes import at, axis_of


class LookupTable(Module):
    """A learnt vector for every index.

    Shapes: input (T,) or (N, T), indices in 0..n_index-1 (an integer array, or one of the module's dtype that
    holds whole numbers); output (T, n_output) or (N, T, n_output); weight (n_index, n_output).
    Forward: y_t = weight[input_t]. With `max_norm`, rows that are used are first scaled, for good, to a
    norm (Σ |w|^norm_type)^(1 / norm_type) of at most max_norm.
    Backward: grad_input = 0, as indices have no derivative; grad_weight[k] += scale · Σ g_t over all t with
    input_t = k, after `scale_grad_by_freq()` divided by how many there are. The row `padding_value` gets
    nothing (-1: no such row).
    Errors: TypeError, ValueError for what is no index of the table.
    Source: nn.LookupTable, whose indices, and paddingValue with them, count from 1.

        >>> net = nn.LookupTable(3, 2)
        >>> net.weight[...] = [[0, 1], [2, 3], [4, 5]]
        >>> net.forward(np.array([2, 0])).tolist()
        [[4.0, 5.0], [0.0, 1.0]]
    """

    parameter_names = ("weight",)
    first_index = 0  # the index that the first row stands for

    def __init__(
        self,
        n_index: int,
        n_output: int,
        padding_value: int = -1,
        max_norm: Number | None = None,
        norm_type: Number | None = None,
    ) -> None:
        super().__init__()
        self.check_counts(n_index=n_index, n_output=n_output)
        if norm_type is not None and norm_type <= 0:
            raise ValueError(f"{self.name}: norm_type must be above 0, got {norm_type}")
        self.padding_value, self.max_norm, self.norm_type = padding_value, max_norm, norm_type
        self.should_scale_grad_by_freq = False
        self.add_parameter("weight", (n_index, n_output))
        self.reset()

    def reset(self, stdv=None):
        """Draw the weight from the normal distribution with standard deviation 1, or `stdv`."""
        drawn = default_generator.normal(0, 1.0 if stdv is None else stdv, self.weight.shape)
        self.weight[...] = backend.asarray(drawn, self.dtype, self.device)

    def update_output(self, input):
        rows = self.rows(input)
        if self.max_norm is not None:
            self._renormalise(self.xp.unique(rows))
        self.output = self.weight[rows]
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        self.grad_input = self.xp.zeros(input.shape, input.dtype)
        return self.grad_input

    def acc_grad_parameters(self, input, grad_output, scale=1.0):
        rows = self.rows(input).ravel()
        grads = scale * grad_output.reshape(rows.size, self.weight.shape[1])
        if self.should_scale_grad_by_freq:
            grads /= self.xp.bincount(rows)[rows][:, None].astype(self.dtype)
        counted = rows != self.padding_value
        self.xp.add.at(self.grad_weight, rows[counted], grads[counted])

    def rows(self, input: Any) -> Any:
        """Return the rows of the table that `input` names, as an integer array of its shape."""
        if not backend.is_array(input) or input.dtype.kind not in "iu":
            self.check_array(input)
        elif backend.device_of(input) != self.device:
            raise TypeError(
                f"{self.name}: input is on {backend.device_of(input)}, the module on {self.device}"
            )
        if input.ndim not in (1, 2):
            raise ValueError(f"{self.name}: input must have 1 or 2 dimensions, got shape {input.shape}")
        index, first, last = input.astype(np.int64), self.first_index, self.first_index + len(self.weight) - 1
        wrong = (index != input) | (index < first) | (index > last)
        if wrong.any():
            raise ValueError(f"{self.name}: index {input[wrong][0]} is not in {first}..{last}")
        return index - first

    def set_padding(self, padding_value: int) -> "LookupTable":
        """Set the row that gets no gradient, and return self."""
        self.padding_value = padding_value
        return self

    def set_max_norm(self, max_norm: Number) -> "LookupTable":
        """Set the largest norm of a row, and return self."""
        self.max_norm = max_norm
        return self

    def set_norm_type(self, norm_type: Number) -> "LookupTable":
        """Set which norm `max_norm` limits (2 when None), and return self."""
        self.norm_type = norm_type
        return self

    def scale_grad_by_freq(self) -> "LookupTable":
        """Divide the gradient of a row by how often the row was used; return self."""
        self.should_scale_grad_by_freq = True
        return self

    def _renormalise(self, rows):
        p = 2 if self.norm_type is None else self.norm_type
        norms = (abs(self.weight[rows]) ** p).sum(axis=1) ** (1.0 / p)
        too_long = norms > self.max_norm
        self.weight[rows[too_long]] *= (self.max_norm / (norms[too_long] + 1e-7))[:, None]


class LookupTableMaskZero(LookupTable):
    """A learnt vector for every index, and the zero vector for -1.

    Shapes: input (T,) or (N, T), indices in -1..n_index-1, output as in `LookupTable`; weight
    (n_index + 1, n_output), whose first row stands for -1.
    Forward: y_t = weight[input_t + 1]; the first row is set to zero by every forward pass.
    Backward: as `LookupTable`. As in Torch7 the first row collects the g of all t with input_t = -1, without
    effect: whatever an update makes of that row, the next forward pass sets it to zero.
    Errors: as `LookupTable`.
    Source: nn.LookupTableMaskZero (rnn), where 0 is masked and indices count from 1.
    """

    first_index = -1

    def __init__(self, n_index: int, n_output: int) -> None:
        super().__init__(n_index + 1, n_output)

    def update_output(self, input):
        self.weight[0] = 0
        return super().update_output(input)


class Index(Module):
    """The entries of a dimension that an index names, in its order.

    Shapes: input a table of x (..., n, ...) and an integer array (m,) of indices in 0..n-1, output
    (..., m, ...); `dimension` is 0-based and negative from the end.
    Forward: y[..., j, ...] = x[..., index_j, ...].
    Backward: grad_input = [Σ of g over all j with index_j = k, at k; 0 for the indices].
    Errors: TypeError, ValueError for what is no index, or when there is no such dimension.
    Source: nn.Index, whose indices count from 1.
    """

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.dimension = dimension

    def update_output(self, input):
        axis, index = self._checked(input)
        self.output = input[0][at(axis, index)]
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        axis, index = self._checked(input)
        grad = self.xp.zeros(input[0].shape, self.dtype)
        self.xp.add.at(grad.swapaxes(0, axis), index, grad_output.swapaxes(0, axis))
        self.grad_input = [grad, self.xp.zeros_like(index)]
        return self.grad_input

    def _checked(self, input):
        """Return the axis and the index, or raise."""
        self.check_table(input, size=2)
        x, index = input
        self.check_array(x, "input[0]")
        if not backend.is_array(index) or index.dtype.kind not in "iu" or index.ndim != 1:
            raise TypeError(f"{self.name}: input[1] must be a vector of integers, got {index!r}")
        axis = axis_of(self, x)
        wrong = (index < 0) | (index >= x.shape[axis])
        if wrong.any():
            raise ValueError(f"{self.name}: index {index[wrong][0]} is not in 0..{x.shape[axis] - 1}")
        return axis, index
