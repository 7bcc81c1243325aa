"""Normalisation by the mean and the deviation of each pixel's neighbourhood (Jarrett et al. 2009)."""

import math
from typing import Any

import numpy as np

from .. import backend
from ..containers import Sequential
from ..module import Module
from ..ops.stencils import local_average, local_average_backward
from ..typing import Number


class SpatialSubtractiveNormalization(Module):
    """Subtract from each pixel the weighted mean of its neighbourhood in all channels.

    `kernel` holds the weights: (kh, kw), or (k,) for its outer product with itself, odd sizes; by default a
    box of 9 × 9. It is copied and scaled to the sum 1 / n_input_plane.

    Shapes: input (n_input_plane, H, W) or (N, n_input_plane, H, W), output the same.
    Forward: y = x - M(x) / c with M(x) = K ⋆ Σ_channels x, zeros outside; c = M(1) corrects the border.
    Backward: grad_input = g - Mᵀ(g / c).
    Errors: ValueError when the kernel is neither 1-D nor 2-D, or has an even size.
    Source: nn.SpatialSubtractiveNormalization. c is `coef`.

        >>> y = nn.SpatialSubtractiveNormalization(1).forward(np.ones((1, 12, 12), np.float32))
        >>> bool(abs(y).max() < 1e-6)
        True
    """

    state_names = ("output", "grad_input", "coef")

    def __init__(self, n_input_plane: int = 1, kernel: Any = None) -> None:
        super().__init__()
        self.n_input_plane = n_input_plane
        self.kernels = averaging_kernels(self.name, n_input_plane, kernel)
        self.coef = None

    def update_output(self, input):
        self.check_array(input, ndim=(3, 4), sizes={-3: self.n_input_plane})
        self.coef = local_average(self.xp.ones(input.shape[-3:], self.dtype), self.kernels)
        self.output = input - local_average(input, self.kernels) / self.coef
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        grad_mean = -grad_output.sum(-3, keepdims=True) / self.coef
        self.grad_input = grad_output + local_average_backward(grad_mean, self.kernels)
        return self.grad_input


class SpatialDivisiveNormalization(Module):
    """Divide each pixel by the weighted deviation (from zero) of its neighbourhood in all channels.

    `kernel` as in `SpatialSubtractiveNormalization`. A deviation of at most `threshold` counts as `thresval`.

    Shapes: input (n_input_plane, H, W) or (N, n_input_plane, H, W), output the same.
    Forward: σ = √M(x²) / c, d = σ where σ > threshold, else thresval, y = x / d; M and c as there.
    Backward: grad_input = g / d + 2 x ⊙ Mᵀ(h), h = -(Σ_channels g x) / d² · 1 / (2 σ c²) where
    σ > threshold, else 0.
    Errors: ValueError when the kernel is neither 1-D nor 2-D, or has an even size.
    Source: nn.SpatialDivisiveNormalization. d is `thresholdedstds`, c is `coef`.
    """

    state_names = ("output", "grad_input", "coef", "adjustedstds", "thresholdedstds")

    def __init__(
        self, n_input_plane: int = 1, kernel: Any = None, threshold: Number = 1e-4, thresval: Number = 1e-4
    ) -> None:
        super().__init__()
        self.n_input_plane, self.threshold, self.thresval = n_input_plane, threshold, thresval
        self.kernels = averaging_kernels(self.name, n_input_plane, kernel)
        self.coef = self.adjustedstds = self.thresholdedstds = None

    def update_output(self, input):
        self.check_array(input, ndim=(3, 4), sizes={-3: self.n_input_plane})
        xp = self.xp
        self.coef = local_average(xp.ones(input.shape[-3:], self.dtype), self.kernels)
        self.adjustedstds = xp.sqrt(local_average(input * input, self.kernels)) / self.coef
        above = self.adjustedstds > self.threshold
        self.thresholdedstds = xp.where(above, self.adjustedstds, self.thresval)
        self.output = input / self.thresholdedstds
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        std, divisor = self.adjustedstds, self.thresholdedstds
        grad_std = -(grad_output * input).sum(-3, keepdims=True) / (divisor * divisor)
        above = std > self.threshold
        # Where a deviation is not above the threshold it may be zero, and 1 takes its place.
        grad_square = grad_std * above / (2 * self.xp.where(above, std, 1) * self.coef * self.coef)
        grad_square = local_average_backward(grad_square, self.kernels)
        self.grad_input = grad_output / divisor + 2 * input * grad_square
        return self.grad_input


class SpatialContrastiveNormalization(Sequential):
    """`SpatialSubtractiveNormalization`, then `SpatialDivisiveNormalization` with the same kernel.

    Shapes, Forward, Backward, Errors: those of the two.
    Source: nn.SpatialContrastiveNormalization.
    """

    def __init__(
        self, n_input_plane: int = 1, kernel: Any = None, threshold: Number = 1e-4, thresval: Number = 1e-4
    ) -> None:
        super().__init__(
            SpatialSubtractiveNormalization(n_input_plane, kernel),
            SpatialDivisiveNormalization(n_input_plane, kernel, threshold, thresval),
        )


def averaging_kernels(name, n_input_plane, kernel):
    """Return the 2-D float64 kernels to apply in turn for a mean over `n_input_plane` channels.

    They stay in host memory and float64: only their numbers are used, whatever the module's dtype and device.
    """
    kernel = np.ones((9, 9)) if kernel is None else np.array(backend.as_numpy(kernel), np.float64)
    if kernel.ndim not in (1, 2) or any(size % 2 == 0 for size in kernel.shape):
        raise ValueError(f"{name}: kernel must be 1-D or 2-D with odd sizes, got shape {kernel.shape}")
    if kernel.ndim == 2:
        return [kernel / (kernel.sum() * n_input_plane)]
    kernel = kernel / (kernel.sum() * math.sqrt(n_input_plane))
    return [kernel[None, :], kernel[:, None]]
