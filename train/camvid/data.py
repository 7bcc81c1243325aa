"""What a segmenter learns from and is scored on: CamVid, or moving shapes."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from nnlite.data import label_colours, moving_shapes
from nnlite.data.camvid import CamVid, find_camvid
from nnlite.data.camvid_sequences import CamVidSequences
from nnlite.data.moving_shapes import MovingShapes
from nnlite.train.camvid.scores import median_frequency_weights
from nnlite.train.camvid.settings import SHAPES

#: Label maps of the endless moving shapes from which the weights of the classes are computed.
_WEIGHTED = 200


@dataclass(frozen=True)
class Data:
    """The sequences of a run, and their classes.

    train, test: give sequences as `LabelledVideo`. classes: their names. palette: their colours. weights: of
    the classes in the loss, (K,), by median-frequency balancing.
    """

    train: object
    test: object
    classes: tuple
    palette: np.ndarray
    weights: np.ndarray


def load_data(settings):
    """Return the `Data` of a run.

    The seed changes moving shapes for training only, so that all runs are scored on the same test set.
    FileNotFoundError when CamVid is not there, ValueError for data that cannot be made or read.
    """
    if settings.data == SHAPES:
        form = {name: getattr(settings, name) for name in ("size", "speed", "noise", "lost")}
        form |= {"n_shapes": settings.shapes, "n_frames": settings.frames}
        return _moving_shapes(settings.seed, **form)
    train, test = _camvid(settings)
    weights = median_frequency_weights(train.label_maps(), len(label_colours.CLASSES))
    return Data(train, test, label_colours.CLASSES, label_colours.PALETTE, weights)


def colours_of(settings):
    """Return the names of the classes in the data of a run and their colours, without reading the data."""
    source = moving_shapes if settings.data == SHAPES else label_colours
    return source.CLASSES, source.PALETTE


@cache
def _moving_shapes(seed, **form):
    train = MovingShapes(**form, seed=seed, split="train")
    test = MovingShapes(**form, seed=0, split="test")
    maps = (train.batch([i]).visible_labels[-1, 0] for i in range(_WEIGHTED))
    weights = median_frequency_weights(maps, len(moving_shapes.CLASSES))
    return Data(train, test, moving_shapes.CLASSES, moving_shapes.PALETTE, weights)


def _camvid(settings):
    """Return training and test sequences of CamVid; for SegNet single frames where the split has labels."""
    camvid = CamVid(find_camvid(settings.data), settings.size)
    frames, single = settings.frames, settings.model == "segnet"
    if settings.split == "val":
        train, test = camvid.split_by_time("val", frames)
        return (_labelled_frames(train) if single else train), test
    length = 1 if single else frames
    parts = [camvid.sequences(split, length) for split in settings.split.split("+")]
    sequences = [sequence for part in parts for sequence in part.sequences]
    train = CamVidSequences(camvid, settings.split.replace("+", " and "), sequences)
    return train, camvid.sequences("test", length)


def _labelled_frames(sequences):
    """Return the frames of CamVid sequences with visible labels, each as a sequence of its own, once."""
    frames = sequences.visible_frames()
    return CamVidSequences(sequences.camvid, sequences.name, [([frame], (True,)) for frame in frames])


def input_and_target(model, video):
    """Return both for a `LabelledVideo`: for SegNet the labelled frame of each sequence alone."""
    if model != "segnet":
        return video.frames, [video.visible_labels, video.frames]
    labelled = (video.visible_labels >= 0).any(axis=(2, 3)).argmax(axis=0)
    index = labelled, np.arange(len(labelled))
    return video.frames[index][None], video.visible_labels[index][None]


def describe_data(settings, data):
    """Return a description of the training and test sequences."""
    if settings.data == SHAPES:
        slow, fast = settings.speed
        return (
            f"{settings.shapes} moving shapes at {slow:g} to {fast:g} pixels a frame, sequences of "
            f"{settings.frames} frames with labels for the last one; noise {settings.noise:g}, "
            f"{100 * settings.lost:g}% of each frame lost."
        )
    return f"Training: CamVid {data.train.describe()}\nTest: CamVid {data.test.describe()}"
