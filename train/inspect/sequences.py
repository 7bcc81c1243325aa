"""The sequences that the microscope can show to a model: of its own experiment, of a video, or drawn."""

from itertools import islice
from pathlib import Path

import numpy as np
from nnlite.data import video
from nnlite.data.mnist import find_mnist
from nnlite.data.moving_mnist import DRAWN, MovingMNIST, load_digits
from nnlite.data.moving_shapes import CLASSES, MovingShapes
from nnlite.train.runs.experiment import Sequence

#: The frames that a model sees of a sequence that has no length of its own.
STEPS = 10
#: The same for segmenters, which keep 64 maps of full size at a step.
SEGMENTER_STEPS = 4


def sequence_for(subject, number=0, source=None, steps=None):
    """Return the `Sequence` with this number that the model can be shown.

    source: a video or folder of pictures, else the test sequences of the model's own experiment, else moving
    digits or shapes. steps: how many frames the model sees; a predictor needs one more to compare with.
    """
    options, experiment = subject.options, subject.experiment
    targets = 0 if subject.segments else 1
    own = experiment.settings.frames if experiment else SEGMENTER_STEPS if subject.segments else STEPS + 1
    usual = options.get("n_frames", own - targets)
    if steps not in (None, options.get("n_frames", steps)):
        raise ValueError(f"--frames: {subject.name} takes {usual} frames, got {steps}")
    length = (steps or usual) + targets
    size, channels = (options["height"], options["width"]), options["n_channels"]
    if source is not None:
        return _from_video(source, number, length, size, channels)
    remark = ""
    if experiment:
        try:
            return experiment.test_sequence(number, None if steps is None else length)
        except FileNotFoundError:
            remark = " (the data of the model's run are not here)"
    if channels == 1 and size[0] == size[1] and size[0] > 28:
        return _moving_digits(number, length, size[0], remark)
    return _moving_shapes(number, length, size, channels, options.get("n_classes"), remark)


def _from_video(source, number, length, size, channels):
    """Return the stretch of a video with this number, all of them being `length` frames long."""
    colour = "grey" if channels == 1 else "rgb"
    first = number * length
    frames = list(islice(video.read_frames(source, size, colour), first, first + length))
    if len(frames) < length:
        raise ValueError(
            f"{source} has only {first + len(frames)} frames; --sequence {number} needs those from {first} "
            f"to {first + length - 1} (see --frames)"
        )
    words = f"frames {first} to {first + length - 1} of {Path(source).name}, in {size[0]}x{size[1]}"
    return Sequence(np.stack(frames)[:, None], words)


def _moving_digits(number, length, size, remark):
    """Return a test sequence of the paper's moving digits."""
    place = find_mnist()
    _, digits, _ = load_digits(place or DRAWN)
    data = MovingMNIST(digits, (size, size), n_frames=length, split="test")
    kind = "MNIST digits" if place else "drawn digits"
    description = f"test sequence {number}, {data.n_digits} moving {kind}{remark}"
    return Sequence(data.batch([number]).frames, description)


def _moving_shapes(number, length, size, channels, classes, remark):
    """Return a test sequence of moving shapes, with labels for a model of that many classes."""
    data = MovingShapes(size, n_frames=length, visible=None, split="test").batch([number])
    frames = data.frames
    if channels == 1:
        frames = frames.mean(axis=2, keepdims=True, dtype=np.float32)
    words = f"test sequence {number} of moving shapes{remark}"
    if classes is None:
        return Sequence(frames, words)
    labels = data.visible_labels
    if classes < len(CLASSES):
        labels = np.where(labels < classes, labels, -1)
        words += f", of whose {len(CLASSES)} classes the model has {classes}"
    return Sequence(frames, words, labels)
