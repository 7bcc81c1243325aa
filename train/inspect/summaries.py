"""Arrays as the page shows them: maps to draw, and statistics in full precision."""

import hashlib
import math
from dataclasses import dataclass, field

import numpy as np

#: Bins of a histogram, odd: zero is in the middle one.
BINS = 41


@dataclass
class TensorSummary:
    """An array at one time step: its maps (C, H, W), and its `statistics`.

    importance: one number a map; where not all can be shown, those with the largest are.
    """

    maps: np.ndarray
    statistics: dict
    importance: np.ndarray


@dataclass
class TensorSummaries:
    """All `TensorSummary`s, equal arrays once: the output of one module is the input of the next.

    frame_sizes: the sizes of maps (see `as_maps`). items: the summaries.
    """

    frame_sizes: set
    items: list = field(default_factory=list)
    _index_of: dict = field(default_factory=dict)

    def add(self, array, importance=None):
        """Return the index of the summary of an array, or None for anything but an array of floats."""
        if not isinstance(array, np.ndarray) or array.dtype.kind != "f" or not array.size:
            return None
        maps = np.ascontiguousarray(as_maps(array, self.frame_sizes))
        key = maps.shape, array.shape, hashlib.blake2b(maps).digest()
        if key not in self._index_of:
            self._index_of[key] = len(self.items)
            if importance is None or len(importance) != len(maps):
                importance = energy(maps)
            self.items.append(TensorSummary(maps, statistics(array), importance))
        return self._index_of[key]


def frame_sizes(height, width):
    """Return the sizes of maps that a model makes of frames by halving them."""
    rounded_down = {(height >> k, width >> k) for k in range(6)}
    return rounded_down | {(-(-height >> k), -(-width >> k)) for k in range(6)}


def as_maps(array, sizes):
    """Return an array of one time step as maps (C, H, W).

    The sampler's (H, W, C) is recognised by its first two dimensions being one of the `sizes` of maps.
    Vectors become one map, row by row; of parameters (n_out, n_in, kh, kw) each kernel is a map.
    """
    while array.ndim > 3 and len(array) == 1:
        array = array[0]
    if array.ndim == 3 and array.shape[1:] not in sizes and array.shape[:2] in sizes:
        return np.moveaxis(array, -1, 0)
    if array.ndim > 2:
        return array.reshape(-1, *array.shape[-2:])
    if array.ndim == 2 and len(array) > 1:
        return array[None]
    size = array.size
    rows = next((n for n in range(math.isqrt(size), 0, -1) if size % n == 0 and 8 * n * n >= size), 1)
    return array.reshape(1, rows, size // rows)


def energy(maps):
    """Return the sum of squares of each map."""
    return np.square(maps, dtype=np.float64).sum(axis=(1, 2))


def statistics(array):
    """Return norm, mean, extremes, fraction of zeros and histogram of an array, computed in float64."""
    x = array.reshape(-1).astype(np.float64)
    finite = x if np.isfinite(x).all() else x[np.isfinite(x)]
    largest = float(np.abs(finite).max(initial=0.0))
    bins = np.minimum((finite / (largest or 1.0) + 1.0) * (BINS / 2), BINS - 1).astype(np.int64)
    return {
        "shape": array.shape,
        "norm": math.sqrt(float(x @ x)),
        "mean": float(x.mean()),
        "min": float(x.min()),
        "max": float(x.max()),
        "zeros": float((x == 0).mean()),
        "histogram": np.bincount(bins, minlength=BINS).tolist(),
    }
