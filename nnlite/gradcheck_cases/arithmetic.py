"""Cases of `nnlite/layers/arithmetic.py`."""

import nnlite as nn

from .inputs import module, noise


def cases():
    """Return (label, function) pairs."""
    return [
        module("Mul", nn.Mul, noise(2, 3)),
        module("CMul single", lambda: nn.CMul(3, 2), noise(3, 2)),
        module("CMul batch", lambda: nn.CMul(3, 2), noise(4, 3, 2)),
        module("CMul channels", lambda: nn.CMul(1, 3, 1, 1), noise(2, 3, 2, 2)),
        module("CAdd single", lambda: nn.CAdd(3, 2), noise(3, 2)),
        module("CAdd batch", lambda: nn.CAdd(3, 2), noise(4, 3, 2)),
        module("CAdd channels", lambda: nn.CAdd(1, 3, 1, 1), noise(2, 3, 2, 2)),
        module("Add single vector", lambda: nn.Add(4), noise(4)),
        module("Add batch", lambda: nn.Add(4), noise(3, 4)),
        module("Add scalar", lambda: nn.Add(4, scalar=True), noise(3, 4)),
        module("AddConstant", lambda: nn.AddConstant(0.3), noise(2, 3)),
        module("MulConstant", lambda: nn.MulConstant(0.3), noise(2, 3)),
    ]
