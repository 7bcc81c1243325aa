"""The interface of an experiment: all that runs, groups of runs, evaluation and the microscope know of it."""

import importlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

import nnlite as nn
from nnlite import checkpoint, models
from nnlite.entries import from_file, lacking
from nnlite.train.runs.local_share import resolve_device
from nnlite.train.runs.memory import check_batch
from nnlite.train.runs.options import parse_options

#: Where each kind of run that a checkpoint can be of is written down.
KINDS = {
    "moving_mnist": "nnlite.train.moving_mnist.experiment:MovingDigits",
    "real_video": "nnlite.train.real_video.experiment:RealVideo",
    "camvid": "nnlite.train.camvid.experiment:LabelledVideo",
}
#: In place of a checkpoint: the weights that come with the package.
PRETRAINED = "pretrained"
#: All of a batch, as the share of a single process.
WHOLE = slice(0, None)
#: What the checkpoint of a run has among its metadata, and as its position.
_RUN = {"experiment": dict, "loop": dict, "commands": list}
_POSITION = {"step": int, "seconds": float, "sums": {"loss": float, "penalty": float, "steps": float}}
#: How a checkpoint of before version 0.2, which does not name its kind, is told from others.
_TELLING = {"digits": "moving_mnist", "signature": "real_video", "segmentation_weight": "camvid"}


@dataclass(frozen=True)
class Sequence:
    """One sequence to look at: frames (T, 1, C, H, W) in [0, 1], a description, and for segmenters labels
    (T, 1, H, W), and the criterion that a run was trained with."""

    frames: np.ndarray
    description: str
    labels: np.ndarray | None = None
    criterion: nn.Criterion | None = None


class Experiment:
    """What is learned from what, and how it is scored and shown; one object a run.

    A subclass states what is left open here, and writes the methods that are only described. Its data are
    read when they are first needed.
    """

    #: The key in `KINDS`; the package whose command it is; its options; for the help.
    kind = command = settings_type = description = epilog = None
    #: The presets, and the one that is used when the user names none.
    presets: ClassVar = {}
    preset = "default"
    not_offered = ()  # options that make no sense here
    #: What a training example is called; what is subtracted from all frames; batches made ahead of time?
    unit, offset, prefetch = "sequences", 0.0, False
    rate = 0.0  # frames a second that it takes of a video; 0 for each frame of the file
    group = None  # the name of a group of runs
    variant = ""  # what names of its pretrained weights add to that of the architecture
    #: {mode: function(experiment type, given, command)} of commands of its own.
    modes: ClassVar = {}

    def __init__(self, settings, folder=None):
        self.settings, self.folder = settings, folder

    @classmethod
    def parse(cls, argv, program):
        """Return (mode, given) of a command line."""
        return parse_options(
            cls.settings_type,
            argv,
            program=program,
            description=cls.description,
            presets=cls.presets,
            epilog=cls.epilog,
            not_offered=cls.not_offered,
            preset=cls.preset,
        )

    @classmethod
    def plan(cls, given):
        """Return the settings of the run that the user asks for, or {name: settings} of a group of runs."""
        raise NotImplementedError

    @classmethod
    def reopened(cls, settings, given, path, resuming):
        """Return the settings of a checkpoint with what the user gives; ValueError where that cannot be."""
        return replace(settings, **given)

    def prepare(self):
        """Check the settings of a training run, and make what `load` lacks, if anything; by one process."""

    def load(self, training=True):
        """Read the data to train on, which sets `epoch`, the number of training sequences, and to score on.

        training: False for a trained model, which is only scored. Errors say what is wrong with the data.
        """
        raise NotImplementedError

    @property
    def batch_shape(self):
        """The shape (T, N, C, H, W) of the frames of a training batch, known before any data are read."""
        raise NotImplementedError

    @property
    def criterion(self):
        """What the training makes small; it sums its loss over all elements."""
        raise NotImplementedError

    @property
    def seen(self):
        """How many frames of a sequence a model sees: all but the last, which is only predicted."""
        return self.settings.frames - 1

    def build_model(self, device):
        """Return the model to train, with its initial weights."""
        raise NotImplementedError

    def start(self, model):
        """Copy trained weights into a new model where the settings ask for them; return metadata to keep."""
        return {}

    def weights_from(self, saved, model):
        """Return a checkpoint to start from as one whose weights fit `model`."""
        return saved

    def continues_curve(self, earlier):
        """Return whether a run with the settings `earlier` was scored on the same for its curve as this."""
        raise NotImplementedError

    @staticmethod
    def curve(log):
        """Return the scores in the log of a run, each with its "sequences" and "seconds"."""
        raise NotImplementedError

    def evaluated_model(self, model):
        """Return the model to score, with the parameters of the one that is trained."""
        return model

    def describe(self, model):
        """Return a description of model, device and data, in a few lines."""
        raise NotImplementedError

    def make_batch(self, step, indices, share=WHOLE):
        """Return input and target of the numbered training sequences of a step, or of a share of them."""
        raise NotImplementedError

    def evaluate(self, model):
        """Return scores on a few test sequences, for the log. They are not used for model selection."""
        raise NotImplementedError

    def score(self, model):
        """Return all scores of the model on the test sequences, ready for JSON."""
        raise NotImplementedError

    def format_result(self, result):
        """Return the tables of what `score` found as text."""
        raise NotImplementedError

    def draw(self, folder, model, result):
        """Draw what a trained model predicts."""
        raise NotImplementedError

    def draw_run(self, folder, model, result, log):
        """Draw that, the curves of the run, and the page of every gradient."""
        raise NotImplementedError

    def completed(self, result, metadata, log):
        """Return the result of a run with what its checkpoint and its log add."""
        raise NotImplementedError

    @staticmethod
    def anonymised(result):
        """Return a result as it is written to a file."""
        return result

    @classmethod
    def published(cls, result):
        """Return the result of a run without the folders of this machine, for packed weights."""
        return cls.anonymised(result)

    def after(self, folder, model, result):
        """Do what is left when the result of a run has been written: nothing by default."""

    def test_sequence(self, number, n_frames=None):
        """Return the test `Sequence` with this number; ValueError, naming the option, when there is none."""
        raise NotImplementedError

    @staticmethod
    def write_comparison(folder, results):
        """Write the table that compares the runs of a group, {name: result}."""
        raise NotImplementedError

    @staticmethod
    def show_comparison(folder, results):
        """Print it, and draw what compares the runs."""
        raise NotImplementedError


