"""Cases of `nnlite/layers/pairs.py`, `normalize.py` and `nnlite/table_mixing.py`, `table_order.py`."""

import math

import nnlite as nn

from .inputs import module, noise, spread


def cases():
    """Return (label, function) pairs."""
    a, b = noise(3, 4), noise(3, 4, seed=2)
    return [
        module("MM", nn.MM, [noise(2, 3), noise(3, 4, seed=2)]),
        module(
            "MM batch, both transposed", lambda: nn.MM(True, True), [noise(2, 3, 4), noise(2, 5, 3, seed=2)]
        ),
        module("MM first transposed", lambda: nn.MM(True), [noise(3, 2), noise(3, 4, seed=2)]),
        module("MV", nn.MV, [noise(2, 3), noise(3, seed=2)]),
        module("MV batch, transposed", lambda: nn.MV(True), [noise(2, 3, 4), noise(2, 3, seed=2)]),
        module("DotProduct", nn.DotProduct, [a, b]),
        module("DotProduct single vectors", nn.DotProduct, [a[0], b[0]]),
        module("CosineDistance", nn.CosineDistance, [a, b]),
        module("CosineDistance single vectors", nn.CosineDistance, [a[0], b[0]]),
        # Torch7 adds 1e-6 to the distance that it divides by: large distances make it small beside.
        module("PairwiseDistance", nn.PairwiseDistance, [1e3 * a, 1e3 * b]),
        module("PairwiseDistance p = 3", lambda: nn.PairwiseDistance(3), [1e3 * a, 1e3 * b]),
        module("PairwiseDistance p = 1.5", lambda: nn.PairwiseDistance(1.5), [1e3 * a, 1e3 * b]),
        module("PairwiseDistance p = 1, single vectors", lambda: nn.PairwiseDistance(1), [a[0], b[0]]),
        module("Normalize", lambda: nn.Normalize(2), a),
        module("Normalize p = 3, single vector", lambda: nn.Normalize(3), a[0]),
        module("Normalize p = 1", lambda: nn.Normalize(1), a),
        module("Normalize p = inf", lambda: nn.Normalize(math.inf), spread(3, 4)),
        module("CMaxTable", nn.CMaxTable, [a, b, noise(3, 4, seed=3)]),
        module("CMinTable", nn.CMinTable, [a, b, noise(3, 4, seed=3)]),
        module("MixtureTable", nn.MixtureTable, [noise(3, 2), [a, b]]),
        module("MixtureTable single", nn.MixtureTable, [noise(2), [a[0], b[0]]]),
        module("MixtureTable of an array", lambda: nn.MixtureTable(2), [noise(2, 4), noise(2, 3, 4, 5)]),
        module("ReverseTable", nn.ReverseTable, [a, b, noise(2)]),
        module("ZipTable", nn.ZipTable, [[a, b], [noise(2), noise(5)]]),
    ]
