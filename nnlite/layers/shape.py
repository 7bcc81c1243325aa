"""Layers that rearrange, pad or crop.

Where no element moves in memory (`Reshape`, `View`), `output` is a view of the input and `grad_input` a
view of grad_output.
"""

import math

from ..module import Module


class Reshape(Module):
    """The same elements in another shape, batch dimension kept.

    Shapes: with `batch_mode` True input (N, ...) and output (N, *sizes); with False input of any shape and
    output of shape `sizes`; with None a batch unless the input has exactly the elements of `sizes` and its
    first dimension is not 1. (So Reshape(12) makes (1, 12) of (1, 3, 4), and (12,) of (3, 4).)
    Forward: y = x, in row-major order.
    Backward: grad_input = g in the shape of the input.
    Errors: ValueError when a size is not a positive integer or the element counts differ.
    Source: nn.Reshape.
    """

    def __init__(self, *sizes: int, batch_mode: bool | None = None) -> None:
        super().__init__()
        self.sizes = checked_sizes(self.name, sizes)
        self.batch_mode = batch_mode

    def update_output(self, input):
        self.check_array(input)
        batch = self.batch_mode
        if batch is None:
            batch = input.size != math.prod(self.sizes) or input.shape[:1] == (1,)
        shape = input.shape[:1] + self.sizes if batch else self.sizes
        if input.size != math.prod(shape):
            raise ValueError(f"{self.name}: input of shape {input.shape} does not fit into {shape}")
        self.output = input.reshape(shape)
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        self.grad_input = grad_output.reshape(input.shape)
        return self.grad_input

    def describe(self):
        return f"({'x'.join(map(str, self.sizes))})"


