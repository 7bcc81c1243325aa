"""Cases of `nnlite/tables.py`."""

import nnlite as nn

from .inputs import module, noise


def cases():
    """Return (label, function) pairs."""
    a, b, c = (noise(2, 3, 4, seed=i) for i in range(3))
    nested = [[noise(2, 3), noise(3)], [[noise(4)]], noise(2, 2)]
    return [
        module("JoinTable", lambda: nn.JoinTable(0), [a, noise(1, 3, 4)]),
        module("JoinTable of batches", lambda: nn.JoinTable(0, 2), [a, noise(2, 2, 4)]),
        module("JoinTable from the end", lambda: nn.JoinTable(-1, 2), [a, noise(2, 3, 1)]),
        module("SplitTable", lambda: nn.SplitTable(1), a),
        module("SplitTable of batches", lambda: nn.SplitTable(1, 2), a),
        module("SplitTable from the end", lambda: nn.SplitTable(-1, 2), a),
        module("SelectTable", lambda: nn.SelectTable(1), [a, noise(2), c]),
        module("SelectTable of a table", lambda: nn.SelectTable(-3), nested),
        module("NarrowTable", lambda: nn.NarrowTable(1, 2), [a, noise(2), b, c]),
        module("FlattenTable", nn.FlattenTable, nested),
        module("CAddTable", nn.CAddTable, [a, b, c]),
        module("CSubTable", nn.CSubTable, [a, b]),
        module("CMulTable", nn.CMulTable, [a, b, c]),
        module("CDivTable", nn.CDivTable, [a, 1 + b * b]),
    ]
