"""HMDB-51 (Kuehne et al. 2011): its folder of videos and its published splits.

The videos are CLASS/NAME.avi. For each class and each of three splits there is a file CLASS_test_splitN.txt
with lines "NAME.avi 1" (training), "NAME.avi 2" (test) or "NAME.avi 0" (unused).
"""

from pathlib import Path

from .image_sequence import natural_key
from .text_list import read_lines

_UNUSED, _TRAIN, _TEST = "0", "1", "2"


def read_split(videos, splits, number=1):
    """Return the training and the test videos of split `number`, two lists of paths.

    videos: the folder with one folder per class. splits: the folder with the split files. A video that a
    split file names is listed even if it is missing. FileNotFoundError if a class has no split file or none
    of the videos exists; ValueError naming the file and the line that is not understood.
    """
    videos, splits = Path(videos), Path(splits)
    for folder in (videos, splits):
        if not folder.is_dir():
            raise FileNotFoundError(f"{folder}: there is no such folder")
    classes = [entry for entry in videos.iterdir() if entry.is_dir() and not entry.name.startswith(".")]
    if not classes:
        raise FileNotFoundError(f"{videos}: HMDB-51 has one folder per class here, but there is none")
    listed = {_TRAIN: [], _TEST: [], _UNUSED: []}
    for folder in sorted(classes, key=lambda entry: natural_key(entry.name)):
        path = splits / f"{folder.name}_test_split{number}.txt"
        if not path.is_file():
            raise FileNotFoundError(f"{path}: the split file of the class {folder.name} is missing")
        for row, line in read_lines(path):
            if not line.strip():
                continue
            name, _, use = line.strip().rpartition(" ")
            if not name or use not in listed:
                raise ValueError(f"{path}: line {row} is {line!r}, not a name and 0, 1 or 2")
            listed[use].append(folder / name.strip())
    train, test = listed[_TRAIN], listed[_TEST]
    if not any(path.exists() for path in train + test):
        raise FileNotFoundError(
            f"{videos}: none of the videos that the split files name ({path} and others) exists"
        )
    return train, test
