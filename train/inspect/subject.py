"""What the microscope looks at: a model with its weights, and a sequence."""

import inspect
from dataclasses import dataclass
from pathlib import Path

from nnlite.models.segmentation_loss import PixelCrossEntropy, SegmentationLoss
from nnlite.train.runs.experiment import Experiment, experiment_type, kind_of, reopen
from nnlite.train.runs.loop import CHECKPOINT

import nnlite as nn
from nnlite import checkpoint, models

DEFAULT = "ae_convlstm_flow"
#: Side of the frames of a segmenter that has not been trained.
SIDE = 64


@dataclass
class Subject:
    """A model, where its weights are from (`weights`, a sentence), its run's experiment and folder."""

    model: nn.Module
    weights: str
    experiment: Experiment | None = None
    folder: Path | None = None

    @property
    def name(self):
        """The name of the architecture."""
        return self.model.config["name"]

    @property
    def options(self):
        """All options of the architecture, given or default."""
        given = inspect.signature(type(self.model)).bind(**self.model.config["options"])
        given.apply_defaults()
        return given.arguments

    @property
    def segments(self):
        """Whether it labels pixels."""
        return self.name in models.segmenter_names()

    @property
    def loss_at(self):
        """Which steps' predictions it was trained on."""
        return self.experiment.settings.loss_at if self.experiment else "all"

    @property
    def offset(self):
        """What is subtracted from all frames before the model sees them."""
        return self.experiment.offset if self.experiment else 0.0


def load(source=None, name=None):
    """Return the `Subject` in a run folder or checkpoint; without one, a pretrained or a new model.

    name: of the architecture, where there is a choice. ValueError or OSError, naming the file or the option.
    """
    if source is not None:
        return _from_checkpoint(Path(source), name)
    known = [*models.names(), *models.segmenter_names()]
    if name is not None and name not in known:
        raise ValueError(f"--model: unknown model {name!r}; choose from {', '.join(known)}")
    name = name or DEFAULT
    if name in models.pretrained_names():
        saved = checkpoint.load(models.pretrained_path(name))
        weights = "the pretrained weights of the package"
        return Subject(models.load_pretrained(name), weights, _experiment(saved))
    nn.manual_seed(0)
    size = {"height": SIDE, "width": SIDE} if name in models.segmenter_names() else {}
    model = models.build(name, **size)
    return Subject(model, "freshly initialised, not trained: the package has no trained weights of it")


def _from_checkpoint(path, name):
    """Return the `Subject` in a checkpoint, in the folder of a run, or in that of several runs."""
    if path.is_dir():
        if not (path / CHECKPOINT).exists():
            runs = sorted(folder.parent.name for folder in path.glob(f"*/{CHECKPOINT}"))
            if name is None and runs:
                raise ValueError(f"{path} holds several runs; choose one with --model: {', '.join(runs)}")
            path = path / (name or "")
        path = path / CHECKPOINT
    saved = checkpoint.load(path)
    if not {"name", "options"} <= set(saved.architecture):
        raise ValueError(f"{path} does not say which architecture it is of; it was not written by train")
    if name not in (None, saved.architecture["name"]):
        raise ValueError(f"{path} is of {saved.architecture['name']}, not of --model {name}")
    model = models.build(saved.architecture["name"], **saved.architecture["options"])
    checkpoint.load_parameters(model, saved)
    seen = f" at step {saved.position['step']}" if "step" in saved.position else ""
    return Subject(model, f"{path}{seen}", _experiment(saved), path.parent)


def _experiment(saved):
    """Return the experiment of the run that a checkpoint is of, None where there was no run."""
    kind = kind_of(saved)
    return kind and reopen(experiment_type(kind), saved.path)[0]


def criterion_of(subject):
    """Return the criterion to train the model with where no run says another; it sums over all elements."""
    if subject.segments:
        return SegmentationLoss() if subject.name == "segnet_flow" else PixelCrossEntropy()
    loss = nn.BCECriterion if subject.options["output"] == "sigmoid" else nn.MSECriterion
    return loss(size_average=False)
