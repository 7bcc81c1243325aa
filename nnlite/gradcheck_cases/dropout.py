"""Cases of `nnlite/layers/dropout.py`; every forward pass of the check draws the same mask."""

import nnlite as nn

from .inputs import module, noise


def cases():
    """Return (label, function) pairs."""
    return [
        module("Dropout", lambda: nn.Dropout(0.4), noise(4, 5)),
        module("Dropout p = 0", lambda: nn.Dropout(0.0), noise(4, 5)),
        module("Dropout of the first version", lambda: nn.Dropout(0.4, v1=True), noise(4, 5)),
        module("Dropout of the first version, evaluating", _evaluating, noise(4, 5)),
        module("SpatialDropout", lambda: nn.SpatialDropout(0.4), noise(2, 4, 2, 2)),
        module("WhiteNoise", lambda: nn.WhiteNoise(0.5, 2), noise(4, 5)),
        module("SpatialDropout single image", lambda: nn.SpatialDropout(0.4), noise(4, 2, 2)),
    ]


def _evaluating():
    drop = nn.Dropout(0.4, v1=True)
    drop.evaluate()
    return drop