def pretrained_of(experiment):
    """Return {name: file} of the trained models of this experiment type that come with the package.

    ValueError when there is none.
    """
    files = {name: models.pretrained_path(name) for name in models.pretrained_names()}
    found = {name: path for name, path in files.items() if kind_of(checkpoint.load(path)) == experiment.kind}
    if not found:
        raise ValueError(f"there are no pretrained models of train.{experiment.kind} in {models.PRETRAINED}")
    return found


def load_checkpoint(experiment, where):
    """Return the `Checkpoint` of this experiment type that a user names.

    where: a file, the folder of a run, a name of `models.pretrained_names`, or the word 'pretrained', where
    one such model comes with the package, or one that its export would call so. ValueError when it is of
    something else.
    """
    if where == PRETRAINED:
        found = list(pretrained_of(experiment))
        usual = [name for name in found if experiment.variant and name.endswith(f"_{experiment.variant}")]
        if len(found) > 1 and len(usual) != 1:
            raise ValueError(f"there are several pretrained models, name one: {', '.join(found)}")
        (where,) = usual or found
    saved = load_run(where)
    kind = kind_of(saved)
    if kind != experiment.kind:
        other = f"one of train.{kind}, not of" if kind else "but not one of"
        raise ValueError(f"{saved.path} is a checkpoint, {other} train.{experiment.kind}")
    return saved


def reopen(experiment, where, given=None, *, resuming=False):
    """Return (experiment, checkpoint) of a run of this experiment type.

    where: see `load_checkpoint`. given: what the user gives besides.
    """
    saved = load_checkpoint(experiment, where)
    try:
        settings = settings_of(experiment.settings_type, saved)
    except ValueError as error:
        raise ValueError(f"{saved.path}: {error}; it was written by another version") from error
    known = experiment.settings_type.__dataclass_fields__
    given = {name: value for name, value in (given or {}).items() if known[name].metadata["mode"] is None}
    return experiment(experiment.reopened(settings, given, saved.path, resuming), saved.path.parent), saved


def load_run(path):
    """Return the `Checkpoint` of a file, a run or one of `models.pretrained_names`, with `Entries` for dicts.

    ValueError, naming the file and the entry, where a checkpoint of a run lacks what one has.
    """
    if path in models.pretrained_names() and not Path(path).exists():
        path = models.pretrained_path(path)
    saved = checkpoint.load(path)
    if _RUN.keys() <= saved.metadata.keys():
        for name, wanted in (("metadata", _RUN), ("position", _POSITION)):
            part = getattr(saved, name)  # weights without a run behind them have no position
            if part and (text := lacking(part, wanted, name)):
                raise ValueError(f"{saved.path} is damaged: it has {text}")
    state = ("architecture", "random", "position", "metadata")
    return replace(
        saved, **{name: from_file(getattr(saved, name), f"{saved.path}, {name}") for name in state}
    )


def load_trained(experiment, where, given=None):
    """Return (experiment, model, checkpoint): the trained model of a run, with its weights."""
    experiment, saved = reopen(experiment, where, given)
    device = resolve_device(experiment.settings.device)
    check_batch(experiment, device)  # the size may be another than that of the training
    model = experiment.build_model(device)
    checkpoint.load_parameters(model, saved)
    return experiment, experiment.evaluated_model(model), saved


def settings_of(settings_type, saved):
    """Return the settings that a checkpoint keeps."""
    values = saved.metadata["loop"] | saved.metadata["experiment"]
    values.pop("epoch", None)  # kept before version 0.2; it follows from the data
    return settings_type.from_dict(values)


def kind_of(saved):
    """Return the key in `KINDS` of the run that a checkpoint is of, or None."""
    if not _RUN.keys() <= saved.metadata.keys():
        return None
    older = (kind for name, kind in _TELLING.items() if name in saved.metadata["experiment"])
    return saved.metadata.get("kind") or next(older, None)


def experiment_type(kind):
    """Return the experiment of this kind."""
    module, name = KINDS[kind].split(":")
    return getattr(importlib.import_module(module), name)
