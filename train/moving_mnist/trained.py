"""The trained models that a command names: one checkpoint, or those that come with the package."""

from pathlib import Path

from nnlite import models
from nnlite.train.runs.experiment import PRETRAINED, load_trained, pretrained_of
from nnlite.train.runs.loop import CHECKPOINT


def load(experiment, where, given):
    """Return {name: (experiment, model)} of a checkpoint, or of all models that come with the package."""
    if where == PRETRAINED:
        return _loaded(experiment, pretrained_of(experiment), given)
    path = Path(where)
    return _loaded(experiment, {path.parent.name if path.name == CHECKPOINT else path.stem: where}, given)


def of_table1(experiment):
    """Return {name: file} of those without a variant, which were trained for Table 1."""
    return {name: path for name, path in pretrained_of(experiment).items() if name in models.names()}


def _loaded(experiment, named, given):
    return {name: load_trained(experiment, where, given)[:2] for name, where in named.items()}
