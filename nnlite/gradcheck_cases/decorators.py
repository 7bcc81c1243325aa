"""Cases of `nnlite/decorators.py`."""

import nnlite as nn

from .inputs import module, noise


def cases():
    """Return (label, function) pairs."""
    x = noise(3, 4)
    return [
        module("Decorator", lambda: nn.Decorator(nn.Linear(4, 2)), x),
        module("Serial", lambda: nn.Serial(nn.Linear(4, 2)), x),
        module("DontCast", lambda: nn.DontCast(nn.Linear(4, 2)), x),
        module("NaN", lambda: nn.NaN(nn.Linear(4, 2), 1), x),
        module("MaskZero", lambda: nn.MaskZero(nn.Linear(4, 2), 1), x),
        module("MaskZero single vector", lambda: nn.MaskZero(nn.Linear(4, 2), 1), x[0]),
    ]
