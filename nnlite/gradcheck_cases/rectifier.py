"""Cases of `nnlite/layers/rectifier.py`."""

import nnlite as nn

from .inputs import module, spread


def cases():
    """Return (label, function) pairs."""
    x = spread(2, 3, 4, 5)
    return [
        module("Threshold", lambda: nn.Threshold(0.3, -0.2), x),
        module("ReLU6", nn.ReLU6, 3 + spread(5, 6, gap=0.5)),
        module("LeakyReLU", lambda: nn.LeakyReLU(0.2), x),
        module("PReLU", nn.PReLU, x),
        module("PReLU channels", lambda: nn.PReLU(3), x),
        module("PReLU single vector", lambda: nn.PReLU(5), spread(5)),
        module("RReLU", nn.RReLU, x),
        module("RReLU evaluating", _evaluating_rrelu, x),
        module("ELU", lambda: nn.ELU(1.3), x),
        module("CReLU", lambda: nn.CReLU(3), x),
        module("CReLU single image", lambda: nn.CReLU(3), x[0]),
    ]


def _evaluating_rrelu():
    layer = nn.RReLU(0.1, 0.5)
    layer.evaluate()
    return layer
