"""Random changes of training sequences that leave their meaning alone: mirrored, cut out, lighter."""

import numpy as np

from nnlite.data.label_colours import NOT_COUNTED
from nnlite.data.labelled_video import LabelledVideo

#: Keeps these random numbers apart from others of the same seed.
_STREAM = 30


def augmented(video, settings, numbers):
    """Return a `LabelledVideo` of which each sequence is changed at random, all of its frames alike.

    settings: has `seed` and what may be changed: `mirror`, every second sequence from left to right; `zoom`,
    the range of the factor by which it is enlarged, its logarithm uniform, about a random place; `light`, the
    largest natural logarithm of the factor on its values. Beyond the border of what is made smaller the
    picture repeats it and no label counts. numbers: that of each sequence among all that have been trained
    on; the changes depend on nothing but it and the seed. With nothing to change `video` itself.
    """
    if not (settings.mirror or settings.light or tuple(settings.zoom) != (1, 1)):
        return video
    frames, visible, true = (
        array.copy() for array in (video.frames, video.visible_labels, video.true_labels)
    )
    for n, number in enumerate(numbers):
        random = np.random.Generator(np.random.PCG64([settings.seed, number, _STREAM]))
        mirror, log_light = random.random() < 0.5, random.uniform(-settings.light, settings.light)
        factor = np.exp(random.uniform(*np.log(settings.zoom)))
        places = [_places(size, factor, random.random()) for size in frames.shape[-2:]]
        if settings.mirror and mirror:
            places[1] = places[1][::-1]
        for labels in (visible, true):
            labels[:, n] = _nearest(labels[:, n], places)
        frames[:, n] = np.clip(_interpolated(frames[:, n], places) * np.exp(log_light), 0, 1)
    return LabelledVideo(frames, visible, true)


def _places(size, factor, part):
    """Return where the `size` pixels of an axis are read: `part` of what is left over lies before them."""
    first = part * (size - size / factor)
    return first + (np.arange(size) + 0.5) / factor - 0.5


def _nearest(labels, places):
    """Return label maps (T, H, W) read at these places, -1 where they are outside."""
    rows, columns = (np.floor(axis + 0.5).astype(np.int64) for axis in places)
    inside = [(index >= 0) & (index < size) for index, size in zip((rows, columns), labels.shape[1:])]
    read = labels[:, rows.clip(0, labels.shape[1] - 1)][:, :, columns.clip(0, labels.shape[2] - 1)]
    return np.where(inside[0][:, None] & inside[1], read, NOT_COUNTED)


def _interpolated(frames, places):
    """Return frames (T, C, H, W) read at these places, linearly in between, the border repeated outside."""
    for axis, position in zip((2, 3), places):
        size = frames.shape[axis]
        position = position.clip(0, size - 1)
        before = np.minimum(position.astype(np.int64), size - 1)
        after = np.minimum(before + 1, size - 1)
        share = (position - before).astype(frames.dtype).reshape(-1, *[1] * (3 - axis))
        low = frames.take(before, axis)
        frames = low + share * (frames.take(after, axis) - low)
    return frames
