"""Two consecutive frames and the true flow between them, as benchmarks of optical flow publish them."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .flow import known_flow, read_flo
from .pictures import colours, open_picture


@dataclass(frozen=True)
class Pair:
    """Frame t, frame t + 1 and the flow from t to t + 1, given at the positions of frame t.

    first, second: (H, W, 3), float32 in [0, 1]: 8-bit values over 255. flow: (H, W, 2) of (u, v) in pixels.
    hidden: (H, W) of bool, the pixels of frame t that are not to be seen in frame t + 1, or None where
    nobody has marked them.
    """

    first: np.ndarray
    second: np.ndarray
    flow: np.ndarray
    hidden: np.ndarray | None = None

    @property
    def known(self):
        """The mask (H, W) of the pixels whose flow is known."""
        return known_flow(self.flow)


@dataclass(frozen=True)
class PairFiles:
    """The files of a pair. dataset, sequence and name say what it is; masks: those of hidden pixels."""

    dataset: str
    sequence: str
    name: str
    first: Path
    second: Path
    flow: Path
    masks: tuple = ()

    def read(self):
        """Return the `Pair`; FileNotFoundError or ValueError names the file that is missing or broken."""
        first, second = (colours(open_picture(path)) for path in (self.first, self.second))
        flow = read_flo(self.flow)
        masks = [np.asarray(open_picture(path).convert("L")) > 0 for path in self.masks]
        for path, array in ((self.second, second), (self.flow, flow), *zip(self.masks, masks)):
            if array.shape[:2] != first.shape[:2]:
                raise ValueError(f"{path}: {_size(array)}, but {self.first} has {_size(first)}")
        hidden = np.any(masks, axis=0) if masks else None
        return Pair(first / np.float32(255), second / np.float32(255), flow, hidden)


def find_folder(option, asked, name, inside):
    """Return the folder of a data set, the one that has the folders `inside`, or None.

    asked: the value of the command line's `option`; there the folder must be, itself or one of its
    subfolders training/ and `name`/, else FileNotFoundError. Without it, it may be in `name`/ of the folder
    that the environment variable NNLITE_DATA names.
    """
    data = os.environ.get("NNLITE_DATA")
    if not (asked or data):
        return None
    origin, folder = (option, Path(asked)) if asked else ("NNLITE_DATA", Path(data))
    if not folder.is_dir():
        raise FileNotFoundError(f"{origin}: there is no folder {folder}")
    above = (folder, folder / name) if asked else (folder / name,)
    for candidate in (path for root in above for path in (root, root / "training")):
        if all((candidate / part).is_dir() for part in inside):
            return candidate
    if asked:
        raise FileNotFoundError(f"{option}: {folder} has no folders {' and '.join(inside)}, as {name} has")
    return None


def _size(array):
    height, width = array.shape[:2]
    return f"{width} x {height} pixels"
