"""Layers that add, drop or lengthen dimensions, or take a part of one. Dimensions and places are 0-based."""

from ..module import Module
from ..typing import Number
from .axes import at, axis_of


class Replicate(Module):
    """Copies of the input along a new dimension.

    Shapes: input (a, b, ...), output with the size nf at the place `dim`: (nf, a, b, ...) by default.
    With `ndim`, an input of more dimensions is a batch, whose first dimension stays in front. The
    output is a view.
    Forward: y[..., k, ...] = x for k = 0..nf-1.
    Backward: grad_input = Σ_k g[..., k, ...].
    Errors: ValueError when dim is negative or the input has too few dimensions.
    Source: nn.Replicate.
    """

    def __init__(self, nf: int, dim: int = 0, ndim: int | None = None) -> None:
        super().__init__()
        self.check_counts(nf=nf)
        if dim < 0:
            raise ValueError(f"{self.name}: dim must be at least 0, got {dim}")
        self.n_features, self.dim, self.ndim = nf, dim, ndim

    def update_output(self, input):
        self.check_array(input)
        axis = self._axis(input)
        shape = (*input.shape[:axis], self.n_features, *input.shape[axis:])
        self.output = self.xp.broadcast_to(input[at(axis, None)], shape)
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        self.grad_input = grad_output.sum(self._axis(input))
        return self.grad_input

    def _axis(self, input):
        axis = self.dim + (self.ndim is not None and input.ndim > self.ndim)
        if axis > input.ndim:
            raise ValueError(f"{self.name}: no place {self.dim} for a dimension in shape {input.shape}")
        return axis


class Squeeze(Module):
    """The same elements without dimensions of size 1.

    Shapes: input of any shape, output without all of its dimensions of size 1, or without the dimension
    `dim` if that has size 1. With `num_input_dims`, an input of one dimension more is a batch: `dim`
    moves on by one, and a batch of one stays a batch. One dimension is always left.
    Forward: y = x, a view.
    Backward: grad_input = g in the shape of the input.
    Errors: ValueError when there is no dimension `dim`.
    Source: nn.Squeeze.
    """

    def __init__(self, dim: int | None = None, num_input_dims: int | None = None) -> None:
        super().__init__()
        if dim is not None and dim < 0:
            raise ValueError(f"{self.name}: dim must be at least 0, got {dim}")
        self.dim, self.num_input_dims = dim, num_input_dims

    def update_output(self, input):
        self.check_array(input)
        batched = self.num_input_dims is not None and input.ndim == self.num_input_dims + 1
        if self.dim is None:
            shape = tuple(size for size in input.shape if size != 1) or (1,)
            if batched and input.shape[0] == 1:
                shape = (1, *shape)
        else:
            axis = self.dim + batched
            if axis >= input.ndim:
                raise ValueError(f"{self.name}: no dimension {self.dim} in an input of shape {input.shape}")
            dropped = input.shape[axis] == 1 and input.ndim > 1
            shape = input.shape[:axis] + input.shape[axis + dropped :]
        self.output = input.reshape(shape)
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        self.grad_input = grad_output.reshape(input.shape)
        return self.grad_input

    def set_num_input_dims(self, num_input_dims: int) -> "Squeeze":
        """Say how many dimensions one entry of the input has; return self."""
        self.num_input_dims = num_input_dims
        return self

    def describe(self):
        return "" if self.dim is None else f"(dim {self.dim})"


class Unsqueeze(Module):
    """The same elements with one more dimension, of size 1, at the place `pos`.

    Shapes: input of any shape; the last `num_input_dims` dimensions (by default all) are one entry, in which
    `pos` counts, those before stay in front. Output with one dimension more.
    Forward: y = x, a view.
    Backward: grad_input = g in the shape of the input.
    Errors: ValueError when pos is negative or the input has too few dimensions.
    Source: nn.Unsqueeze.
    """

    def __init__(self, pos: int, num_input_dims: int | None = None) -> None:
        super().__init__()
        if pos < 0:
            raise ValueError(f"{self.name}: pos must be at least 0, got {pos}")
        self.pos, self.num_input_dims = pos, num_input_dims

    def update_output(self, input):
        self.check_array(input)
        lead = 0 if self.num_input_dims is None else input.ndim - self.num_input_dims
        if lead < 0 or lead + self.pos > input.ndim:
            raise ValueError(
                f"{self.name}: no place {self.pos} for a dimension in an input of shape {input.shape} "
                f"with num_input_dims = {self.num_input_dims}"
            )
        self.output = input[at(lead + self.pos, None)]
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        self.grad_input = grad_output.reshape(input.shape)
        return self.grad_input

    def set_num_input_dims(self, num_input_dims: int) -> "Unsqueeze":
        """Say how many dimensions one entry of the input has; return self."""
        self.num_input_dims = num_input_dims
        return self

    def describe(self):
        return f"(dim {self.pos})"


