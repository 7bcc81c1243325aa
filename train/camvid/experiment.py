"""What a run of train.camvid is about, new or from a checkpoint: its data, its model and its loss."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from nnlite.data import label_colours, moving_shapes
from nnlite.data.camvid import CamVid, find_camvid
from nnlite.data.camvid_sequences import CamVidSequences
from nnlite.data.moving_shapes import MovingShapes
from nnlite.models.segmentation_loss import PixelCrossEntropy, SegmentationLoss
from nnlite.train.camvid.evaluation import evaluate
from nnlite.train.camvid.scores import median_frequency_weights
from nnlite.train.report import report

import nnlite as nn
from nnlite import checkpoint, models

#: Settings that say what is learned from what, kept in the checkpoint; those of `LoopOptions` say how.
EXPERIMENT = (
    *("model", "model_options", "data", "split", "size", "frames", "shapes", "speed", "noise", "lost"),
    *("train_sequences", "test_sequences", "segmentation_weight", "weights", "seed"),
)
#: The `data` of a run on moving shapes.
SHAPES = "moving shapes"
#: What --split takes: the labelled frames to learn from. With "val" the test is on its later frames.
SPLITS = ("train", "train+val", "val")
TITLES = {"segnet": "SegNet", "segnet_flow": "SegNet-flow"}
#: Label maps of the endless moving shapes from which the weights of the classes are taken.
_COUNTED = 200


@dataclass(frozen=True)
class Data:
    """What a run learns from and is scored on.

    train, test: give sequences as `LabelledVideo`. classes: their names. palette: their colours. weights: of
    the classes in the loss, (K,), by median-frequency balancing.
    """

    train: object
    test: object
    classes: tuple
    palette: np.ndarray
    weights: np.ndarray


def load_data(experiment):
    """Return the `Data` of an experiment, whose numbers of sequences become those that there are.

    The seed changes moving shapes for training only, so that all runs are scored on the same test set.
    """
    if experiment["data"] == SHAPES:
        form = {"size": tuple(experiment["size"]), "number": experiment["shapes"]}
        form |= {name: experiment[name] for name in ("frames", "noise", "lost")}
        form["speed"] = experiment["speed"][0], experiment["speed"][-1]
        return _moving_shapes(experiment["seed"], **form)
    train, test = _camvid(experiment)
    experiment["train_sequences"] = len(train)
    experiment["test_sequences"] = min(experiment["test_sequences"] or len(test), len(test))
    weights = median_frequency_weights(train.label_maps(), len(label_colours.CLASSES))
    return Data(train, test, label_colours.CLASSES, label_colours.PALETTE, weights)


@cache
def _moving_shapes(seed, **form):
    train = MovingShapes(**form, seed=seed, split="train")
    test = MovingShapes(**form, seed=0, split="test")
    maps = (train.sequences([i]).labels[-1, 0] for i in range(_COUNTED))
    weights = median_frequency_weights(maps, len(moving_shapes.CLASSES))
    return Data(train, test, moving_shapes.CLASSES, moving_shapes.PALETTE, weights)


def _camvid(experiment):
    """Return training and test sequences of CamVid; single frames for SegNet where it sees them alone."""
    camvid = CamVid(find_camvid(experiment["data"]), experiment["size"])
    frames, single = experiment["frames"], experiment["model"] == "segnet"
    if experiment["split"] == "val":
        train, test = camvid.split_by_time("val", frames)
        return (_labelled_frames(train) if single else train), test
    length = 1 if single else frames
    parts = [camvid.sequences(split, length) for split in experiment["split"].split("+")]
    windows = [window for part in parts for window in part.windows]
    train = CamVidSequences(camvid, experiment["split"].replace("+", " and "), windows)
    return train, camvid.sequences("test", length)


def _labelled_frames(sequences):
    """Return the frames of CamVid sequences whose labels training may see, each one a sequence, once."""
    found = {frame: None for window, seen in sequences.windows for frame, s in zip(window, seen) if s}
    return CamVidSequences(sequences.data, sequences.split, [([frame], (True,)) for frame in found])


def make_batch(model, video):
    """Return input and target of a `LabelledVideo`: for SegNet the labelled frame of each sequence alone."""
    if model != "segnet":
        return video.frames, [video.labels, video.frames]
    seen = (video.labels >= 0).any(axis=(2, 3)).argmax(axis=0)
    place = seen, np.arange(len(seen))
    return video.frames[place][None], video.labels[place][None]


def build_model(experiment, data, device):
    """Return the experiment's model with its initial weights, on the given device."""
    nn.manual_seed(experiment["seed"])
    height, width = experiment["size"]
    options = {"height": height, "width": width, "n_classes": len(data.classes)}
    return models.build(experiment["model"], **options | experiment["model_options"]).type(device=device)


def build_loss(experiment, data):
    """Return the criterion: cross-entropy for SegNet, for SegNet-flow the error of its predictions too."""
    if experiment["model"] == "segnet":
        return PixelCrossEntropy(data.weights)
    return SegmentationLoss(data.weights, experiment["segmentation_weight"])


def start_with(model, path):
    """Copy the weights of a checkpoint into the model: of the same network, or a SegNet into its SegNet."""
    saved = checkpoint.load(path)
    inner = hasattr(model, "segnet") and saved.architecture.get("name") == "segnet"
    checkpoint.load_parameters(model.segnet if inner else model, saved)


def load_checkpoint(path, settings):
    """Return a checkpoint of a run; `settings` may say where its CamVid is now and how much to test on."""
    saved = checkpoint.load(path)
    experiment = saved.metadata.get("experiment", {})
    if not set(EXPERIMENT) <= set(experiment):
        raise ValueError(f"{path} is a checkpoint, but not one of train.camvid")
    if settings.get("data", SHAPES) != SHAPES and experiment["data"] == SHAPES:
        raise ValueError(f"the model of {path} learned from moving shapes; leave out --camvid")
    experiment |= {name: settings[name] for name in ("data", "test_sequences") if name in settings}
    return saved


def score(model, experiment, data, batch):
    """Return the scores of the model on the test sequences, ready for JSON."""
    return {
        "experiment": experiment,
        "description": describe_data(experiment, data),
        "parameters": models.count_parameters(model),
        "classes": list(data.classes),
        "weights": data.weights.tolist(),
        "scores": evaluate(model, data.test, experiment["test_sequences"], batch, data.classes),
        "hardware": report.hardware(model.device),
    }


def describe(model, experiment, data):
    """Return what is learned from what, on what, in a few lines."""
    height, width = experiment["size"]
    return (
        f"{TITLES[experiment['model']]} ({models.count_parameters(model):,} parameters) on the "
        f"{model.device}, {width}x{height} pixels.\n{describe_data(experiment, data)}"
    )


def describe_data(experiment, data):
    """Return what the sequences are, for training and test."""
    if experiment["data"] == SHAPES:
        slow, fast = experiment["speed"][0], experiment["speed"][-1]
        return (
            f"{experiment['shapes']} moving shapes at {slow:g} to {fast:g} pixels a frame, sequences of "
            f"{experiment['frames']} frames with labels for the last one; noise {experiment['noise']:g}, "
            f"{100 * experiment['lost']:g}% of each frame lost."
        )
    return f"Training: CamVid {data.train.describe()}\nTest: CamVid {data.test.describe()}"
