"""Cases of `nnlite/containers.py`."""

import nnlite as nn

from .inputs import module, noise


def cases():
    """Return (label, function) pairs."""
    return [
        module("Sequential", lambda: nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2)), noise(2, 4)),
        module("Concat", lambda: nn.Concat(1, nn.Linear(4, 3), nn.Linear(4, 2)), noise(2, 4)),
        module("Concat last dimension", lambda: nn.Concat(-1, nn.Linear(4, 3), nn.Identity()), noise(4)),
        module("ConcatTable", lambda: nn.ConcatTable(nn.Linear(4, 3), nn.Linear(4, 2)), noise(2, 4)),
        module("ConcatTable of a table", _fork, [noise(2, 4), noise(3, seed=2)]),
        module("ParallelTable", _pair, [noise(2, 4), noise(3, seed=2)]),
        module("Bottle", lambda: nn.Bottle(nn.Linear(4, 3)), noise(2, 3, 4)),
        module("Bottle drops a dimension", _drop, noise(3, 2, 2, 5)),
        module("Identity", nn.Identity, noise(2, 3)),
        module("Identity of a table", nn.Identity, [noise(2, 3), [noise(2, seed=2)]]),
    ]


def _pair():
    return nn.ParallelTable(nn.Linear(4, 3), nn.Linear(3, 2))


def _fork():
    return nn.ConcatTable(_pair(), nn.SelectTable(0), nn.Identity())


def _drop():
    return nn.Bottle(nn.Sequential(nn.SplitTable(-1), nn.SelectTable(0)), 3, 2)
