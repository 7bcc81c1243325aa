"""Weighted sums over neighbours: correlation with one small kernel, windows over channels."""

import numpy as np

from ..backend import get_array_module


def correlate(x, kernel):
    """Correlate every feature map with one small kernel, zeros outside, to an output of the input's size.

    x: (..., H, W). kernel: (kh, kw) in host memory, both odd.

        y[i, j] = Σ_{a, b} kernel[a, b] · x[i + a - (kh-1)/2, j + b - (kw-1)/2]
    """
    xp = get_array_module(x)
    (kh, kw), (height, width) = kernel.shape, x.shape[-2:]
    padded = xp.zeros((*x.shape[:-2], height + kh - 1, width + kw - 1), x.dtype)
    padded[..., kh // 2 : kh // 2 + height, kw // 2 : kw // 2 + width] = x
    y = xp.zeros_like(x)
    for (a, b), weight in np.ndenumerate(kernel):
        # A Python float leaves float32 arrays float32.
        y += float(weight) * padded[..., a : a + height, b : b + width]
    return y


def correlate_backward(grad, kernel):
    """Return d loss / d x of `correlate`: the correlation with the kernel rotated by 180°."""
    return correlate(grad, kernel[::-1, ::-1])


def local_average(x, kernels):
    """Sum over the channels and correlate with each kernel in turn.

    x: (..., C, H, W), result (..., 1, H, W). If the sums of the kernels multiply to 1/C, that is the weighted
    average of the neighbourhood, except at the border, where the zeros outside count too.
    """
    y = x.sum(-3, keepdims=True)
    for kernel in kernels:
        y = correlate(y, kernel)
    return y


def local_average_backward(grad, kernels):
    """Return d loss / d x of `local_average`, the same for every channel: shape (..., 1, H, W)."""
    for kernel in reversed(kernels):
        grad = correlate_backward(grad, kernel)
    return grad


def channel_window_sum(x, size):
    """Sum over `size` (odd) neighbouring channels, the channel itself in the centre.

    x: (..., C, H, W), result the same. The sum is its own transpose, so it serves as its backward pass too.
    """
    y = x.copy()
    for distance in range(1, size // 2 + 1):
        y[..., distance:, :, :] += x[..., :-distance, :, :]
        y[..., :-distance, :, :] += x[..., distance:, :, :]
    return y
