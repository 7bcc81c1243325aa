"""The same as `kinds.py` for dimensions, reductions, products, lookups, tables and decorators."""

import numpy as np

import nnlite as nn

from .kind import Argument, Kind, check_weight, empty, index, longs, module, plain, same, shape

_DIMENSION = index("dimension", default=0), same("nInputDims", "n_input_dims", None)


def _two(module):
    """Return the gradInput of a layer of two arrays."""
    return {"gradInput": {1: empty(module), 2: empty(module)}}


def _lookup(inside, *arguments):
    return _counting(nn.LookupTable(*arguments[:-1]), arguments[-1])


def _counting(table, by_frequency):
    return table.scale_grad_by_freq() if by_frequency else table


def _lookup_extra(module):
    return {"_count": np.empty(0, np.int32), "_input": np.empty(0, np.int64)}


def _around(module):
    """Return the fields of a decorator."""
    return {"modules": {1: module.module}}


def _decorator(*arguments, **extra):
    return Kind(
        (module("module", "module"), *arguments),
        extra=lambda decorator: _around(decorator) | extra,
        parts=lambda fields: {},
    )


_EXTREME = Kind(_DIMENSION)
_PADDING_VALUE = Argument(
    "paddingValue", lambda value: int(plain(value)) - 1, lambda table: table.padding_value + 1, -1
)
_NORMS = same("maxNorm", "max_norm", None), same("normType", "norm_type", None)
_BY_FREQUENCY = same("shouldScaleGradByFreq", "should_scale_grad_by_freq", False)
_NO_WINNER: dict[str, dict] = {"gradInput": {}}

WIRING_KINDS = {
    # dimensions
    "Sum": Kind((*_DIMENSION, same("sizeAverage", "size_average", False), same("squeeze", default=True))),
    "Mean": Kind((*_DIMENSION, same("squeeze", default=True)), extra=lambda module: {"sizeAverage": True}),
    "Max": _EXTREME,
    "Min": _EXTREME,
    "Replicate": Kind((same("nfeatures", "n_features"), index("dim", default=0), same("ndim", default=None))),
    "Squeeze": Kind((index("dim", default=None), same("numInputDims", "num_input_dims", None))),
    "Unsqueeze": Kind((index("pos"), same("numInputDims", "num_input_dims", None))),
    "Padding": Kind(
        (
            *(index("dim"), same("pad"), same("nInputDim", "n_input_dim", None)),
            *(same("value", default=0), index("index", default=0)),
        ),
        extra=lambda module: {"outputSize": longs([])},
    ),
    "Narrow": Kind((index("dimension"), index("index"), same("length", default=1))),
    "Select": Kind((index("dimension"), index("index"))),
    # two arrays
    "MM": Kind((same("transA", "trans_a", False), same("transB", "trans_b", False)), extra=_two),
    "MV": Kind((same("trans", default=False),), extra=_two),
    "DotProduct": Kind(extra=_two),
    "CosineDistance": Kind(extra=_two),
    "PairwiseDistance": Kind((same("norm"),), extra=lambda module: {"gradInput": {}, "diff": empty(module)}),
    "Normalize": Kind((same("p"), same("eps", default=1e-10))),
    "Index": Kind((index("dimension"),), extra=_two),
    # lookups and time
    "LookupTable": Kind(
        (shape("weight", 0), shape("weight", 1), _PADDING_VALUE, *_NORMS, _BY_FREQUENCY),
        build=_lookup,
        extra=_lookup_extra,
        version=4,
    ),
    "LookupTableMaskZero": Kind(
        (shape("weight", 0, less=1), shape("weight", 1)),
        extra=lambda module: _lookup_extra(module) | {"paddingValue": 0, "shouldScaleGradByFreq": False},
        version=4,
    ),
    "TemporalConvolution": Kind(
        (
            *(same("inputFrameSize", "n_in"), same("outputFrameSize", "n_out")),
            *(same("kW", "kw"), same("dW", "dw")),
        ),
        check=lambda fields: check_weight(
            fields, fields["outputFrameSize"], fields["inputFrameSize"] * fields["kW"]
        ),
    ),
    "TemporalMaxPooling": Kind(
        (same("kW", "kw"), same("dW", "dw")), extra=lambda module: {"indices": np.empty(0, np.int64)}
    ),
    # tables
    "CMaxTable": Kind(extra=lambda module: _NO_WINNER | {"maxIdx": empty(module)}),
    "CMinTable": Kind(extra=lambda module: _NO_WINNER | {"minIdx": empty(module)}),
    "MixtureTable": Kind(
        (index("dim", default=None),),
        extra=lambda module: {
            **{"gradInput": {}, "size": longs([]), "size2": longs([])},
            **{"batchSize": 0, "backwardSetup": False},
        },
    ),
    "ReverseTable": Kind(extra=lambda module: {"output": {}, "gradInput": {}}),
    "ZipTable": Kind(extra=lambda module: {"output": {}, "gradInput": {}}),
    # decorators
    "Decorator": _decorator(),
    "Serial": _decorator(),
    "DontCast": _decorator(castin=False, castout=False),
    "NaN": _decorator(same("id", default=None)),
    "MaskZero": _decorator(same("nInputDim", "n_input_dim")),
}
