"""Which classes of `nn` can be converted, and what their fields say in terms of the constructors here."""

import math

import numpy as np

import nnlite as nn

from . import old
from .graph import assemble_graph
from .kind import (
    Argument,
    Kind,
    check_weight,
    described,
    empty,
    index,
    longs,
    missing,
    module,
    plain,
    same,
    shape,
    sizes,
)
from .pointwise_kinds import POINTWISE_KINDS
from .sequence_kinds import SEQUENCE_KINDS
from .types import as_list
from .video_kinds import VIDEO_KINDS
from .wiring_kinds import WIRING_KINDS


def _swaps(table):
    """Return a table of 1-based pairs as 0-based pairs."""
    pairs = as_list(table) if isinstance(table, dict) else [None]
    if not all(isinstance(pair, dict) and all(isinstance(i, int) for i in as_list(pair)) for pair in pairs):
        raise ValueError(f"expected a table of pairs of dimensions, got {described(table)}")
    return [tuple(i - 1 for i in as_list(pair)) for pair in as_list(table)]


def _rectifier(inside, threshold, val):
    """Return what a ReLU is, in Torch7 a Threshold that begins with 0, 0."""
    return nn.Threshold(threshold, val) if threshold or val else nn.ReLU()


def _without_fields(fields, version, library):
    """Complete a cudnn.ReLU, which does not say that it is a Threshold."""
    return ({"threshold": 0, "val": 0} if library == "cudnn" else {}) | fields


def _bottle(inside, *dimensions):
    if len(inside) != 1:
        raise ValueError(f"modules must be a table of one nn object, got {len(inside)}")
    return nn.Bottle(inside[0], *dimensions)


def _max_pooling(inside, *arguments):
    pooling = nn.SpatialMaxPooling(*arguments[:-1])
    pooling.ceil_mode = arguments[-1]
    return pooling


def _average_pooling(inside, *arguments):
    pooling = nn.SpatialAveragePooling(*arguments[:-3])
    pooling.ceil_mode, pooling.count_include_pad, pooling.divide = arguments[-3:]
    return pooling


def _share_indices(fields):
    """Let an unpooling module refer to the indices of its pooling module, as it does once it has run."""
    fields["indices"] = fields["pooling"].contents["indices"]


_LINEAR = Kind((shape("weight", 1), shape("weight", 0)))
_WINDOW = (
    *(same("kW", "kw"), same("kH", "kh"), same("dW", "dw"), same("dH", "dh")),
    *(same("padW", "padw"), same("padH", "padh")),
)
_CONVOLUTION = Kind(
    (same("nInputPlane", "n_in"), same("nOutputPlane", "n_out"), *_WINDOW),
    check=lambda fields: check_weight(
        fields, *(fields.get(name, 0) for name in ("nOutputPlane", "nInputPlane", "kH", "kW"))
    ),
    old=old.convolution,
)
_BATCH_NORMALIZATION = Kind(
    (
        shape("running_mean", 0),
        *(same("eps"), same("momentum")),
        Argument("affine", plain, lambda module: module.weight is not None),
    ),
    old=old.batch_normalization,
    version=2,
)
_BORDER = Kind((same("pad_l"), same("pad_r"), same("pad_t"), same("pad_b")))
_BOUNDED = Kind((same("min_val"), same("max_val")), old=missing(min_val=-1, max_val=1))
_FROM_TABLE = Kind(extra=lambda module: {"gradInput": {}})

