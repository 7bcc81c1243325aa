"""Which `nn` classes can be converted, and what their fields say in terms of the constructors here."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from operator import attrgetter

import numpy as np

import nnlite as nn

from .types import Storage, as_list

REQUIRED = object()


@dataclass
class Argument:
    """A constructor argument and the field that Torch7 keeps it in.

    read turns the field into the argument, write makes the field of a module (None: Torch7 has no such
    field); default stands for a field that a file lacks.
    """

    field: str
    read: Callable
    write: Callable | None
    default: object = REQUIRED


@dataclass
class Kind:
    """A class: its constructor's arguments in order, and what else there is to its fields.

    build(modules inside, *arguments) makes the module where calling the class and adding does not. fixed:
    fields with the one value that exists here; a file with another is refused. extra(module): fields that
    Torch7's constructor makes and its methods rely on.
    """

    arguments: tuple = ()
    build: Callable | None = None
    fixed: dict = field(default_factory=dict)
    extra: Callable = lambda module: {}


def _same(name, attribute=None, default=REQUIRED):
    """Return the argument that has the same value on both sides."""
    return Argument(name, lambda value: value, attrgetter(attribute or name), default)


def _index(name):
    """Return the argument that counts from one in Torch7; negative ones count from the end in both."""
    get = attrgetter(name)
    return Argument(name, lambda i: i - (i > 0), lambda module: get(module) + (get(module) >= 0))


def _sizes(attribute):
    """Return the argument `size`, a LongStorage in Torch7 and a tuple here."""
    get = attrgetter(attribute)
    return Argument("size", lambda storage: storage.array.tolist(), lambda module: _longs(get(module)))


def _shape(name, axis):
    """Return the argument that Torch7 knows only from the shape of an array."""
    return Argument(name, lambda array: array.shape[axis], None)


def _longs(values):
    """Return a LongStorage."""
    return Storage(np.array(values, np.int64))


def _empty(module):
    """Return an empty tensor of the module's type."""
    return np.empty(0, module.dtype)


def _swaps(table):
    """Return a table of 1-based pairs as 0-based pairs."""
    return [tuple(i - 1 for i in as_list(pair)) for pair in as_list(table)]


def _max_pooling(inside, *arguments):
    pooling = nn.SpatialMaxPooling(*arguments[:-1])
    pooling.ceil_mode = arguments[-1]
    return pooling


def _average_pooling(inside, *arguments):
    pooling = nn.SpatialAveragePooling(*arguments[:-2])
    pooling.ceil_mode, pooling.count_include_pad = arguments[-2:]
    return pooling


_LINEAR = Kind((_shape("weight", 1), _shape("weight", 0)))
_WINDOW = (
    *(_same("kW", "kw"), _same("kH", "kh"), _same("dW", "dw"), _same("dH", "dh")),
    *(_same("padW", "padw", 0), _same("padH", "padh", 0)),
)
_CONVOLUTION = Kind((_same("nInputPlane", "n_in"), _same("nOutputPlane", "n_out"), *_WINDOW))
_BATCH_NORMALIZATION = Kind(
    (
        _shape("running_mean", 0),
        *(_same("eps"), _same("momentum")),
        Argument("affine", bool, lambda module: module.weight is not None, True),
    )
)
_BOUNDED = Kind((_same("min_val"), _same("max_val")))
_FROM_TABLE = Kind(extra=lambda module: {"gradInput": {}})

