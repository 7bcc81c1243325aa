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
    SpatialSoftMax,
    Sqrt,
    Square,
    Tanh,
)
from .arithmetic import Add, AddConstant, CAdd, CMul, Mul, MulConstant
from .border import SpatialReflectionPadding, SpatialReplicationPadding
from .convolution import (
    SpatialConvolution,
    SpatialConvolutionNoBias,
    SpatialDilatedConvolution,
    SpatialFullConvolution,
)
from .dimensions import Narrow, Padding, Replicate, Select, Squeeze, Unsqueeze
from .dropout import Dropout, SpatialDropout, WhiteNoise
from .functions import Exp, GatedLinearUnit, Log, Power, SoftMin, SoftPlus, SoftSign
from .linear import Linear, LinearNoBias
from .local_normalization import (
    SpatialContrastiveNormalization,
    SpatialDivisiveNormalization,
    SpatialSubtractiveNormalization,
)
from .lookup import Index, LookupTable, LookupTableMaskZero
from .normalization import BatchNormalization, SpatialBatchNormalization, SpatialCrossMapLRN
from .normalize import Normalize
from .pairs import MM, MV, CosineDistance, DotProduct, PairwiseDistance
from .passage import Contiguous, Copy, GradientReversal, Identity, L1Penalty, ZeroGrad
from .pooling import SpatialAveragePooling, SpatialMaxPooling, SpatialMaxUnpooling, SpatialUpSamplingNearest
from .rectifier import ELU, CReLU, LeakyReLU, PReLU, ReLU6, RReLU, Threshold
from .reduction import Max, Mean, Min, Sum
from .shape import Reshape, SpatialZeroPadding, Transpose, View
from .shrinkage import HardShrink, SoftShrink, TanhShrink
from .temporal import TemporalConvolution, TemporalMaxPooling

__all__ = [
    "ELU",
    "MM",
    "MV",
    "Abs",
    "Add",
    "AddConstant",
    "BatchNormalization",
    "CAdd",
    "CMul",
    "CReLU",
    "Clamp",
    "Contiguous",
    "Copy",
    "CosineDistance",
    "DotProduct",
    "Dropout",
    "Exp",
    "GatedLinearUnit",
    "GradientReversal",
    "HardShrink",
    "HardTanh",
    "Identity",
    "Index",
    "L1Penalty",
    "LeakyReLU",
    "Linear",
    "LinearNoBias",
    "Log",
    "LogSigmoid",
    "LogSoftMax",
    "LookupTable",
    "LookupTableMaskZero",
    "Max",
    "Mean",
    "Min",
    "Mul",
    "MulConstant",
    "Narrow",
    "Normalize",
    "PReLU",
    "Padding",
    "PairwiseDistance",
    "Power",
    "RReLU",
    "ReLU",
    "ReLU6",
    "Replicate",
    "Reshape",
    "Select",
    "Sigmoid",
    "SoftMax",
    "SoftMin",
    "SoftPlus",
    "SoftShrink",
    "SoftSign",
    "SpatialAveragePooling",
    "SpatialBatchNormalization",
    "SpatialContrastiveNormalization",
    "SpatialConvolution",
    "SpatialConvolutionNoBias",
    "SpatialCrossMapLRN",
    "SpatialDilatedConvolution",
    "SpatialDivisiveNormalization",
    "SpatialDropout",
    "SpatialFullConvolution",
    "SpatialLogSoftMax",
    "SpatialMaxPooling",
    "SpatialMaxUnpooling",
    "SpatialReflectionPadding",
    "SpatialReplicationPadding",
    "SpatialSoftMax",
    "SpatialSubtractiveNormalization",
    "SpatialUpSamplingNearest",
    "SpatialZeroPadding",
    "Sqrt",
    "Square",
    "Squeeze",
    "Sum",
    "Tanh",
    "TanhShrink",
    "TemporalConvolution",
    "TemporalMaxPooling",
    "Threshold",
    "Transpose",
    "Unsqueeze",
    "View",
    "WhiteNoise",
    "ZeroGrad",
]