KINDS = {
    # containers and tables
    "Sequential": Kind(),
    "Concat": Kind((index("dimension"),), extra=lambda module: {"size": longs([])}),
    "ConcatTable": Kind(extra=lambda module: {"output": {}}),
    "ParallelTable": Kind(extra=lambda module: {"output": {}, "gradInput": {}}),
    "Bottle": Kind(
        (same("nInputDim", "n_input_dims"), same("nOutputDim", "n_output_dims")),
        build=_bottle,
        extra=lambda module: {
            "dimDelta": module.n_input_dims - module.n_output_dims,
            "inShape": np.zeros(module.n_input_dims, module.dtype),
            "outShape": np.zeros(module.n_output_dims, module.dtype),
        },
    ),
    "gModule": Kind(assemble=assemble_graph, extra=None),
    "Identity": Kind(),
    "JoinTable": Kind(
        (index("dimension"), same("nInputDims", "n_input_dims", None)),
        extra=lambda module: {"gradInput": {}, "size": longs([])},
    ),
    "SplitTable": Kind(
        (index("dimension"), same("nInputDims", "n_input_dims", None)), extra=lambda module: {"output": {}}
    ),
    "SelectTable": Kind((index("index"),), extra=lambda module: {"gradInput": {}}),
    "NarrowTable": Kind(
        (index("offset"), same("length")), extra=lambda module: {"output": {}, "gradInput": {}}
    ),
    "FlattenTable": Kind(extra=lambda module: {"output": {}, "gradInput": {}, "input_map": {}}),
    "CAddTable": _FROM_TABLE,
    "CSubTable": _FROM_TABLE,
    "CMulTable": _FROM_TABLE,
    "CDivTable": _FROM_TABLE,
    # layers with parameters
    "Linear": _LINEAR,
    "LinearNoBias": _LINEAR,
    "SpatialConvolution": _CONVOLUTION,
    "SpatialConvolutionNoBias": _CONVOLUTION,
    "SpatialDilatedConvolution": Kind(
        (
            *_CONVOLUTION.arguments,
            same("dilationW", "dilationw", 1),
            same("dilationH", "dilationh", 1),
        ),
        check=_CONVOLUTION.check,
    ),
    "SpatialFullConvolution": Kind(
        (*_CONVOLUTION.arguments, same("adjW", "adjw"), same("adjH", "adjh")),
        check=_CONVOLUTION.check,
        old=missing(dW=1, dH=1, padW=0, padH=0, adjW=0, adjH=0),
        extra=lambda module: {"ones": empty(module)},
    ),
    "BatchNormalization": _BATCH_NORMALIZATION,
    "SpatialBatchNormalization": _BATCH_NORMALIZATION,
    "Mul": Kind(),
    "CMul": Kind(
        (sizes("weight.shape"),),
        build=lambda inside, sizes: nn.CMul(*sizes),
        check=lambda fields: check_weight(fields, *fields["size"].array.tolist()),
        old=old.cmul,
    ),
    "CAdd": Kind((sizes("bias.shape"),), build=lambda inside, sizes: nn.CAdd(*sizes)),
    "Add": Kind(
        (shape("bias", 0), same("scalar", default=False)),
        extra=lambda module: {"_ones": np.ones(1, module.dtype)},
    ),
    # layers without
    "SpatialMaxPooling": Kind(
        (*_WINDOW, same("ceil_mode")),
        build=_max_pooling,
        old=old.max_pooling,
        extra=lambda module: {"indices": np.empty(0, np.int64)},
    ),
    "SpatialAveragePooling": Kind(
        (*_WINDOW, same("ceil_mode"), same("count_include_pad"), same("divide")),
        build=_average_pooling,
        old=old.average_pooling,
    ),
    "SpatialMaxUnpooling": Kind((module("pooling", "pooling"),), link=_share_indices),
    "SpatialUpSamplingNearest": Kind(
        (same("scale_factor"),),
        extra=lambda module: {"inputSize": longs([0] * 4), "outputSize": longs([0] * 4)},
    ),
    "SpatialZeroPadding": _BORDER,
    "SpatialReplicationPadding": _BORDER,
    "SpatialReflectionPadding": _BORDER,
    "SpatialCrossMapLRN": Kind(
        (same("size"), same("alpha"), same("beta"), same("k")), old=missing(alpha=1e-4, beta=0.75, k=1)
    ),
    "Dropout": Kind(
        (same("p"), Argument("v2", lambda v2: not plain(v2), lambda module: not module.v1)),
        extra=lambda module: {"noise": empty(module)},
        old=missing(v2=False),
    ),
    "SpatialDropout": Kind((same("p"),), extra=lambda module: {"noise": empty(module)}),
    "Reshape": Kind(
        (sizes("sizes"), same("batchMode", "batch_mode", None)),
        build=lambda inside, sizes, batch_mode: nn.Reshape(*sizes, batch_mode=batch_mode),
        extra=lambda module: {
            "nelement": math.prod(module.sizes),
            "batchsize": longs([0, *module.sizes]),
            "_input": empty(module),
            "_gradOutput": empty(module),
        },
    ),
    "View": Kind(
        (sizes("sizes"), same("numInputDims", "num_input_dims", None)),
        build=lambda inside, sizes, dimensions: nn.View(*sizes).set_num_input_dims(dimensions),
        extra=lambda module: {"numElements": math.prod(n for n in module.sizes if n != -1)},
    ),
    "Transpose": Kind(
        (
            Argument(
                "permutations",
                _swaps,
                lambda module: {i: {1: a + 1, 2: b + 1} for i, (a, b) in enumerate(module.swaps, 1)},
            ),
        ),
        build=lambda inside, swaps: nn.Transpose(*swaps),
    ),
    "Tanh": Kind(),
    "Sigmoid": Kind(),
    "LogSigmoid": Kind(extra=lambda module: {"buffer": empty(module)}),
    "ReLU": Kind(
        (Argument("threshold", plain, lambda module: 0), Argument("val", plain, lambda module: 0)),
        build=_rectifier,
        old=_without_fields,
    ),
    "HardTanh": _BOUNDED,
    "Clamp": _BOUNDED,
    "Abs": Kind(),
    "Square": Kind(),
    "Sqrt": Kind(fixed={"eps": 0}, old=missing(eps=0)),
    "SoftMax": Kind(),
    "LogSoftMax": Kind(),
    "SpatialLogSoftMax": Kind(),
    "AddConstant": Kind((same("constant_scalar", "constant"),)),
    "MulConstant": Kind((same("constant_scalar", "constant"),)),
    **POINTWISE_KINDS,
    **WIRING_KINDS,
    **SEQUENCE_KINDS,
    # what is made for video
    **VIDEO_KINDS,
}
