"""The interface of all data sets: numbered sequences of frames, read or generated in batches by number."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class VideoBatch:
    """N sequences of T frames, time first; subclasses add what else is known about them.

    frames: (T, N, C, H, W) float32 in [0, 1].
    """

    frames: np.ndarray


class VideoDataset(Protocol):
    """What all data sets have in common: `MovingMNIST`, `MovingShapes`, `MovingTextures`, `Clips` and others.

    An index always denotes the same sequence, so that a training step is determined by its indices.
    Data sets that are finite have a length; the others take any index from 0 on.
    """

    #: (height, width) of the frames.
    size: tuple[int, int]
    #: Frames in a sequence.
    n_frames: int

    def batch(self, indices: Sequence[int]) -> VideoBatch:
        """Return the sequences with these indices, in this order."""
