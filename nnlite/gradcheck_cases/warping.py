"""Cases of `nnlite/warping`."""

import numpy as np

import nnlite as nn

from .inputs import module, noise


def positions(height, width, *shape, outside=0, seed=1):
    """Return grids of `shape` + (2,) that stay 0.2 pixels away from whole pixels of a height x width image.

    They reach `outside` pixels beyond the image on every side.
    """
    rng = np.random.default_rng(seed)
    axes = []
    for size in (height, width):
        pixel = rng.integers(-outside, size - 1 + outside, shape) + rng.uniform(0.2, 0.8, shape)
        axes.append(pixel / (size - 1) * 2 - 1)
    return np.stack(axes, axis=-1)


def cases():
    """Return (label, function) pairs."""
    # Some maps with differences of about 1, some of about 0.03: both sides of the threshold 0.1.
    flow = noise(2, 2, 5, 6) * np.array([[1.0, 0.03], [0.03, 1.0]])[..., None, None]
    return [
        module("SmoothHuberPenalty", lambda: nn.SmoothHuberPenalty(0.5, 0.1), flow),
        module("SmoothHuberPenalty mean", lambda: nn.SmoothHuberPenalty(5, 0.1, size_average=True), flow),
        module("SmoothHuberPenalty isotropic", lambda: nn.SmoothHuberPenalty(5, 0.1, "isotropic"), flow),
        module(
            "SmoothHuberPenalty isotropic single", lambda: nn.SmoothHuberPenalty(5, 1, "isotropic"), flow[0]
        ),
        module("SmoothHuberPenalty published", lambda: nn.SmoothHuberPenalty(form="published"), flow),
        module("AffineGridGeneratorOpticalFlow2D", lambda: nn.AffineGridGeneratorOpticalFlow2D(5, 6), flow),
        module("BilinearSamplerBHWD", nn.BilinearSamplerBHWD, [noise(2, 5, 6, 3), positions(5, 6, 2, 4, 3)]),
        module(
            "BilinearSamplerBHWD outside",
            nn.BilinearSamplerBHWD,
            [noise(2, 5, 6, 3), positions(5, 6, 2, 4, 7, outside=2)],
        ),
        module("BilinearSamplerBHWD single", nn.BilinearSamplerBHWD, [noise(5, 6, 3), positions(5, 6, 4, 3)]),
    ]
