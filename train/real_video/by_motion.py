"""Errors by motion: of pixels that move, that hardly do, and that stand still, as Lucas-Kanade sees it."""

import numpy as np

from nnlite.train.real_video.baselines import NAMES
from nnlite.train.report.tables import format_markdown
from nnlite.train.runs import processes

#: The classes, by the length of the motion in pixels a frame.
CLASSES = {"still": "below 0.2", "slow": "0.2 to 1", "fast": "more than 1"}
#: The rows of the table, the classes and the parts of the last of them, and between which lengths they are.
ROWS = {
    "fast": (CLASSES["fast"], 1.0, np.inf),
    "fast_to_4": ("of these, up to 4", 1.0, 4.0),
    "fast_to_8": ("4 to 8", 4.0, 8.0),
    "fastest": ("more than 8", 8.0, np.inf),
    "slow": (CLASSES["slow"], 0.2, 1.0),
    "still": (CLASSES["still"], 0.0, 0.2),
}
#: The lengths at which these begin: the errors are added up from each to the next.
_STARTS = np.unique([above for _, above, _ in ROWS.values()])


class ErrorsByMotion:
    """The squared errors of each class, added up over any number of sequences."""

    def __init__(self):
        self._pixels, self._sums = np.zeros(len(_STARTS), int), {}

    def __add__(self, other):
        both = ErrorsByMotion()
        both._pixels = self._pixels + other._pixels
        both._sums = processes.add_up([self._sums, other._sums])
        return both

    def add(self, predictions, truth, motion):
        """Add {name: frames} and the true ones, (T, N, C, H, W), whose content has moved (T, N, H, W, 2)."""
        kind = np.digitize(np.hypot(motion[..., 0], motion[..., 1]), _STARTS[1:]).ravel()
        self._pixels += np.bincount(kind, minlength=len(self._pixels))
        for name, frames in predictions.items():
            squared = ((frames.astype(np.float64) - truth) ** 2).mean(axis=2).ravel()
            sums = np.bincount(kind, squared, minlength=len(self._pixels))
            self._sums[name] = self._sums.get(name, 0.0) + sums

    def result(self):
        """Return {class: {"pixels": share, "error": share of the copy's, "over_copy": {name: ratio}}}.

        A ratio is that of the squared errors, None where that of the copy is zero. The parts of the last
        class are among them.
        """
        all_pixels, all_error, found = self._pixels.sum(), self._sums["copy"].sum() or 1.0, {}
        for name, (_, above, below) in ROWS.items():
            members = (_STARTS >= above) & (_STARTS < below)
            sums = {other: float(s[members].sum()) for other, s in self._sums.items()}
            ratios = {other: s / sums["copy"] if sums["copy"] else None for other, s in sums.items()}
            pixels = float(self._pixels[members].sum() / all_pixels)
            found[name] = {"pixels": pixels, "error": sums["copy"] / float(all_error), "over_copy": ratios}
        return found


def format_table(result):
    """Return the table in Markdown, a row for each class."""
    compared = [name for name in NAMES if name != "copy"]
    head = ["motion, pixels a frame", "pixels", "error of the copy", *(NAMES[name] for name in compared)]
    rows = []
    for name, (title, *_) in ROWS.items():
        found = result[name]
        ratios = (found["over_copy"][other] for other in compared)
        cells = ("-" if ratio is None else f"{ratio:.2f}" for ratio in ratios)
        rows.append([title, f"{found['pixels']:.1%}", f"{found['error']:.1%}", *cells])
    return format_markdown(head, rows)
