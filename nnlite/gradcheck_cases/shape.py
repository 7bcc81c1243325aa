"""Cases of `nnlite/layers/shape.py`."""

import nnlite as nn

from .inputs import module, noise


def cases():
    """Return (label, function) pairs."""
    return [
        module("Reshape single", lambda: nn.Reshape(6), noise(2, 3)),
        module("Reshape batch", lambda: nn.Reshape(6), noise(2, 2, 3)),
        module("View rest", lambda: nn.View(3, -1), noise(2, 3, 2)),
        module("View batch", lambda: nn.View(-1).set_num_input_dims(2), noise(2, 3, 2)),
        module("Transpose", lambda: nn.Transpose((0, 2), (0, 1)), noise(2, 3, 4)),
        module("SpatialZeroPadding", lambda: nn.SpatialZeroPadding(1, 2, 0, 3), noise(2, 2, 3, 2)),
        module("SpatialZeroPadding crop", lambda: nn.SpatialZeroPadding(-1, 1, -1, 0), noise(2, 3, 4)),
    ]
