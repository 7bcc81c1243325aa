"""Cases of `nnlite/containers.py`."""

import nnlite as nn

from .inputs import module, noise


def cases():
    """Return (label, function) pairs."""
    return [
        module("Sequential", lambda: nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2)), noise(2, 4)),
    ]
