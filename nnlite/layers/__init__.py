"""Layers, one family a file."""

from .activation import (
    Abs,
    Clamp,
    HardTanh,
    LogSigmoid,
    LogSoftMax,
    ReLU,
    Sigmoid,
    SoftMax,
    SpatialLogSoftMax,
    Sqrt,
    Square,
    Tanh,
)
from .arithmetic import Add, AddConstant, CMul, Mul, MulConstant
from .convolution import SpatialConvolution, SpatialConvolutionNoBias, SpatialFullConvolution
from .dropout import Dropout, SpatialDropout
from .linear import Linear, LinearNoBias
from .local_normalization import (
    SpatialContrastiveNormalization,
    SpatialDivisiveNormalization,
    SpatialSubtractiveNormalization,
)
from .normalization import BatchNormalization, SpatialBatchNormalization, SpatialCrossMapLRN
from .pooling import SpatialAveragePooling, SpatialMaxPooling, SpatialMaxUnpooling, SpatialUpSamplingNearest
from .shape import Reshape, SpatialZeroPadding, Transpose, View

__all__ = [
    "Abs",
    "Add",
    "AddConstant",
    "BatchNormalization",
    "CMul",
    "Clamp",
    "Dropout",
    "HardTanh",
    "Linear",
    "LinearNoBias",
    "LogSigmoid",
    "LogSoftMax",
    "Mul",
    "MulConstant",
    "ReLU",
    "Reshape",
    "Sigmoid",
    "SoftMax",
    "SpatialAveragePooling",
    "SpatialBatchNormalization",
    "SpatialContrastiveNormalization",
    "SpatialConvolution",
    "SpatialConvolutionNoBias",
    "SpatialCrossMapLRN",
    "SpatialDivisiveNormalization",
    "SpatialDropout",
    "SpatialFullConvolution",
    "SpatialLogSoftMax",
    "SpatialMaxPooling",
    "SpatialMaxUnpooling",
    "SpatialSubtractiveNormalization",
    "SpatialUpSamplingNearest",
    "SpatialZeroPadding",
    "Sqrt",
    "Square",
    "Tanh",
    "Transpose",
    "View",
]
