"""Sequences of CamVid's frames, read when they are asked for."""

from collections import Counter
from itertools import pairwise

import numpy as np

from .label_colours import NOT_COUNTED
from .labelled_video import LabelledVideo


class CamVidSequences:
    """A finite list of sequences; `len()` is their number.

    data: the `CamVid` that reads them. split: its name, for `describe()`. windows: [(frames, seen)], for each
    sequence its T frames and whether training may see their labels.
    Attribute: `size`, (H, W).
    """

    def __init__(self, data, split, windows):
        self.data, self.split, self.windows = data, split, windows
        self.size = data.size

    def __len__(self):
        return len(self.windows)

    def sequences(self, indices):
        """Return the `LabelledVideo` of the given numbers, from 0 to len() - 1.

        ValueError naming the file when it is damaged, has a label that no class has, or another size than the
        first picture of its sequence or than its own label map.
        """
        windows = [self.windows[int(index)] for index in indices]
        frames, labels, truth = ([] for _ in range(3))
        for window, seen in windows:
            pictures = [self.data.read_image(frame) for frame in window]
            for (_, size), frame in zip(pictures, window):
                _check_size(frame.image, size, window[0].image, pictures[0][1])
            maps = [self._truth(frame, size) for frame, (_, size) in zip(window, pictures)]
            frames.append(np.stack([pixels for pixels, _ in pictures]))
            truth.append(np.stack(maps))
            labels.append(np.where(np.reshape(seen, (-1, 1, 1)), truth[-1], NOT_COUNTED))
        return LabelledVideo(*(np.stack(arrays, axis=1) for arrays in (frames, labels, truth)))

    def _truth(self, frame, size):
        """Return the labels of a frame, -1 without; `size` is that of its picture in the file."""
        if frame.label is None:
            return np.full(self.size, NOT_COUNTED, np.int64)
        labels, own = self.data.read_label(frame)
        _check_size(frame.label, own, frame.image, size)
        return labels

    def label_maps(self):
        """Yield each label map (H, W) that training may see, once, for instance to count classes."""
        frames = {frame: None for window, seen in self.windows for frame, s in zip(window, seen) if s}
        for frame in frames:
            yield self.data.read_label(frame)[0]

    def describe(self):
        """Return a sentence or two on what these sequences are made of."""
        length = len(self.windows[0][0])
        kinds, gaps = Counter(), Counter()
        for window, _ in self.windows:
            here = [_gap(before, after) for before, after in pairwise(window)]
            gaps.update(gap for gap in here if gap)
            kinds["whole" if all(here) else "partly" if any(here) else "stills"] += 1
        seen = {frame for window, seen in self.windows for frame, s in zip(window, seen) if s}
        hidden = {frame for window, _ in self.windows for frame in window if frame.label} - seen
        labels = f"{len(seen)} labelled frames" + (f", {len(hidden)} more to measure on" if hidden else "")
        frames = "one frame" if length == 1 else f"{length} frames"
        text = f"{self.split}: {len(self)} sequences of {frames}, {labels}."
        if length == 1:
            return text
        if kinds["whole"]:
            text += f" Real video: {kinds['whole']}, with frames {_range(gaps)}/30 s apart."
        if kinds["partly"]:
            text += f" Begun with repetitions of the first frame there is: {kinds['partly']}."
        if kinds["stills"]:
            text += f" Stills, as the frames before are not there: {kinds['stills']}."
        return text


def _gap(before, after):
    """Return how many numbers two frames of a sequence are apart; 0 for a repetition."""
    return 0 if before.image == after.image else after.number - before.number


def _range(gaps):
    low, high = min(gaps), max(gaps)
    return f"{low}" if low == high else f"{low} to {high}"


def _check_size(path, size, first, expected):
    """Raise unless two files that belong together have the same size (H, W)."""
    if size != expected:
        raise ValueError(
            f"{path}: {size[1]} x {size[0]} pixels, but {first} has {expected[1]} x {expected[0]}; "
            "pictures and labels of a sequence must have one size"
        )
