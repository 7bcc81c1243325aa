"""Pooling, unpooling and nearest upsampling."""

import math

from ..module import Module
from ..ops import pooling
from .sliding_window import SlidingWindow, as_batch


class _Pooling(SlidingWindow):
    """Base of both poolings: the checks, and the number of windows that fit."""

    def __init__(self, kw, kh, dw, dh, padw, padh):
        super().__init__(kw, kh, dw, dh, padw, padh)
        if self.padw > self.kw // 2 or self.padh > self.kh // 2:
            raise ValueError(
                f"{self.name}: padding must be at most half the window, got padding {padw},{padh} "
                f"for a window of {kw}x{kh}"
            )
        self.ceil_mode = False

    def ceil(self):
        """Round the output size up, so that last windows may reach beyond the input; return self."""
        self.ceil_mode = True
        return self

    def floor(self):
        """Round the output size down (the default) and return self."""
        self.ceil_mode = False
        return self

    def output_size(self, input):
        """Return (H', W'), or raise where no window fits."""
        self.check_array(input, ndim=(3, 4))
        size = pooling.output_size(input.shape[-2:], self.kernel, self.padding, self.stride, self.ceil_mode)
        self.check_fits(size, input)
        return size

    def describe(self):
        return f"({self.describe_window(with_stride=True)})"


class SpatialMaxPooling(_Pooling):
    """The largest entry of each window.

    Shapes: input (C, H, W) or (N, C, H, W), output (C, H', W') or (N, C, H', W') with
    H' = ⌊(H + 2 padh - kh) / dh⌋ + 1 (⌈ ⌉ after `ceil()`, without a last window that starts in the padding
    below) and W' likewise. The steps dw, dh are kw, kh when not given. `indices` has the output's shape.
    Forward: y[p, q] = max_{i,j} x[p·dh + i - padh, q·dw + j - padw]. Padding never wins, nor does NaN; of
    equal entries the first in row-major order does. `indices` holds its place in the map, r·W + s for row r
    and column s; a window without a winner has -1, and the lowest finite number as output.
    Backward: grad_input = Σ of g over the windows that an entry has won.
    Errors: ValueError when padding exceeds half the window or no window fits.
    Source: nn.SpatialMaxPooling.

        >>> net = nn.SpatialMaxPooling(2, 2)
        >>> x = np.float32([[[1, 2, 5, 6], [4, 3, 8, 7]]])
        >>> net.forward(x).tolist()
        [[[4.0, 8.0]]]
        >>> net.backward(x, np.float32([[[1, 1]]])).tolist()
        [[[0.0, 0.0, 0.0, 0.0], [1.0, 0.0, 1.0, 0.0]]]
    """

    state_names = ("output", "grad_input", "indices", "input_size")

    def __init__(
        self, kw: int, kh: int, dw: int | None = None, dh: int | None = None, padw: int = 0, padh: int = 0
    ) -> None:
        super().__init__(kw, kh, kw if dw is None else dw, kh if dh is None else dh, padw, padh)
        self.indices = self.input_size = None

    def update_output(self, input):
        size, self.input_size = self.output_size(input), input.shape[-2:]
        y, indices = pooling.max_pool(as_batch(input), self.kernel, size, self.padding, self.stride)
        shape = input.shape[:-2] + size
        self.output, self.indices = y.reshape(shape), indices.reshape(shape)
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        grad = pooling.scatter(as_batch(grad_output), as_batch(self.indices), self.input_size)
        self.grad_input = grad.reshape(input.shape)
        return self.grad_input


