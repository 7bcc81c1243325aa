"""Cases of `nnlite/layers/lookup.py` and `temporal.py`."""

import numpy as np

import nnlite as nn

from .inputs import module, noise, spread


def cases():
    """Return (label, function) pairs."""
    words = np.array([[0, 3, 3], [1, 4, 0]])
    return [
        module("LookupTable", lambda: nn.LookupTable(5, 3), words),
        module("LookupTable single", lambda: nn.LookupTable(5, 3), words[0]),
        module("LookupTableMaskZero", lambda: nn.LookupTableMaskZero(5, 3), words),
        module("Index", lambda: nn.Index(1), [noise(2, 3, 4), np.array([2, 0, 2, 2])]),
        module("TemporalConvolution", lambda: nn.TemporalConvolution(3, 2, 2), noise(2, 5, 3)),
        module("TemporalConvolution single, by 2", lambda: nn.TemporalConvolution(3, 2, 3, 2), noise(8, 3)),
        module(
            "TemporalConvolution step beyond kernel", lambda: nn.TemporalConvolution(2, 3, 1, 3), noise(8, 2)
        ),
        module("TemporalMaxPooling", lambda: nn.TemporalMaxPooling(2), spread(2, 5, 3)),
        module("TemporalMaxPooling overlapping", lambda: nn.TemporalMaxPooling(3, 1), spread(6, 2)),
    ]
