"""The trained models that a command names: one checkpoint, or those that come with the package."""

from pathlib import Path

from nnlite import models
from nnlite.train.runs.experiment import load_trained
from nnlite.train.runs.loop import CHECKPOINT

#: In place of a checkpoint: the weights that come with the package.
PRETRAINED = "pretrained"


def load(experiment, where, given):
    """Return {name: (experiment, model)} of a checkpoint, or of all models that come with the package."""
    if where == PRETRAINED:
        paths = {name: models.pretrained_path(name) for name in existing()}
    else:
        path = Path(where)
        paths = {path.parent.name if path.name == CHECKPOINT else path.stem: path}
    return {name: load_trained(experiment, path, given)[:2] for name, path in paths.items()}


def existing():
    """Return the names of the pretrained models; ValueError when there is none."""
    if not models.pretrained_names():
        raise ValueError(f"there are no pretrained models in {models.PRETRAINED}")
    return models.pretrained_names()


def of_table1():
    """Return those without a variant, which were trained for Table 1."""
    return [name for name in existing() if name in models.names()]
