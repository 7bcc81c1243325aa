"""Converts `nn` criteria of .t7 files to those here and back."""

from operator import attrgetter
from typing import Any

import numpy as np

import nnlite as nn

from .kind import REQUIRED, Argument, is_object, same
from .modules import to_module
from .objects import from_module
from .types import Storage, Torch7Error, TorchObject, as_list


def to_criterion(obj: Any) -> Any:
    """Return the criterion of an nn object that `load` read.

    Torch7Error, naming the class, for one without a counterpart and for fields that are missing or wrong.
    """
    if not is_object(obj):
        raise Torch7Error(f"torch7.to_criterion: expected an nn object, got {obj!r}")
    name = obj.class_name.removeprefix("nn.")
    if name not in CRITERIA:
        raise Torch7Error(f"torch7.to_criterion: there is no criterion for the {obj.class_name}")
    try:
        arguments = [_argument(argument, obj.contents) for argument in CRITERIA[name]]
        return BUILD.get(name, getattr(nn, name))(*arguments)
    except (ValueError, TypeError, AttributeError, LookupError) as error:
        raise Torch7Error(f"torch7.to_criterion: the {obj.class_name} cannot be built: {error}") from error


def from_criterion(criterion: nn.Criterion) -> TorchObject:
    """Return `criterion` as an nn object that `save` writes and Torch7 can load.

    Torch7Error for a class that .t7 files do not have.
    """
    name = type(criterion).__name__
    if name not in CRITERIA:
        raise Torch7Error(f"torch7.from_criterion: {criterion.name} has no counterpart in a .t7 file")
    fields: dict[str, Any] = {"_type": "torch.DoubleTensor", "output": 0, "gradInput": np.empty(0)}
    fields |= EXTRA.get(name, dict)()
    if isinstance(criterion, nn.ClassSimplexCriterion):
        fields |= {"simplex": criterion.simplex, "_target": np.zeros(criterion.n_classes)}
    for argument in CRITERIA[name]:
        value = argument.write(criterion)
        if value is not None:
            fields[argument.field] = value
    return TorchObject(f"nn.{name}", fields)


def _argument(argument, fields):
    """Return one argument of a constructor."""
    value = fields.get(argument.field)
    if value is not None:
        return argument.read(value)
    if argument.default is REQUIRED:
        raise ValueError(f"the field {argument.field} is missing")
    return argument.default


def _array(field, default=REQUIRED):
    """Return the argument that is an array on both sides, under the same name."""

    def read(value):
        if not isinstance(value, np.ndarray):
            raise ValueError(f"{field} must be a tensor, got {value!r}")
        return value

    def write(criterion):
        array = getattr(criterion, field)
        return None if array is None else np.asarray(array, np.float64)

    return Argument(field, read, write, default)


def _one_criterion(field):
    """Return the argument that is another criterion."""
    return Argument(field, to_criterion, lambda criterion: from_criterion(getattr(criterion, field)))


def _one_module(field):
    """Return the argument that is a module or None."""
    get = attrgetter({"inputModule": "input_module", "targetModule": "target_module"}[field])

    def write(criterion):
        return None if get(criterion) is None else from_module(get(criterion))

    return Argument(field, to_module, write, None)


def _likelihood(criterion):
    """Return the ClassNLLCriterion that is half of a CrossEntropyCriterion in Torch7."""
    return nn.ClassNLLCriterion(criterion.weights, criterion.size_average, criterion.ignore_index)


def _cross_entropy(likelihood, size_average):
    """Return a CrossEntropyCriterion; its own `size_average` counts where there is one."""
    mean = likelihood.size_average if size_average is None else size_average
    return nn.CrossEntropyCriterion(likelihood.weights, mean, likelihood.ignore_index)


def _weights_of(value):
    """Return a table or a storage of weights as a list."""
    return value.array.tolist() if isinstance(value, Storage) else as_list(value)


def _filled(criterion, criterions, weights):
    """Add criteria to another one, each with its weight."""
    for inside, weight in zip(criterions, weights, strict=True):
        criterion.add(inside, weight)
    return criterion