class Padding(Module):
    """A constant before, after or inside a dimension.

    Shapes: input (..., n, ...), output (..., n + |pad|, ...). With `n_input_dim`, an input of another
    number of dimensions is a batch and `dim` moves on by one.
    Forward: pad < 0 puts |pad| times `value` after the first `index` entries of the dimension, by
    default before all; pad > 0 puts it before the last `index` entries, by default after all.
    Backward: grad_input = g without what was put in.
    Errors: ValueError when there is no such dimension or index lies beyond it.
    Source: nn.Padding.
    """

    def __init__(
        self, dim: int, pad: int, n_input_dim: int | None = None, value: Number = 0.0, index: int = 0
    ) -> None:
        super().__init__()
        self.dim, self.pad, self.n_input_dim, self.value, self.index = dim, pad, n_input_dim, value, index

    def update_output(self, input):
        self.check_array(input)
        axis, start = self._place(input)
        shape = (*input.shape[:axis], abs(self.pad), *input.shape[axis + 1 :])
        filling = self.xp.full(shape, self.value, self.dtype)
        parts = input[at(axis, slice(start))], filling, input[at(axis, slice(start, None))]
        self.output = self.xp.concatenate(parts, axis)
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        axis, start = self._place(input)
        after = slice(start + abs(self.pad), None)
        parts = grad_output[at(axis, slice(start))], grad_output[at(axis, after)]
        self.grad_input = self.xp.concatenate(parts, axis)
        return self.grad_input

    def _place(self, input):
        """Return the axis, and how many of its entries come before the padding."""
        axis = self.dim
        if axis < 0:
            axis += input.ndim
        elif self.n_input_dim is not None and input.ndim != self.n_input_dim:
            axis += 1
        if not 0 <= axis < input.ndim:
            raise ValueError(f"{self.name}: no dimension {self.dim} in an input of shape {input.shape}")
        size = input.shape[axis]
        if not 0 <= self.index <= size:
            raise ValueError(
                f"{self.name}: index must be in 0..{size} for input of shape {input.shape}, got {self.index}"
            )
        return axis, size - self.index if self.pad > 0 else self.index


class Narrow(Module):
    """A run of `length` entries of a dimension, from the entry `offset` on.

    Shapes: input (..., n, ...), output (..., length, ...); the dimension and the offset may count from
    the end (-1 is the last). A negative length stands for all entries but the last |length| - 1: -1 for
    all that follow.
    Forward: y[..., k, ...] = x[..., offset + k, ...].
    Backward: grad_input[..., offset + k, ...] = g[..., k, ...], zero elsewhere.
    Errors: ValueError when the input has no such entries.
    Source: nn.Narrow.

        >>> nn.Narrow(1, 1, 2).forward(np.float32([[1, 2, 3], [4, 5, 6]])).tolist()
        [[2.0, 3.0], [5.0, 6.0]]
    """

    def __init__(self, dimension: int, offset: int, length: int = 1) -> None:
        super().__init__()
        self.dimension, self.index, self.length = dimension, offset, length

    def update_output(self, input):
        self.check_array(input)
        self.output = input[self._window(input)].copy()
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        self.grad_input = self.xp.zeros(input.shape, self.dtype)
        self.grad_input[self._window(input)] = grad_output
        return self.grad_input

    def _window(self, input):
        axis = axis_of(self, input)
        size = input.shape[axis]
        start = self.index + (size if self.index < 0 else 0)
        stop = start + self.length if self.length >= 0 else size + 1 + self.length
        if not 0 <= start < stop <= size:
            raise ValueError(
                f"{self.name}: no {self.length} entries from {self.index} on in dimension {self.dimension} "
                f"of an input of shape {input.shape}"
            )
        return at(axis, slice(start, stop))


class Select(Module):
    """One entry of a dimension.

    Shapes: input (..., n, ...), output without n; (1,) for a vector. Dimension and index may count from
    the end.
    Forward: y = x[..., index, ...].
    Backward: grad_input[..., index, ...] = g, zero elsewhere.
    Errors: ValueError when the input has no such entry.
    Source: nn.Select.

        >>> nn.Select(1, 0).forward(np.float32([[1, 2], [3, 4]])).tolist()
        [1.0, 3.0]
    """

    def __init__(self, dimension: int, index: int) -> None:
        super().__init__()
        self.dimension, self.index = dimension, index

    def update_output(self, input):
        self.check_array(input)
        self.output = input[self._entry(input)].copy()
        if input.ndim == 1:
            self.output = self.output.reshape(1)
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        self.grad_input = self.xp.zeros(input.shape, self.dtype)
        self.grad_input[self._entry(input)] = grad_output if input.ndim > 1 else grad_output[0]
        return self.grad_input

    def _entry(self, input):
        axis = axis_of(self, input)
        if not -input.shape[axis] <= self.index < input.shape[axis]:
            raise ValueError(
                f"{self.name}: no entry {self.index} in dimension {self.dimension} of an input of shape "
                f"{input.shape}"
            )
        return at(axis, self.index)
