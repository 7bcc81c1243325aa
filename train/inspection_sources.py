"""The sequences that the microscope can show to a model: of its own experiment, of a video, or drawn."""

from itertools import islice
from pathlib import Path

import numpy as np
from nnlite.data import video
from nnlite.data.mnist import find_mnist
from nnlite.data.moving_mnist import DRAWN, MovingMNIST, load_digits
from nnlite.data.moving_mnist_files import SequenceFile
from nnlite.data.moving_shapes import CLASSES, MovingShapes
from nnlite.train import camvid_experiment, real_video_experiment
from nnlite.train.inspection_subject import Sequence

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
    own = experiment.get("frames", SEGMENTER_STEPS if subject.segments else STEPS + 1)
    usual = options.get("n_frames", own - (not subject.segments))
    if steps not in (None, options.get("n_frames", steps)):
        raise ValueError(f"--frames: {subject.name} takes {usual} frames, got {steps}")
    length = (steps or usual) + (not subject.segments)
    size, channels = (options["height"], options["width"]), options["n_channels"]
    if source is not None:
        return _from_video(source, number, length, size, channels)
    if "signature" in experiment:
        return _own_clip(subject, number, length)
    if experiment and subject.segments and steps is None:
        return _own_labelled(subject, number)
    if channels == 1 and size[0] == size[1] and size[0] > 28:
        return _moving_digits(experiment, number, length, size[0])
    return _moving_shapes(number, length, size, channels, options.get("n_classes"))


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


def _own_clip(subject, number, length):
    """Return a test clip of a run on real video."""
    experiment = subject.experiment
    _, sources = real_video_experiment.find_videos(experiment, subject.folder)
    clips = real_video_experiment.load_clips(sources, experiment, experiment["frames"])
    chosen = real_video_experiment.choose_clips(clips, experiment["test_clips"])
    if number >= len(chosen) or length > experiment["frames"]:
        raise ValueError(
            f"the run has {len(chosen)} test clips of {experiment['frames']} frames; --sequence {number} and "
            f"{length} frames are not among them (see --video)"
        )
    frames = clips.clip(chosen[number])[:length]
    return Sequence(np.asarray(frames)[:, None], f"test clip {number} of {len(chosen)}")


def _own_labelled(subject, number):
    """Return a test sequence of a run on labelled video, as it is trained on, with the run's criterion."""
    experiment = dict(subject.experiment)
    data = camvid_experiment.load_data(experiment)
    if number >= (count := experiment["test_sequences"]):
        raise ValueError(f"--sequence: the run has {count} test sequences, got {number}")
    video = data.test.batch([number])
    frames, target = camvid_experiment.make_batch(subject.name, video)
    labels = target if subject.name == "segnet" else target[0]
    criterion = camvid_experiment.build_loss(experiment, data)
    return Sequence(frames, f"test sequence {number} of {experiment['data']}", labels, criterion)


def _moving_digits(experiment, number, length, size):
    """Return a test sequence of the model's experiment on moving digits, or of the paper's."""
    if experiment.get("sequences_file"):
        data = SequenceFile(experiment["sequences_file"], length)
        if number >= len(data):
            raise ValueError(f"--sequence: {data.path} holds {len(data)} sequences, got {number}")
        return Sequence(data.batch([number]).frames, f"sequence {number} of {data.path.name}")
    place, remark = experiment.get("data", DRAWN), ""
    if place != DRAWN and not Path(place).is_dir():
        place = find_mnist()
        remark = "" if place else " (the model learned from MNIST, which is not here: NNLITE_DATA)"
    _, digits, place = load_digits(place or DRAWN)
    speed = experiment.get("speed", [3.6])
    data = MovingMNIST(
        digits, (size, size), experiment.get("digits", 2), (speed[0], speed[-1]), length, split="test"
    )
    kind = "drawn digits" if place == DRAWN else "MNIST digits"
    words = f"test sequence {number}, {data.n_digits} moving {kind}{remark}"
    return Sequence(data.batch([number]).frames, words)


def _moving_shapes(number, length, size, channels, classes):
    """Return a test sequence of moving shapes, with labels for a model of that many classes."""
    data = MovingShapes(size, n_frames=length, visible=None, split="test").batch([number])
    frames = data.frames
    if channels == 1:
        frames = frames.mean(axis=2, keepdims=True, dtype=np.float32)
    words = f"test sequence {number} of moving shapes"
    if classes is None:
        return Sequence(frames, words)
    labels = data.visible_labels
    if classes < len(CLASSES):
        labels = np.where(labels < classes, labels, -1)
        words += f", of whose {len(CLASSES)} classes the model has {classes}"
    return Sequence(frames, words, labels)
