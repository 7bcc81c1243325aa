"""Modules that join, split, pick from and combine tables (lists or tuples of arrays)."""

import functools
import operator

from . import backend, table
from .layers.axes import at, axis_of
from .module import Module


class JoinTable(Module):
    """Concatenate the arrays of a table along a dimension.

    Shapes: input a table of arrays x₁..x_K equal but for `dimension` (0-based; negative from the end). With
    `n_input_dims`, entries of one dimension more are batches and a dimension >= 0 moves on by one.
    Forward: y = [x₁ ... x_K].
    Backward: grad_inputₖ = the part of g that belongs to xₖ (a view of g).
    Errors: ValueError for entries that do not fit together.
    Source: nn.JoinTable.

        >>> nn.JoinTable(0).forward([np.float32([1, 2]), np.float32([3])]).tolist()
        [1.0, 2.0, 3.0]
    """

    def __init__(self, dimension: int, n_input_dims: int | None = None) -> None:
        super().__init__()
        self.dimension, self.n_input_dims = dimension, n_input_dims

    def update_output(self, input):
        _check_filled(self, input)
        axis = axis_of(self, input[0], self.n_input_dims)
        for i, x in enumerate(input):
            self.check_array(x, f"input[{i}]", ndim=input[0].ndim)
            self.check_array(x, f"input[{i}]", shape=_replace(input[0].shape, axis, x.shape[axis]))
        self.output = self.xp.concatenate(input, axis=axis)
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        axis, stop, self.grad_input = axis_of(self, input[0], self.n_input_dims), 0, []
        for x in input:
            start, stop = stop, stop + x.shape[axis]
            self.grad_input.append(grad_output[at(axis, slice(start, stop))])
        return self.grad_input


class SplitTable(Module):
    """Split an array along a dimension into the table of its slices.

    Shapes: input an array, output the table of x[..., k, ...] without `dimension` (0-based; negative from
    the end). With `n_input_dims`, an input of one dimension more is a batch and a dimension >= 0 moves on
    by one.
    Forward: outputₖ = the k-th slice of x (a view).
    Backward: grad_input = the gₖ stacked along the dimension.
    Errors: ValueError when there is no such dimension.
    Source: nn.SplitTable.
    """

    def __init__(self, dimension: int, n_input_dims: int | None = None) -> None:
        super().__init__()
        self.dimension, self.n_input_dims = dimension, n_input_dims

    def update_output(self, input):
        self.check_array(input)
        axis = axis_of(self, input, self.n_input_dims)
        self.output = [input[at(axis, k)] for k in range(input.shape[axis])]
        return self.output

    def update_grad_input(self, input, grad_output):
        axis = axis_of(self, input, self.n_input_dims)
        self.check_table(grad_output, "grad_output", size=input.shape[axis])
        for k, g in enumerate(grad_output):
            self.check_array(g, f"grad_output[{k}]", shape=input.shape[:axis] + input.shape[axis + 1 :])
        stack, zeros = self.xp.stack, self.xp.zeros_like
        self.grad_input = stack(grad_output, axis=axis) if grad_output else zeros(input)
        return self.grad_input


class SelectTable(Module):
    """Pick one entry of a table.

    Shapes: input a table, output its entry `index` (0-based; negative from the end), an array or a table.
    Forward: y = x_index.
    Backward: grad_input_index = g, zeros for the other entries.
    Errors: ValueError when the table has no such entry.
    Source: nn.SelectTable.
    """

    def __init__(self, index: int) -> None:
        super().__init__()
        self.index = index

    def update_output(self, input):
        self.check_table(input)
        if not -len(input) <= self.index < len(input):
            raise ValueError(f"{self.name}: no entry {self.index} in a table of {len(input)}")
        self.output = input[self.index]
        return self.output

    def update_grad_input(self, input, grad_output):
        picked = self.index % len(input)
        self.grad_input = [grad_output if i == picked else _zeros_like(x) for i, x in enumerate(input)]
        return self.grad_input

    def describe(self):
        return f"({self.index})"


class NarrowTable(Module):
    """Pick `length` consecutive entries of a table, from the 0-based `offset` on.

    Shapes: input a table, output a table of `length` entries.
    Forward: outputₖ = x_(offset + k).
    Backward: grad_input_(offset + k) = gₖ, zeros for the other entries.
    Errors: ValueError when the table is too short.
    Source: nn.NarrowTable.
    """

    def __init__(self, offset: int, length: int = 1) -> None:
        super().__init__()
        self.offset, self.length = offset, length
        if offset < 0 or length < 1:
            raise ValueError(f"{self.name}: needs offset >= 0 and length >= 1, got {offset} and {length}")

    def update_output(self, input):
        self.check_table(input)
        if len(input) < self.offset + self.length:
            raise ValueError(
                f"{self.name}: no entries {self.offset}..{self.offset + self.length - 1} in a table of "
                f"{len(input)}"
            )
        self.output = list(input[self.offset : self.offset + self.length])
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_table(grad_output, "grad_output", size=self.length)
        self.grad_input = [_zeros_like(x) for x in input[: self.offset]]
        self.grad_input += grad_output
        self.grad_input += [_zeros_like(x) for x in input[self.offset + self.length :]]
        return self.grad_input


