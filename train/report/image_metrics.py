"""Errors of predicted frames as OpenSTL defines them (Tan et al. 2023, arXiv:2306.11249; core/metrics.py).

All are of values in [0, 1] and of one frame; what is reported there is the mean over all frames of all
sequences.
"""

import numpy as np
from scipy.ndimage import uniform_filter

#: Side of the windows of SSIM, its two constants, and the range of values that it takes for granted. OpenSTL
#: leaves that to scikit-image, whose earlier versions took it to be 2 for floating-point values, -1 to 1.
WINDOW, K1, K2, RANGE = 7, 0.01, 0.03, 2.0


def squared_error(prediction, truth):
    """Return the squared error summed over a frame, (N,), of frames (N, C, H, W)."""
    return (_difference(prediction, truth) ** 2).sum(axis=(1, 2, 3), dtype=np.float64)


def absolute_error(prediction, truth):
    """Return the absolute error summed over a frame, (N,), of frames (N, C, H, W)."""
    return abs(_difference(prediction, truth)).sum(axis=(1, 2, 3), dtype=np.float64)


def _difference(prediction, truth):
    """Return prediction - truth as floats: bytes would be subtracted modulo 256."""
    return np.subtract(prediction, truth, dtype=np.result_type(prediction, truth, np.float32))


def signal_to_noise(prediction, truth):
    """Return -10 lg of the mean squared error of each frame, (N,) in dB; infinite where there is none."""
    pixels = prediction[0].size
    with np.errstate(divide="ignore"):
        return -10 * np.log10(squared_error(prediction, truth) / pixels)


def structural_similarity(prediction, truth, data_range=RANGE):
    """Return the mean structural similarity of each frame, (N,), of frames (N, C, H, W) of at least 7 x 7.

    Wang et al. 2004 as scikit-image computes it by default: uniform windows of 7 x 7 that lie in the frame,
    variances divided by 48; the mean over the channels. data_range: of the values, 1 for those from 0 to 1.
    ValueError for smaller frames.
    """
    if min(truth.shape[-2:]) < WINDOW:
        size = " x ".join(map(str, truth.shape[-2:]))
        raise ValueError(f"SSIM is of frames of at least {WINDOW} x {WINDOW} pixels, got {size}")
    a, b = (frames.astype(np.float64) for frames in (prediction, truth))

    def mean(values):
        return uniform_filter(values, size=(1, 1, WINDOW, WINDOW))

    mean_a, mean_b = mean(a), mean(b)
    unbiased = WINDOW**2 / (WINDOW**2 - 1)
    var_a, var_b, cov = (
        unbiased * (mean(x * y) - mean_x * mean_y)
        for x, y, mean_x, mean_y in ((a, a, mean_a, mean_a), (b, b, mean_b, mean_b), (a, b, mean_a, mean_b))
    )
    c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2
    similarity = ((2 * mean_a * mean_b + c1) * (2 * cov + c2)) / (
        (mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)
    )
    pad = WINDOW // 2
    return similarity[..., pad:-pad, pad:-pad].mean(axis=(1, 2, 3))


METRICS = {
    "mse": squared_error,
    "mae": absolute_error,
    "ssim": structural_similarity,
    "psnr": signal_to_noise,
}
