"""Cases of `nnlite/layers/activation.py`."""

import numpy as np

import nnlite as nn

from .inputs import module, noise, spread


def cases():
    """Return (label, function) pairs."""
    return [
        module("Tanh", nn.Tanh, noise(2, 3, 4)),
        module("Sigmoid", nn.Sigmoid, noise(2, 3, 4)),
        module("LogSigmoid", nn.LogSigmoid, 3 * noise(2, 3, 4)),
        module("ReLU", nn.ReLU, spread(2, 3, 4)),
        module("HardTanh", nn.HardTanh, spread(7, 8)),
        module("Clamp", lambda: nn.Clamp(-0.5, 0.25), spread(7, 8)),
        module("Abs", nn.Abs, spread(2, 3, 4)),
        module("Square", nn.Square, noise(2, 3, 4)),
        module("Sqrt", nn.Sqrt, np.abs(spread(2, 3, 4)) + 0.1),
        module("SoftMax vectors", nn.SoftMax, noise(3, 5)),
        module("SoftMax images", nn.SoftMax, noise(2, 3, 2, 2)),
        module("LogSoftMax single vector", nn.LogSoftMax, noise(5)),
        module("LogSoftMax vectors", nn.LogSoftMax, noise(3, 5)),
        module("SpatialLogSoftMax", nn.SpatialLogSoftMax, noise(2, 3, 2, 2)),
        module("SpatialLogSoftMax single image", nn.SpatialLogSoftMax, noise(3, 2, 2)),
    ]