_MEAN = same("sizeAverage", "size_average", True)
_WEIGHTS = _array("weights", None)
_MARGIN = same("margin")
_LABELS = (
    *(_WEIGHTS, _MEAN),
    Argument("ignoreIndex", lambda label: label - 1, lambda criterion: criterion.ignore_index + 1, -1),
)
_MANY = Argument(
    "criterions",
    lambda table: [to_criterion(obj) for obj in as_list(table)],
    lambda criterion: dict(enumerate(map(from_criterion, criterion.criterions), 1)),
)

#: The arguments of every criterion, in the order of its constructor or of its function in `BUILD`.
CRITERIA = {
    "MSECriterion": (_MEAN,),
    "AbsCriterion": (_MEAN,),
    "SmoothL1Criterion": (_MEAN,),
    "BCECriterion": (_WEIGHTS, _MEAN),
    "ClassNLLCriterion": _LABELS,
    "SpatialClassNLLCriterion": _LABELS,
    "CrossEntropyCriterion": (
        Argument("nll", to_criterion, lambda criterion: from_criterion(_likelihood(criterion))),
        same("sizeAverage", "size_average", None),
    ),
    "WeightedMSECriterion": (_array("weight"), _MEAN),
    "DistKLDivCriterion": (_MEAN,),
    "MarginCriterion": (_MARGIN, _MEAN),
    "SoftMarginCriterion": (_MEAN,),
    "MultiLabelSoftMarginCriterion": (_WEIGHTS, _MEAN),
    "ClassSimplexCriterion": (same("nClasses", "n_classes"), _MEAN),
    "L1Cost": (),
    "MultiMarginCriterion": (same("p", default=1), _WEIGHTS, same("margin", default=1), _MEAN),
    "MultiLabelMarginCriterion": (_MEAN,),
    "MarginRankingCriterion": (_MARGIN, _MEAN),
    "HingeEmbeddingCriterion": (_MARGIN, _MEAN),
    "L1HingeEmbeddingCriterion": (_MARGIN,),
    "CosineEmbeddingCriterion": (_MARGIN, _MEAN),
    "DistanceRatioCriterion": (_MEAN,),
    "MultiCriterion": (
        _MANY,
        Argument("weights", _weights_of, lambda criterion: Storage(np.array(criterion.weights, np.float64))),
    ),
    "ParallelCriterion": (
        same("repeatTarget", "repeat_target", False),
        _MANY,
        Argument("weights", _weights_of, lambda criterion: dict(enumerate(criterion.weights, 1))),
    ),
    "SequencerCriterion": (_one_criterion("criterion"), same("sizeAverage", "size_average", False)),
    "RepeaterCriterion": (_one_criterion("criterion"),),
    "ModuleCriterion": (_one_criterion("criterion"), _one_module("inputModule"), _one_module("targetModule")),
    "MaskZeroCriterion": (_one_criterion("criterion"), same("nInputDim", "n_input_dim")),
}

#: What makes a criterion of its arguments where its constructor does not.
BUILD = {
    "CrossEntropyCriterion": _cross_entropy,
    "MultiCriterion": lambda *parts: _filled(nn.MultiCriterion(), *parts),
    "ParallelCriterion": lambda repeat, *parts: _filled(nn.ParallelCriterion(repeat), *parts),
}


def _of_two():
    return {"gradInput": {1: np.empty(0), 2: np.empty(0)}}


def _of_labels():
    return {"output_tensor": np.zeros(1), "total_weight_tensor": np.ones(1), "target": np.zeros(1, np.int64)}


def _over_steps():
    return {"clones": {}, "gradInput": {}}


#: Fields that Torch7's constructors make and its methods rely on.
EXTRA = {
    "ClassNLLCriterion": _of_labels,
    "SpatialClassNLLCriterion": _of_labels,
    "CrossEntropyCriterion": lambda: {"lsm": from_module(nn.LogSoftMax().double())},
    "MultiLabelSoftMarginCriterion": lambda: {"sigmoid": from_module(nn.Sigmoid().double())},
    "MultiLabelMarginCriterion": lambda: {"isTarget": np.empty(0)},
    "MarginRankingCriterion": lambda: {"gradInput": {1: np.zeros(1), 2: np.zeros(1)}},
    "L1HingeEmbeddingCriterion": _of_two,
    "CosineEmbeddingCriterion": _of_two,
    "ModuleCriterion": lambda: {"castTarget": True},
    "ParallelCriterion": lambda: {"gradInput": {}},
    "SequencerCriterion": _over_steps,
    "RepeaterCriterion": _over_steps,
}
