"""Cases of `nnlite/graph.py`."""

import nnlite as nn

from .inputs import module, noise


def cases():
    """Return (label, function) pairs."""
    return [
        module("gModule", _residual, noise(2, 4)),
        module("gModule of tables", _gate, [noise(2, 6), noise(2, 3, seed=2)]),
    ]


def _residual():
    """Return a graph in which the input and an inner node are read twice."""
    x = nn.Node()
    hidden = nn.Node(nn.Tanh(), nn.Node(nn.Linear(4, 4), x))
    return nn.gModule([x], [nn.Node(nn.CAddTable(), nn.Node(nn.Linear(4, 4), hidden), hidden, x)])


def _gate():
    """Return a step of a memory: a table is split, and what it computes is read on and given out."""
    x, c = nn.Node(), nn.Node()
    sums = nn.Node(nn.SplitTable(1), nn.Node(nn.Reshape(2, 3, batch_mode=True), nn.Node(nn.Linear(6, 6), x)))
    i, f = sums.split(2)
    kept = nn.Node(nn.CMulTable(), nn.Node(nn.Sigmoid(), f), c)
    cell = nn.Node(nn.CAddTable(), kept, nn.Node(nn.Tanh(), i))
    return nn.gModule([x, c], [nn.Node(nn.Tanh(), cell), cell])
