"""Cases of `nnlite/layers/functions.py`, `shrinkage.py` and `passage.py`."""

import numpy as np

import nnlite as nn

from .inputs import module, noise, spread


def cases():
    """Return (label, function) pairs."""
    x, apart = noise(2, 3, 4), spread(5, 6)
    return [
        module("Exp", nn.Exp, x),
        module("Log", nn.Log, np.abs(x) + 0.1),
        module("Power", lambda: nn.Power(2.5), np.abs(x) + 0.1),
        module("SoftPlus", lambda: nn.SoftPlus(1.5), 3 * x),
        module("SoftSign", nn.SoftSign, apart),
        module("SoftMin vectors", nn.SoftMin, noise(3, 5)),
        module("SoftMin images", nn.SoftMin, noise(2, 3, 2, 2)),
        module("SpatialSoftMax", nn.SpatialSoftMax, noise(2, 3, 2, 2)),
        module("GatedLinearUnit", nn.GatedLinearUnit, x),
        module("GatedLinearUnit channels", lambda: nn.GatedLinearUnit(1), noise(2, 4, 3)),
        module("HardShrink", lambda: nn.HardShrink(0.35), apart),
        module("SoftShrink", lambda: nn.SoftShrink(0.35), apart),
        module("TanhShrink", nn.TanhShrink, x),
        # λ = -1 is the only reversal that is the derivative of what runs forward.
        module("GradientReversal by -1", lambda: nn.GradientReversal(-1), x),
        module("ZeroGrad beside twice the gradient", _two_ways, x),
        module("L1Penalty", lambda: nn.L1Penalty(0.3), apart),
        module("L1Penalty mean", lambda: nn.L1Penalty(0.3, True), apart),
        module("Copy", nn.Copy, x),
        module("Contiguous", nn.Contiguous, x.swapaxes(0, 2)),
    ]


def _two_ways():
    """y = x + x, whose gradient comes back through one of the two ways alone, doubled."""
    return nn.Sequential(nn.ConcatTable(nn.ZeroGrad(), nn.GradientReversal(-2)), nn.CAddTable())
