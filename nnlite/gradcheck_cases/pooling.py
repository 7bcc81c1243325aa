"""Cases of `nnlite/layers/pooling.py`."""

import nnlite as nn

from .inputs import module, noise, spread


def cases():
    """Return (label, function) pairs."""
    return [
        module("SpatialMaxPooling", lambda: nn.SpatialMaxPooling(2, 2), spread(2, 2, 4, 6)),
        module(
            "SpatialMaxPooling single image, ceil", lambda: nn.SpatialMaxPooling(2, 3).ceil(), spread(2, 5, 7)
        ),
        module(
            "SpatialMaxPooling overlapping, padded",
            lambda: nn.SpatialMaxPooling(3, 4, 2, 1, 1, 2),
            spread(2, 2, 6, 5),
        ),
        module("SpatialMaxUnpooling", unpooling, noise(2, 2, 3, 2)),
        module("SpatialAveragePooling", lambda: nn.SpatialAveragePooling(3, 2), noise(2, 2, 4, 5)),
        module("SpatialAveragePooling that sums", _sum, noise(2, 2, 4, 5)),
        module(
            "SpatialAveragePooling ceil, padding not counted",
            lambda: nn.SpatialAveragePooling(3, 3, 2, 2, 1, 1).ceil().set_count_exclude_pad(),
            noise(2, 6, 5),
        ),
        module("SpatialUpSamplingNearest", lambda: nn.SpatialUpSamplingNearest(2), noise(2, 2, 3, 4)),
        module(
            "SpatialUpSamplingNearest single image", lambda: nn.SpatialUpSamplingNearest(3), noise(2, 2, 3)
        ),
    ]


def unpooling():
    """Return an unpooling module whose pooling module has run on maps of odd size."""
    pooling = nn.SpatialMaxPooling(2, 2).ceil().double()
    pooling.forward(spread(2, 2, 5, 3))
    return nn.SpatialMaxUnpooling(pooling)


def _sum():
    pooling = nn.SpatialAveragePooling(3, 2)
    pooling.divide = False
    return pooling
