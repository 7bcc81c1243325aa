"""Cases of `nnlite/layers/dimensions.py`, `reduction.py` and `border.py`."""

import nnlite as nn

from .inputs import module, noise, spread


def cases():
    """Return (label, function) pairs."""
    x, apart = noise(2, 3, 4), spread(3, 4, 2)
    return [
        module("Sum", lambda: nn.Sum(1), x),
        module("Sum single vector", nn.Sum, noise(4)),
        module("Sum batch, mean, unsqueezed", lambda: nn.Sum(0, 2, True, False), x),
        module("Mean", lambda: nn.Mean(-1), x),
        module("Max", lambda: nn.Max(1), apart),
        module("Max single vector", nn.Max, spread(5)),
        module("Max batch", lambda: nn.Max(0, 2), apart),
        module("Min from the end", lambda: nn.Min(-1), apart),
        module("Replicate", lambda: nn.Replicate(3), x),
        module("Replicate batch", lambda: nn.Replicate(3, 1, 2), x),
        module("Squeeze", nn.Squeeze, noise(2, 1, 3, 1)),
        module("Squeeze batch of one", lambda: nn.Squeeze(None, 2), noise(1, 3, 1)),
        module("Unsqueeze", lambda: nn.Unsqueeze(1), x),
        module("Unsqueeze batch", lambda: nn.Unsqueeze(0, 2), x),
        module("Padding after", lambda: nn.Padding(1, 2, None, 0.5), x),
        module("Padding before, batch", lambda: nn.Padding(0, -2, 2), x),
        module("Padding inside", lambda: nn.Padding(2, 1, None, 0, 1), x),
        module("Narrow", lambda: nn.Narrow(1, 1, 2), x),
        module("Narrow from the end", lambda: nn.Narrow(-1, -3, -2), x),
        module(
            "SpatialReplicationPadding", lambda: nn.SpatialReplicationPadding(2, 1, 0, 3), noise(2, 2, 3, 4)
        ),
        module(
            "SpatialReplicationPadding cropped", lambda: nn.SpatialReplicationPadding(-1, 5), noise(2, 3, 4)
        ),
        module(
            "SpatialReflectionPadding", lambda: nn.SpatialReflectionPadding(2, 1, 0, 3), noise(2, 2, 4, 4)
        ),
        module(
            "SpatialReflectionPadding cropped", lambda: nn.SpatialReflectionPadding(-1, 2), noise(2, 3, 4)
        ),
        module("Select", lambda: nn.Select(1, -1), x),
        module("Select single vector", lambda: nn.Select(0, 1), noise(3)),
    ]
