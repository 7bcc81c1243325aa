"""Cases of `nnlite/layers/normalization.py` and `local_normalization.py`."""

import numpy as np

import nnlite as nn

from .inputs import module, noise

KERNEL = np.abs(noise(3, 5, seed=2)) + 0.1


def cases():
    """Return (label, function) pairs."""
    return [
        module("BatchNormalization", lambda: nn.BatchNormalization(3), noise(5, 3)),
        module("BatchNormalization plain", lambda: nn.BatchNormalization(3, affine=False), noise(5, 3)),
        module("BatchNormalization single", lambda: _evaluating(nn.BatchNormalization(3)), noise(3)),
        module("SpatialBatchNormalization", lambda: nn.SpatialBatchNormalization(2), noise(3, 2, 2, 3)),
        module(
            "SpatialBatchNormalization evaluating",
            lambda: _evaluating(nn.SpatialBatchNormalization(2)),
            noise(3, 2, 2, 3),
        ),
        module("SpatialCrossMapLRN", lambda: nn.SpatialCrossMapLRN(3, 0.7, 0.6, 2), noise(2, 5, 2, 2)),
        module("SpatialCrossMapLRN few channels", lambda: nn.SpatialCrossMapLRN(7, 0.7), noise(2, 2, 2)),
        module(
            "SpatialSubtractiveNormalization",
            lambda: nn.SpatialSubtractiveNormalization(2, KERNEL),
            noise(2, 2, 4, 5),
        ),
        module(
            "SpatialSubtractiveNormalization 1-D kernel",
            lambda: nn.SpatialSubtractiveNormalization(2, KERNEL[0]),
            noise(2, 4, 5),
        ),
        module(
            "SpatialDivisiveNormalization",
            lambda: nn.SpatialDivisiveNormalization(2, KERNEL),
            noise(2, 2, 4, 5),
        ),
        module(
            "SpatialDivisiveNormalization threshold",
            lambda: nn.SpatialDivisiveNormalization(2, KERNEL, 1.0, 0.8),
            noise(2, 2, 4, 5),
        ),
        module(
            "SpatialContrastiveNormalization",
            lambda: nn.SpatialContrastiveNormalization(2, KERNEL),
            noise(2, 2, 4, 5),
        ),
    ]


def _evaluating(layer):
    """Return a batch normalisation in evaluation mode whose running statistics are not 0 and 1."""
    layer.running_mean += 0.5
    layer.running_var *= 2
    layer.evaluate()
    return layer
