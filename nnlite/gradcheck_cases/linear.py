"""Cases of `nnlite/layers/linear.py`."""

import nnlite as nn

from .inputs import module, noise


def cases():
    """Return (label, function) pairs."""
    return [
        module("Linear", lambda: nn.Linear(4, 3), noise(2, 4)),
        module("Linear single vector", lambda: nn.Linear(4, 3), noise(4)),
        module("LinearNoBias", lambda: nn.LinearNoBias(4, 3), noise(2, 4)),
    ]
