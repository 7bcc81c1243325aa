"""UCF-101 (Soomro et al. 2012): its published splits.

The videos are CLASS/v_CLASS_gNN_cNN.avi, where clips of the same class and group number gNN were cut from the
same recording. For each of three splits there are trainlistNN.txt with lines "CLASS/NAME.avi LABEL" and
testlistNN.txt with lines "CLASS/NAME.avi"; no group is in both.
"""

from pathlib import Path

from .text_list import read_lines


def has_splits(folder):
    """Return whether a folder has UCF-101's split files."""
    return any(Path(folder).glob("testlist*.txt"))


def read_split(videos, splits, number=1):
    """Return the training and the test videos of split `number`, two lists of paths.

    videos: the folder with one folder per class, or with all videos. splits: the folder with the split files.
    A video that a split file names is listed even if it is missing. FileNotFoundError if a split file is
    missing or none of the videos exists; ValueError naming the file and the line that is not understood.
    """
    videos, splits = Path(videos), Path(splits)
    if not videos.is_dir():
        raise FileNotFoundError(f"{videos}: there is no such folder")
    train, test = (_read(videos, splits / f"{name}list{number:02d}.txt") for name in ("train", "test"))
    if not any(path.exists() for path in train + test):
        raise FileNotFoundError(f"{videos}: none of the videos that the split files of {splits} name exists")
    return train, test


def _read(videos, path):
    if not path.is_file():
        raise FileNotFoundError(f"{path}: the split file is missing")
    found = []
    for row, line in read_lines(path):
        words = line.split()
        if not words:
            continue
        name = Path(words[0])
        if len(words) > 2 or len(name.parts) != 2:
            raise ValueError(f"{path}: line {row} is {line!r}, not CLASS/NAME.avi, with a label or without")
        flat = videos / name.name
        found.append(flat if flat.exists() else videos / name)
    return found
