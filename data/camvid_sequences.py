"""Sequences of CamVid's frames, read on demand."""

from collections import Counter
from itertools import pairwise

import numpy as np

from .label_colours import NOT_COUNTED
from .labelled_video import LabelledVideo


class CamVidSequences:
    """A `VideoDataset` of labelled video with a length.

    camvid: the `CamVid` that reads the frames. name: of the split, for `describe()`. sequences: [(frames,
    visible)], for each sequence its T `FrameFiles` and whether training may see their labels.
    """

    def __init__(self, camvid, name, sequences):
        self.camvid, self.name, self.sequences = camvid, name, sequences
        self.size, self.n_frames = camvid.size, len(sequences[0][0])

    def __len__(self):
        return len(self.sequences)

    def continues(self, index):
        """Return whether a sequence starts with the frame after the last one of the sequence before it."""
        return index > 0 and self.sequences[index][0][0].follows(self.sequences[index - 1][0][-1])

    def batch(self, indices):
        """Return the `LabelledVideo` of the sequences with these indices, from 0 to len() - 1.

        ValueError naming the file if it is damaged, has a label that belongs to no class, or differs in size
        from the first picture of its sequence or from its own label map.
        """
        videos = []
        for frames, visible in (self.sequences[int(index)] for index in indices):
            pictures = [self.camvid.read_image(frame) for frame in frames]
            for (_, size), frame in zip(pictures, frames):
                _check_size(frame.image, size, frames[0].image, pictures[0][1])
            true_labels = np.stack([self._labels(f, size) for f, (_, size) in zip(frames, pictures)])
            visible_labels = np.where(np.reshape(visible, (-1, 1, 1)), true_labels, NOT_COUNTED)
            videos.append((np.stack([pixels for pixels, _ in pictures]), visible_labels, true_labels))
        return LabelledVideo(*(np.stack(arrays, axis=1) for arrays in zip(*videos)))

    def _labels(self, frame, size):
        """Return the labels of a frame, -1 if it is unlabelled; `size` is that of its picture file."""
        if frame.label is None:
            return np.full(self.size, NOT_COUNTED, np.int64)
        labels, label_size = self.camvid.read_label(frame)
        _check_size(frame.label, label_size, frame.image, size)
        return labels

    def label_maps(self):
        """Yield each label map (H, W) that training may see once, for instance to count classes."""
        for frame in self.visible_frames():
            yield self.camvid.read_label(frame)[0]

    def visible_frames(self):
        """Return the `FrameFiles` whose labels training may see, each once, in order of appearance."""
        shown = (frame for frames, visible in self.sequences for frame, v in zip(frames, visible) if v)
        return list(dict.fromkeys(shown))

    def describe(self):
        """Return a sentence or two about the composition of these sequences."""
        coverage, gaps = Counter(), Counter()
        for frames, _ in self.sequences:
            steps = [_gap(before, after) for before, after in pairwise(frames)]
            gaps.update(gap for gap in steps if gap)
            coverage["full" if all(steps) else "part" if any(steps) else "none"] += 1
        visible = set(self.visible_frames())
        withheld = {frame for frames, _ in self.sequences for frame in frames if frame.label} - visible
        labels = f"{len(visible)} labelled frames" + (
            f", {len(withheld)} more for scoring" if withheld else ""
        )
        length = "one frame" if self.n_frames == 1 else f"{self.n_frames} frames"
        text = f"{self.name}: {len(self)} sequences of {length}, {labels}."
        if self.n_frames == 1:
            return text
        if coverage["full"]:
            text += f" Real video: {coverage['full']}, with frames {_range(gaps)}/30 s apart."
        if coverage["part"]:
            text += f" Starting with repetitions of the earliest frame: {coverage['part']}."
        if coverage["none"]:
            text += f" Stills, because the preceding frames are missing: {coverage['none']}."
        return text


def _gap(before, after):
    """Return the difference of the numbers of two frames of a sequence; 0 for a repetition."""
    return 0 if before.image == after.image else after.number - before.number


def _range(gaps):
    low, high = min(gaps), max(gaps)
    return f"{low}" if low == high else f"{low} to {high}"


def _check_size(path, size, reference, expected):
    """Raise ValueError unless a file has the size (H, W) of the `reference` file that it belongs to."""
    if size != expected:
        raise ValueError(
            f"{path}: {size[0]} x {size[1]} pixels, but {reference} has {expected[0]} x {expected[1]}; "
            "all pictures and labels of a sequence must have the same size"
        )
