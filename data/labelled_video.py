"""Labelled video, the one form in which segmentation data come: what may be learnt from, and the truth."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class LabelledVideo:
    """N sequences of T frames, time first.

    frames: (T, N, 3, H, W) float32 in [0, 1]. labels: (T, N, H, W) int64, the classes that training may see.
    truth: the same with all that is known. A label of -1 is not counted: void, or no label at all.
    """

    frames: np.ndarray
    labels: np.ndarray
    truth: np.ndarray

    @property
    def held_back(self):
        """The truth at the frames whose labels training may not see, -1 at the others."""
        seen = (self.labels >= 0).any(axis=(2, 3), keepdims=True)
        return np.where(seen, -1, self.truth)
