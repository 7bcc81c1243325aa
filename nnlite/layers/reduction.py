"""Layers that reduce one dimension to a number: its sum, mean, maximum or minimum.

`dimension` is 0-based and negative from the end. With `n_input_dims`, an input of one dimension more is
a batch and a dimension >= 0 moves on by one. A vector is reduced to an array of one number, (1,):
Torch7 has no arrays without dimensions.
"""

from ..module import Module
from ..typing import Array
from .axes import at, axis_of


class Sum(Module):
    """The sum over a dimension.

    Shapes: input (..., n, ...), output without n; (1,) for a vector. Without `squeeze` n becomes 1.
    Forward: y = Σᵢ xᵢ, divided by n when `size_average`.
    Backward: grad_inputᵢ = g, divided by n when `size_average`.
    Errors: ValueError when there is no such dimension, or no mean as its size is 0.
    Source: nn.Sum.

        >>> nn.Sum(1).forward(np.float32([[1, 2], [3, 4]])).tolist()
        [3.0, 7.0]
    """

    def __init__(
        self,
        dimension: int = 0,
        n_input_dims: int | None = None,
        size_average: bool = False,
        squeeze: bool = True,
    ) -> None:
        super().__init__()
        self.dimension, self.n_input_dims = dimension, n_input_dims
        self.size_average, self.squeeze = size_average, squeeze

    def update_output(self, input):
        self.check_array(input)
        axis = axis_of(self, input, self.n_input_dims)
        self.output = input.sum(axis, keepdims=not self.squeeze or input.ndim == 1)
        if self.size_average:
            if not input.shape[axis]:
                raise ValueError(f"{self.name}: no mean of nothing, dimension {axis} of {input.shape}")
            self.output /= input.shape[axis]
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        axis = axis_of(self, input, self.n_input_dims)
        g = grad_output / input.shape[axis] if self.size_average else grad_output
        g = g.reshape(*input.shape[:axis], 1, *input.shape[axis + 1 :])
        self.grad_input = self.xp.broadcast_to(g, input.shape).copy()
        return self.grad_input


class Mean(Sum):
    """The mean over a dimension: `Sum` with `size_average`. Source: nn.Mean."""

    def __init__(self, dimension: int = 0, n_input_dims: int | None = None, squeeze: bool = True) -> None:
        super().__init__(dimension, n_input_dims, True, squeeze)


class Max(Module):
    """The maximum over a dimension.

    Shapes: input (..., n, ...), output without n; (1,) for a vector.
    Forward: y = maxᵢ xᵢ; NaN when one of them is.
    Backward: grad_inputᵢ = g where i is the place of the maximum, of equal ones the first; 0 elsewhere.
    Errors: ValueError when there is no such dimension or its size is 0.
    Source: nn.Max.
    """

    state_names = (*Module.state_names, "indices")

    def __init__(self, dimension: int = 0, n_input_dims: int | None = None) -> None:
        super().__init__()
        self.dimension, self.n_input_dims = dimension, n_input_dims
        self.indices = None

    def update_output(self, input):
        self.check_array(input)
        axis = axis_of(self, input, self.n_input_dims)
        if not input.shape[axis]:
            raise ValueError(f"{self.name}: nothing to choose from in dimension {axis} of {input.shape}")
        self.indices = self.find(input, axis)[at(axis, None)]
        y = self.xp.take_along_axis(input, self.indices, axis)
        self.output = y if input.ndim == 1 else y.squeeze(axis)
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        axis = axis_of(self, input, self.n_input_dims)
        places = self.xp.arange(input.shape[axis]).reshape(-1, *(1,) * (input.ndim - axis - 1))
        g = grad_output.reshape(self.indices.shape)
        self.grad_input = self.xp.where(places == self.indices, g, self.dtype.type(0))
        return self.grad_input

    def find(self, input: Array, axis: int) -> Array:
        """Return the places of the maxima."""
        return self.xp.argmax(input, axis)


class Min(Max):
    """The minimum over a dimension.

    Shapes: input (..., n, ...), output without n; (1,) for a vector.
    Forward: y = minᵢ xᵢ; NaN when one of them is.
    Backward: grad_inputᵢ = g where i is the place of the minimum, of equal ones the first; 0 elsewhere.
    Errors: ValueError when there is no such dimension or its size is 0.
    Source: nn.Min.
    """

    def find(self, input, axis):
        """Return the places of the minima."""
        return self.xp.argmin(input, axis)
