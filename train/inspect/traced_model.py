"""The model under the microscope: its weights, where they come from, and the run that trained them."""

import inspect
from dataclasses import dataclass
from pathlib import Path

import nnlite as nn
from nnlite import checkpoint, models
from nnlite.files import as_text
from nnlite.models.segmentation_loss import PixelCrossEntropy, SegmentationLoss
from nnlite.spelling import did_you_mean
from nnlite.train.runs.experiment import Experiment, experiment_type, kind_of, load_run, reopen
from nnlite.train.runs.loop import CHECKPOINT

DEFAULT = "ae_convlstm_flow"
#: Side of the frames of a segmenter that has not been trained.
SIDE = 64


@dataclass
class TracedModel:
    """A model with its weights.

    origin: where the weights come from, a phrase. experiment: that of the run, None for a model without one.
    folder: that of the checkpoint, None where there is none.
    """

    model: nn.Module
    origin: str
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
        """The steps whose predictions it was trained on, "all" or "last"."""
        return self.experiment.settings.loss_at if self.experiment else "all"

    @property
    def offset(self):
        """What is subtracted from all frames before the model sees them."""
        return self.experiment.offset if self.experiment else 0.0


def load(source=None, name=None):
    """Return the `TracedModel` in a run folder or checkpoint; without one, a pretrained or a new model.

    name: of the architecture, where there is a choice. ValueError or OSError, naming the file or the option.
    """
    if source is not None:
        return _from_checkpoint(Path(source), name)
    known = [*models.names(), *models.segmenter_names()]
    if name is not None and name not in known:
        near = did_you_mean(name, known)
        raise ValueError(f"--model: unknown model {name!r}; choose from {', '.join(known)}{near}")
    name = name or DEFAULT
    if name in models.pretrained_names():
        saved = load_run(models.pretrained_path(name))
        origin = "the pretrained weights of the package"
        return TracedModel(models.load_pretrained(name), origin, _experiment(saved))
    nn.manual_seed(0)
    size = {"height": SIDE, "width": SIDE} if name in models.segmenter_names() else {}
    model = models.build(name, **size)
    return TracedModel(model, "newly initialised, not trained: the package has no trained weights for it")


def _from_checkpoint(path, name):
    """Return the `TracedModel` in a checkpoint, in the folder of a run, or in that of several runs."""
    if path.is_dir():
        if not (path / CHECKPOINT).exists():
            runs = sorted(folder.parent.name for folder in path.glob(f"*/{CHECKPOINT}"))
            if name is None and runs:
                raise ValueError(f"{path} holds several runs; choose one with --model: {', '.join(runs)}")
            path = path / (name or "")
        path = path / CHECKPOINT
    saved = load_run(path)
    if not {"name", "options"} <= set(saved.architecture):
        raise ValueError(f"{path} does not name its architecture; it was not written by train")
    if name not in (None, saved.architecture["name"]):
        raise ValueError(f"{path} is of {saved.architecture['name']}, not of --model {name}")
    model = models.build(saved.architecture["name"], **saved.architecture["options"])
    checkpoint.load_parameters(model, saved)
    step = f" at step {saved.position['step']}" if "step" in saved.position else ""
    return TracedModel(model, as_text("/".join(path.parts[-2:])) + step, _experiment(saved), path.parent)


def _experiment(saved):
    """Return the experiment of the run that wrote a checkpoint, None if no run did."""
    kind = kind_of(saved)
    return kind and reopen(experiment_type(kind), saved.path)[0]


def default_criterion(traced):
    """Return the criterion for a model unless its run has its own; it sums over all elements."""
    if traced.segments:
        return SegmentationLoss() if traced.name == "segnet_flow" else PixelCrossEntropy()
    loss = nn.BCECriterion if traced.options["output"] == "sigmoid" else nn.MSECriterion
    return loss(size_average=False)
