"""Cases of `nnlite/layers/convolution.py`."""

import nnlite as nn

from .inputs import module, noise


def cases():
    """Return (label, function) pairs."""
    return [
        module("SpatialConvolution", lambda: nn.SpatialConvolution(2, 3, 3, 3, 1, 1, 1), noise(2, 2, 5, 4)),
        module("SpatialConvolution single image", lambda: nn.SpatialConvolution(2, 3, 2, 3), noise(2, 5, 4)),
        module(
            "SpatialConvolution 3x4 by 2x3 padded 2x1",
            lambda: nn.SpatialConvolution(2, 2, 3, 4, 2, 3, 2, 1),
            noise(2, 2, 7, 6),
        ),
        module(
            "SpatialConvolution step beyond kernel",
            lambda: nn.SpatialConvolution(2, 2, 2, 1, 3, 2),
            noise(2, 5, 9),
        ),
        module(
            "SpatialConvolution spectral",
            lambda: nn.SpatialConvolution(2, 3, 3, 4, 1, 1, 2, 1, algorithm="spectral"),
            noise(2, 2, 6, 5),
        ),
        module(
            "SpatialConvolutionNoBias", lambda: nn.SpatialConvolutionNoBias(2, 3, 3, 3), noise(2, 2, 5, 4)
        ),
        module(
            "SpatialDilatedConvolution 3x2 by 1x2 padded 2x1 dilated 2x3",
            lambda: nn.SpatialDilatedConvolution(2, 3, 3, 2, 1, 2, 2, 1, 2, 3),
            noise(2, 2, 7, 6),
        ),
        module(
            "SpatialDilatedConvolution single image",
            lambda: nn.SpatialDilatedConvolution(2, 2, 2, 2, dilationw=3, dilationh=2),
            noise(2, 6, 5),
        ),
        module("SpatialFullConvolution", lambda: nn.SpatialFullConvolution(2, 3, 3, 3), noise(2, 2, 3, 4)),
        module(
            "SpatialFullConvolution 3x4 by 2x3 padded 1x2 adjusted 1x2",
            lambda: nn.SpatialFullConvolution(2, 2, 3, 4, 2, 3, 1, 2, 1, 2),
            noise(2, 3, 2),
        ),
    ]
