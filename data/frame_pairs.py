"""Two consecutive frames and the true flow between them, as optical-flow benchmarks publish them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .flow import known_flow, read_flo
from .folders import find_data_set
from .pictures import open_picture, rgb


@dataclass(frozen=True)
class Pair:
    """Frame t, frame t + 1 and the flow from t to t + 1 at the pixels of frame t.

    first, second: (H, W, 3), float32 in [0, 1]: 8-bit values over 255. flow: (H, W, 2) of (u, v) in pixels.
    hidden: (H, W) bool, the pixels of frame t whose content frame t + 1 does not show; None if unknown.
    """

    first: np.ndarray
    second: np.ndarray
    flow: np.ndarray
    hidden: np.ndarray | None = None

    @property
    def known(self):
        """The mask (H, W) of the pixels where the flow is known."""
        return known_flow(self.flow)


@dataclass(frozen=True)
class PairFiles:
    """The files of a pair; dataset, sequence and name identify it; masks: those of hidden pixels."""

    dataset: str
    sequence: str
    name: str
    first: Path
    second: Path
    flow: Path
    masks: tuple = ()

    def read(self):
        """Return the `Pair`; FileNotFoundError or ValueError names the file that is missing or damaged."""
        first, second = (rgb(open_picture(path)) for path in (self.first, self.second))
        flow = read_flo(self.flow)
        masks = [np.asarray(open_picture(path).convert("L")) > 0 for path in self.masks]
        for path, array in ((self.second, second), (self.flow, flow), *zip(self.masks, masks)):
            if array.shape[:2] != first.shape[:2]:
                raise ValueError(f"{path}: {_size(array)}, but {self.first} has {_size(first)}")
        hidden = np.any(masks, axis=0) if masks else None
        return Pair(first / np.float32(255), second / np.float32(255), flow, hidden)


def find_pairs_folder(title, path, option, name, required):
    """Return the folder of a data set that has the subfolders `required`, or None (see `find_data_set`).

    In the folder of NNLITE_DATA it is `name`/ or `name`/training/; the folder that the option names may
    also be the data set itself or the parent of its training/.
    """
    subfolders = ["", "training"] if path else []
    return find_data_set(
        title,
        path,
        option,
        subfolders=[*subfolders, name, f"{name}/training"],
        is_data_set=lambda folder: all((folder / part).is_dir() for part in required),
        contents=" and ".join(f"{part}/" for part in required),
    )


def _size(array):
    height, width = array.shape[:2]
    return f"{height} x {width} pixels"