class View(Module):
    """The same elements in another shape, in which one size may be -1: what remains.

    Shapes: the last `num_input_dims` dimensions of the input (by default all) are one entry, those before
    are batch dimensions. Output `sizes` when there is one entry and no batch dimension, else (N, *sizes),
    where N also takes the elements that `sizes` leaves over when no size is -1.
    Forward: y = x, in row-major order.
    Backward: grad_input = g in the shape of the input.
    Errors: ValueError when a size is neither positive nor -1, two are -1, or the element counts do not fit.
    Source: nn.View.

        >>> nn.View(-1, 6).forward(np.ones((4, 2, 3), np.float32)).shape
        (4, 6)
    """

    def __init__(self, *sizes: int) -> None:
        super().__init__()
        self.sizes = checked_sizes(self.name, sizes, allowed=(-1,))
        if self.sizes.count(-1) > 1:
            raise ValueError(f"{self.name}: only one size can be -1, got {sizes}")
        self.num_input_dims: int | None = None

    def update_output(self, input):
        self.check_array(input)
        n_entry = input.ndim if self.num_input_dims is None else min(self.num_input_dims, input.ndim)
        batch, entry = input.shape[: input.ndim - n_entry], input.shape[input.ndim - n_entry :]
        known = math.prod(size for size in self.sizes if size != -1)
        if math.prod(entry) % known:
            raise ValueError(f"{self.name}: input of shape {input.shape} does not fit into {self.sizes}")
        count = math.prod(batch)
        if -1 not in self.sizes:
            count *= math.prod(entry) // known
        sizes = tuple(math.prod(entry) // known if size == -1 else size for size in self.sizes)
        self.output = input.reshape((count, *sizes) if batch or count != 1 else sizes)
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        self.grad_input = grad_output.reshape(input.shape)
        return self.grad_input

    def set_num_input_dims(self, num_input_dims: int) -> "View":
        """Set how many dimensions one entry of the input has; those before are the batch. Return self."""
        self.num_input_dims = num_input_dims
        return self

    def describe(self):
        return f"({', '.join(map(str, self.sizes))})"


class Transpose(Module):
    """Dimensions swapped, one pair after the other.

    Shapes: Transpose((0, 2), (0, 1)) makes (H, W, C) of (C, H, W). The output is contiguous.
    Forward: y = x with dimensions a and b swapped, for each pair (a, b) in turn.
    Backward: grad_input = g with the same swaps in reverse order.
    Errors: ValueError when a dimension does not exist.
    Source: nn.Transpose, whose dimensions are 1-based.

        >>> nn.Transpose((0, 1)).forward(np.float32([[1, 2, 3]])).tolist()
        [[1.0], [2.0], [3.0]]
    """

    def __init__(self, *swaps: tuple[int, int]) -> None:
        super().__init__()
        self.swaps = tuple((a, b) for a, b in swaps)

    def update_output(self, input):
        self.check_array(input)
        if any(not -input.ndim <= axis < input.ndim for swap in self.swaps for axis in swap):
            raise ValueError(
                f"{self.name}: input must have all dimensions of the swaps {self.swaps}, "
                f"got shape {input.shape}"
            )
        self.output = self._swapped(input, self.swaps)
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        self.grad_input = self._swapped(grad_output, reversed(self.swaps))
        return self.grad_input

    def _swapped(self, x, swaps):
        for a, b in swaps:
            x = x.swapaxes(a, b)
        return self.xp.ascontiguousarray(x)


class SpatialZeroPadding(Module):
    """Zeros around every map; a negative width crops.

    Shapes: input (C, H, W) or (N, C, H, W), output (..., H + pad_t + pad_b, W + pad_l + pad_r).
    Forward: y = x inside, 0 in the border.
    Backward: grad_input = g inside, 0 where the input was cropped.
    Errors: ValueError when cropping leaves nothing.
    Source: nn.SpatialZeroPadding; widths that are not given are pad_l.
    """

    def __init__(
        self, pad_l: int, pad_r: int | None = None, pad_t: int | None = None, pad_b: int | None = None
    ) -> None:
        super().__init__()
        self.pad_l = pad_l
        self.pad_r = pad_l if pad_r is None else pad_r
        self.pad_t = pad_l if pad_t is None else pad_t
        self.pad_b = pad_l if pad_b is None else pad_b

    def update_output(self, input):
        self.check_array(input, ndim=(3, 4))
        height, width = input.shape[-2:]
        kept, placed = self._windows(height, width)
        if 0 in input[kept].shape[-2:]:
            raise ValueError(f"{self.name}: cropping leaves nothing of an input of shape {input.shape}")
        shape = (*input.shape[:-2], height + self.pad_t + self.pad_b, width + self.pad_l + self.pad_r)
        self.output = self.xp.zeros(shape, self.dtype)
        self.output[placed] = input[kept]
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        kept, placed = self._windows(*input.shape[-2:])
        self.grad_input = self.xp.zeros(input.shape, self.dtype)
        self.grad_input[kept] = grad_output[placed]
        return self.grad_input

    def _windows(self, height, width):
        """Return the index of the part of the input that is kept, and that of its place in the output."""
        kept, placed = [...], [...]
        for size, before, after in ((height, self.pad_t, self.pad_b), (width, self.pad_l, self.pad_r)):
            start, stop = max(0, -before), max(0, size - max(0, -after))
            kept.append(slice(start, stop))
            placed.append(slice(start + before, stop + before))
        return tuple(kept), tuple(placed)

    def describe(self):
        return f"(l={self.pad_l}, r={self.pad_r}, t={self.pad_t}, b={self.pad_b})"


def checked_sizes(name, sizes, allowed=()):
    """Return `sizes` as a tuple; ValueError unless each is a positive integer or one of `allowed`."""
    for size in sizes:
        # True is an int in Python, and the last argument of Torch7's nn.Reshape is a flag.
        if isinstance(size, bool) or not isinstance(size, int) or (size < 1 and size not in allowed):
            raise ValueError(f"{name}: sizes must be positive integers, got {size!r} in {sizes}")
    return tuple(sizes)