class FlattenTable(Module):
    """Turn a table of tables into one table of arrays, in order.

    Shapes: input a nested table, output the table of its arrays.
    Forward: output = the leaves of the input.
    Backward: grad_input = the gₖ in the input's structure.
    Errors: TypeError unless the input is a table, ValueError for a grad_output of another length.
    Source: nn.FlattenTable.
    """

    def update_output(self, input):
        self.check_table(input)
        self.output = table.leaves(input)
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_table(grad_output, "grad_output", size=len(table.leaves(input)))
        self.grad_input = table.fill(input, iter(grad_output))
        return self.grad_input


class _Elementwise(Module):
    """Base of the modules that combine the arrays of a table, all of one shape, entry by entry."""

    n_entries = None  # any number

    def update_output(self, input):
        _check_filled(self, input, size=self.n_entries)
        for i, x in enumerate(input):
            self.check_array(x, f"input[{i}]", shape=input[0].shape)
        self.output = self.combine(*input)
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        self.grad_input = self.gradients(grad_output, *input)
        return self.grad_input

    def combine(self, *x):
        """Return the output for the entries `x`."""
        raise NotImplementedError

    def gradients(self, g, *x):
        """Return the gradients with respect to the entries `x`; `g` is that with respect to the output."""
        raise NotImplementedError


class CAddTable(_Elementwise):
    """Add the arrays of a table.

    Shapes: input a table of arrays of one shape, output of that shape.
    Forward: y = Σₖ xₖ.
    Backward: grad_inputₖ = g (every entry is g itself).
    Errors: ValueError when the shapes differ.
    Source: nn.CAddTable.

        >>> nn.CAddTable().forward([np.float32([1, 2]), np.float32([10, 20])]).tolist()
        [11.0, 22.0]
    """

    def combine(self, *x):
        return functools.reduce(operator.add, x)

    def gradients(self, g, *x):
        return [g] * len(x)


class CSubTable(_Elementwise):
    """Subtract the second array of a table from the first.

    Shapes: input a table of two arrays of one shape, output of that shape.
    Forward: y = x₁ - x₂.
    Backward: grad_input₁ = g, grad_input₂ = -g.
    Errors: ValueError when the shapes differ or the table does not have two entries.
    Source: nn.CSubTable.
    """

    n_entries = 2

    def combine(self, a, b):
        return a - b

    def gradients(self, g, a, b):
        return [g, -g]


class CMulTable(_Elementwise):
    """Multiply the arrays of a table entry by entry.

    Shapes: input a table of arrays of one shape, output of that shape.
    Forward: y = Πₖ xₖ.
    Backward: grad_inputₖ = g · Π_{j≠k} xⱼ (without division, so that zeros are allowed).
    Errors: ValueError when the shapes differ.
    Source: nn.CMulTable.
    """

    def combine(self, *x):
        return functools.reduce(operator.mul, x)

    def gradients(self, g, *x):
        return [functools.reduce(operator.mul, x[:k] + x[k + 1 :], g) for k in range(len(x))]


class CDivTable(_Elementwise):
    """Divide the first array of a table by the second.

    Shapes: input a table of two arrays of one shape, output of that shape.
    Forward: y = x₁ / x₂.
    Backward: grad_input₁ = g / x₂, grad_input₂ = -g · x₁ / x₂².
    Errors: ValueError when the shapes differ or the table does not have two entries.
    Source: nn.CDivTable.
    """

    n_entries = 2

    def combine(self, a, b):
        return a / b

    def gradients(self, g, a, b):
        return [g / b, -g * a / (b * b)]


def _check_filled(module, input, size=None):
    """Raise unless `input` is a table, of `size` entries when given, that starts with an array."""
    module.check_table(input, size=size)
    if not input:
        raise ValueError(f"{module.name}: input must not be an empty table")
    module.check_array(input[0], "input[0]")


def _replace(shape, axis, size):
    return (*shape[:axis], size, *shape[axis + 1 :])


def _zeros_like(x):
    """Return zeros of the shape of `x`, an array or a table."""
    return table.map(lambda leaf: backend.get_array_module(leaf).zeros_like(leaf), x)
