"""The sequences to run a model on: those of its own experiment, of a video, or drawn ones."""

from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

from nnlite.data import video
from nnlite.data.mnist import find_mnist
from nnlite.data.moving_mnist import DRAWN, MovingMNIST, load_digits
from nnlite.data.moving_shapes import CLASSES, MovingShapes
from nnlite.files import as_text
from nnlite.train.runs.experiment import Sequence

#: The frames that a model sees of a sequence that has no length of its own.
N_FRAMES = 10
#: The same for segmenters, which keep 64 maps of full size at a step.
SEGMENTER_FRAMES = 4
#: The most pixels of all frames together unless a number of frames is asked for: those of 13 of 96x128. All
#: that a model computes on them is in memory at once, 3.2 GiB for SegNet-flow on three of 180x240.
MOST_PIXELS = 13 * 96 * 128


def sequence_for(traced, number=0, source=None, n_frames=None):
    """Return the `Sequence` with this number, fit for the model.

    source: a video or folder of pictures; without one, the test sequences of the model's own experiment,
    else moving digits or shapes. n_frames: how many the model sees, by default as many as in training, of
    large frames fewer (`MOST_PIXELS`); a predictor needs one more as target.
    """
    found = _sequence_for(traced, number, source, n_frames)
    if found.criterion is None and traced.experiment and not traced.segments:
        found = replace(found, criterion=traced.experiment.criterion)
    return found


def _sequence_for(traced, number, source, n_frames):
    options, experiment = traced.options, traced.experiment
    extra = 0 if traced.segments else 1
    if experiment:
        default = experiment.seen
    else:
        default = SEGMENTER_FRAMES if traced.segments else N_FRAMES
    default = options.get("n_frames", default)
    fitting = max(2, MOST_PIXELS // (options["height"] * options["width"]))
    if n_frames is None and fitting < default and traced.name != "segnet" and "n_frames" not in options:
        n_frames = fitting
    if n_frames not in (None, options.get("n_frames", n_frames)):
        raise ValueError(f"--frames: {traced.name} takes {default} frames, got {n_frames}")
    length = (n_frames or default) + extra
    size, channels = (options["height"], options["width"]), options["n_channels"]
    if source is not None:
        rate = experiment.rate if experiment else 0.0
        return _from_video(source, number, length, size, channels, rate)
    remark = ""
    if experiment:
        try:
            return experiment.test_sequence(number, None if n_frames is None else length)
        except FileNotFoundError:
            remark = " (the data of the model's run are not here)"
    if channels == 1 and size[0] == size[1] and size[0] > 28:
        return _moving_digits(number, length, size[0], remark)
    return _moving_shapes(number, length, size, channels, options.get("n_classes"), remark)


def _from_video(source, number, length, size, channels, rate):
    """Return the segment of a video with this number, each being `length` frames long.

    rate: in frames a second, as the model's run took them; 0 for each frame of the file.
    """
    colour = "grey" if channels == 1 else "rgb"
    first = number * length
    frames = list(islice(video.read_frames(source, size, colour, rate or None), first, first + length))
    if len(frames) < length:
        raise ValueError(
            f"{source} has only {first + len(frames)} frames; --sequence {number} needs frames {first} "
            f"to {first + length - 1} (see --frames)"
        )
    description = (
        f"frames {first} to {first + length - 1} of {as_text(Path(source).name)}, in {size[0]}x{size[1]}"
        + (f", {rate:g} a second" if rate else "")
    )
    return Sequence(np.stack(frames)[:, None], description)


def _moving_digits(number, length, size, remark):
    """Return a test sequence of the paper's moving digits."""
    folder = find_mnist()
    _, digits, _ = load_digits(folder or DRAWN)
    data = MovingMNIST(digits, (size, size), n_frames=length, split="test")
    source = "MNIST digits" if folder else "drawn digits"
    description = f"test sequence {number}, {data.n_digits} moving {source}{remark}"
    return Sequence(data.batch([number]).frames, description)


def _moving_shapes(number, length, size, channels, n_classes, remark):
    """Return a test sequence of moving shapes, with labels for a model with that many classes."""
    data = MovingShapes(size, n_frames=length, visible=None, split="test").batch([number])
    frames = data.frames
    if channels == 1:
        frames = frames.mean(axis=2, keepdims=True, dtype=np.float32)
    description = f"test sequence {number} of moving shapes{remark}"
    if n_classes is None:
        return Sequence(frames, description)
    labels = data.visible_labels
    if n_classes < len(CLASSES):
        labels = np.where(labels < n_classes, labels, -1)
        description += f"; the model has {n_classes} of their {len(CLASSES)} classes"
    return Sequence(frames, description, labels)
