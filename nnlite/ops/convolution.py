"""Convolution, its gradients with respect to the input and the weight, and the choice of an algorithm.

As is conventional, "convolution" means cross-correlation: kernels are not flipped. Arrays are x
(N, n_in, H, W), weight (n_out, n_in, kh, kw) and y or its gradient g (N, n_out, H', W'); x is zero outside.

    y[n, o, p, q] = Σ_{c,i,j} weight[o, c, i, j] · x[n, c, p·dh + i - ph, q·dw + j - pw]

Pairs are height first: padding (ph, pw), stride (dh, dw), kernel (kh, kw). Three algorithms compute it:
"gemm" (`gemm`: matrix products, the reference) and, in the frequency domain and for stride 1, "rows"
(`spectral_rows`: along rows, best for few output channels) and "frames" (`spectral_frames`: in tiles). "auto"
takes, for each of the three operations, the one that `cost` estimates to be the fastest on the device,
"spectral" the faster of the last two.
"""

import numpy as np

from ..backend import get_array_module
from . import estimates, gemm, spectral_frames, spectral_rows

ALGORITHMS = ("auto", "gemm", "spectral", "rows", "frames")

_SPECTRAL = {"rows": spectral_rows, "frames": spectral_frames}


def conv2d(x, weight, padding=(0, 0), stride=(1, 1), algorithm="auto"):
    """Return y (N, n_out, H', W') with H' = ⌊(H + 2 ph - kh) / dh⌋ + 1, and W' likewise."""
    chosen = choose("forward", x.shape, weight.shape, padding, stride, algorithm, get_array_module(x))
    if chosen == "gemm":
        return gemm.conv2d(x, weight, padding, stride)
    return _SPECTRAL[chosen].conv2d(x, weight, padding)


def conv2d_grad_input(g, weight, size, padding=(0, 0), stride=(1, 1), algorithm="auto"):
    """Return the gradient of `conv2d` with respect to x, (N, n_in, H, W); g is that of its output.

    size: (H, W). With rows alone, grad[n, c, y] = Σ_{o,i} weight[o, c, i] · g[n, o, (y + ph - i) / dh], over
    all i for which dh divides y + ph - i; columns likewise.
    """
    shape = len(g), weight.shape[1], *size
    chosen = choose("grad_input", shape, weight.shape, padding, stride, algorithm, get_array_module(g))
    if chosen == "gemm":
        return gemm.conv2d_grad_input(g, weight, size, padding, stride)
    return _SPECTRAL[chosen].conv2d_grad_input(g, weight, size, padding)


def conv2d_grad_weight(x, g, kernel, padding=(0, 0), stride=(1, 1), algorithm="auto"):
    """Return the gradient of `conv2d` with respect to the weight, (n_out, n_in, kh, kw), summed over images.

    kernel: (kh, kw). grad[o, c, i, j] = Σ_{n,p,q} g[n, o, p, q] · x[n, c, p·dh + i - ph, q·dw + j - pw].
    """
    weight_shape = g.shape[1], x.shape[1], *kernel
    chosen = choose("grad_weight", x.shape, weight_shape, padding, stride, algorithm, get_array_module(x))
    if chosen == "gemm":
        return gemm.conv2d_grad_weight(x, g, kernel, padding, stride)
    return _SPECTRAL[chosen].conv2d_grad_weight(x, g, kernel, padding)


def output_size(size, kernel, padding, stride):
    """Return (H', W') of `conv2d`; a number below 1 means that the kernel does not fit."""
    return gemm.output_size(size, kernel, padding, stride)


def choose(operation, shape, weight_shape, padding, stride, algorithm="auto", xp=np):
    """Return "gemm", "rows" or "frames", which `algorithm` resolves to.

    operation: "forward", "grad_input" or "grad_weight". shape: that of x. xp: the library of the arrays. A
    stride other than 1 is always "gemm".
    """
    if algorithm not in ALGORITHMS:
        raise ValueError(f"algorithm must be one of {', '.join(ALGORITHMS)}, got {algorithm!r}")
    if tuple(stride) != (1, 1):
        return "gemm"
    if algorithm in ("gemm", "rows", "frames"):
        return algorithm
    on_device = estimates.on(xp)
    seconds = {
        "rows": on_device.rows_seconds(shape, weight_shape, padding),
        "frames": on_device.frames_seconds(shape, weight_shape, padding),
    }
    if algorithm == "auto":
        seconds["gemm"] = on_device.gemm_seconds(operation, shape, weight_shape, padding)
    return min(seconds, key=seconds.get)