class SpatialAveragePooling(_Pooling):
    """The mean of each window.

    Shapes: as in `SpatialMaxPooling`, but the steps dw, dh are 1 when not given.
    Forward: y[p, q] = 1/n[p, q] · Σ_{i,j} x[p·dh + i - padh, q·dw + j - padw], x zero outside. n counts the
    window's entries in the input and its padding, or, after `set_count_exclude_pad()`, in the input alone;
    entries beyond the padding never count. (An empty window gives 0.)
    Backward: grad_input = Σ of g / n over the windows that an entry is in.
    With `divide` False, as in files from before it existed, both are times the size kw · kh: a sum.
    Errors: ValueError when padding exceeds half the window or no window fits.
    Source: nn.SpatialAveragePooling.
    """

    def __init__(self, kw: int, kh: int, dw: int = 1, dh: int = 1, padw: int = 0, padh: int = 0) -> None:
        super().__init__(kw, kh, dw, dh, padw, padh)
        self.count_include_pad = self.divide = True

    def update_output(self, input):
        size, windows = self.output_size(input), (self.padding, self.stride, self.count_include_pad)
        y = pooling.average_pool(as_batch(input), self.kernel, size, *windows)
        self.output = self._times(y.reshape(input.shape[:-2] + size))
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        g, windows = as_batch(grad_output), (self.padding, self.stride, self.count_include_pad)
        grad = pooling.average_pool_grad_input(g, input.shape[-2:], self.kernel, *windows)
        self.grad_input = self._times(grad.reshape(input.shape))
        return self.grad_input

    def _times(self, mean):
        return mean if self.divide else mean * math.prod(self.kernel)

    def set_count_include_pad(self) -> "SpatialAveragePooling":
        """Count padding in the mean, as zeros (the default); return self."""
        self.count_include_pad = True
        return self

    def set_count_exclude_pad(self) -> "SpatialAveragePooling":
        """Average over the entries inside the input alone; return self."""
        self.count_include_pad = False
        return self


class SpatialMaxUnpooling(Module):
    """Put every entry back to the position where a `SpatialMaxPooling` module found its last maximum.

    Shapes: input as the pooling module's last output, output as its last input.
    Forward: y[indices[p, q]] = x[p, q], zero elsewhere. (Nothing is put where a window had no winner.)
    Backward: grad_input[p, q] = g[indices[p, q]], 0 for a window without a winner.
    Errors: TypeError unless given a SpatialMaxPooling, ValueError unless its window is as large as its steps
    and the input has the shape of its last output, RuntimeError when it has not run.
    Source: nn.SpatialMaxUnpooling.
    """

    def __init__(self, pooling_module: SpatialMaxPooling) -> None:
        super().__init__()
        if not isinstance(pooling_module, SpatialMaxPooling):
            raise TypeError(f"{self.name} takes an nn.SpatialMaxPooling, got {type(pooling_module).__name__}")
        if pooling_module.kernel != pooling_module.stride:
            raise ValueError(f"{self.name}: the window of {pooling_module!r} must be as large as its steps")
        self.pooling = pooling_module

    def update_output(self, input):
        indices = self.pooling.indices
        if indices is None:
            raise RuntimeError(f"{self.name}: call forward of {self.pooling!r} first")
        self.check_array(input, shape=indices.shape)
        y = pooling.scatter(as_batch(input), as_batch(indices), self.pooling.input_size)
        self.output = y.reshape(indices.shape[:-2] + y.shape[-2:])
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        grad = pooling.gather(as_batch(grad_output), as_batch(self.pooling.indices))
        self.grad_input = grad.reshape(input.shape)
        return self.grad_input

    def describe(self):
        return f" associated to {self.pooling!r}"


class SpatialUpSamplingNearest(Module):
    """Every entry as a block of scale x scale.

    Shapes: input (C, H, W) or (N, C, H, W), output (C, scale·H, scale·W) or (N, C, scale·H, scale·W).
    Forward: y[p, q] = x[⌊p / scale⌋, ⌊q / scale⌋].
    Backward: grad_input[r, s] = Σ of g over the block of x[r, s].
    Errors: ValueError when scale is not an integer of at least 1.
    Source: nn.SpatialUpSamplingNearest.
    """

    def __init__(self, scale: int) -> None:
        super().__init__()
        if scale != int(scale) or scale < 1:
            raise ValueError(f"{self.name}: scale must be an integer >= 1, got {scale}")
        self.scale_factor = int(scale)

    def update_output(self, input):
        self.check_array(input, ndim=(3, 4))
        self.output = pooling.upsample(input, self.scale_factor)
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        self.grad_input = pooling.upsample_grad_input(grad_output, self.scale_factor)
        return self.grad_input

    def describe(self):
        return f"({self.scale_factor})"