KINDS = {
    # containers and tables
    "Sequential": Kind(),
    "Concat": Kind((_index("dimension"),), extra=lambda module: {"size": _longs([])}),
    "ConcatTable": Kind(extra=lambda module: {"output": {}}),
    "ParallelTable": Kind(extra=lambda module: {"output": {}, "gradInput": {}}),
    "Bottle": Kind(
        (_same("nInputDim", "n_input_dims"), _same("nOutputDim", "n_output_dims")),
        build=lambda inside, *dimensions: nn.Bottle(inside[0], *dimensions),
        extra=lambda module: {
            "dimDelta": module.n_input_dims - module.n_output_dims,
            "inShape": np.zeros(module.n_input_dims, module.dtype),
            "outShape": np.zeros(module.n_output_dims, module.dtype),
        },
    ),
    "Identity": Kind(),
    "JoinTable": Kind(
        (_index("dimension"), _same("nInputDims", "n_input_dims", None)),
        extra=lambda module: {"gradInput": {}, "size": _longs([])},
    ),
    "SplitTable": Kind(
        (_index("dimension"), _same("nInputDims", "n_input_dims", None)), extra=lambda module: {"output": {}}
    ),
    "SelectTable": Kind((_index("index"),), extra=lambda module: {"gradInput": {}}),
    "NarrowTable": Kind(
        (_index("offset"), _same("length")), extra=lambda module: {"output": {}, "gradInput": {}}
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
    "SpatialFullConvolution": Kind(
        (*_CONVOLUTION.arguments, _same("adjW", "adjw", 0), _same("adjH", "adjh", 0)),
        extra=lambda module: {"ones": _empty(module)},
    ),
    "BatchNormalization": _BATCH_NORMALIZATION,
    "SpatialBatchNormalization": _BATCH_NORMALIZATION,
    "Mul": Kind(),
    "CMul": Kind((_sizes("weight.shape"),), build=lambda inside, sizes: nn.CMul(*sizes)),
    "Add": Kind(
        (_shape("bias", 0), _same("scalar", default=False)),
        extra=lambda module: {"_ones": np.ones(1, module.dtype)},
    ),
    # layers without
    "SpatialMaxPooling": Kind(
        (*_WINDOW, _same("ceil_mode", default=False)),
        build=_max_pooling,
        extra=lambda module: {"indices": np.empty(0, np.int64)},
    ),
    "SpatialAveragePooling": Kind(
        (*_WINDOW, _same("ceil_mode", default=False), _same("count_include_pad", default=True)),
        build=_average_pooling,
        fixed={"divide": True},
    ),
    "SpatialMaxUnpooling": Kind((_same("pooling"),)),
    "SpatialUpSamplingNearest": Kind(
        (_same("scale_factor"),),
        extra=lambda module: {"inputSize": _longs([0] * 4), "outputSize": _longs([0] * 4)},
    ),
    "SpatialZeroPadding": Kind((_same("pad_l"), _same("pad_r"), _same("pad_t"), _same("pad_b"))),
    "SpatialCrossMapLRN": Kind((_same("size"), _same("alpha"), _same("beta"), _same("k"))),
    "Dropout": Kind((_same("p"),), fixed={"v2": True}, extra=lambda module: {"noise": _empty(module)}),
    "SpatialDropout": Kind((_same("p"),), extra=lambda module: {"noise": _empty(module)}),
    "Reshape": Kind(
        (_sizes("sizes"), _same("batchMode", "batch_mode", None)),
        build=lambda inside, sizes, batch_mode: nn.Reshape(*sizes, batch_mode=batch_mode),
        extra=lambda module: {
            "nelement": math.prod(module.sizes),
            "batchsize": _longs([0, *module.sizes]),
            "_input": _empty(module),
            "_gradOutput": _empty(module),
        },
    ),
    "View": Kind(
        (_sizes("sizes"), _same("numInputDims", "num_input_dims", None)),
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
    "LogSigmoid": Kind(extra=lambda module: {"buffer": _empty(module)}),
    "ReLU": Kind(fixed={"threshold": 0, "val": 0}),
    "HardTanh": _BOUNDED,
    "Clamp": _BOUNDED,
    "Abs": Kind(),
    "Square": Kind(),
    "Sqrt": Kind(fixed={"eps": 0}),
    "SoftMax": Kind(),
    "LogSoftMax": Kind(),
    "SpatialLogSoftMax": Kind(),
    "AddConstant": Kind((_same("constant_scalar", "constant"),)),
    "MulConstant": Kind((_same("constant_scalar", "constant"),)),
}
