"""Labelled video, the common form of all segmentation data: labels to learn from, and the true ones."""

from dataclasses import dataclass

import numpy as np

from .video_dataset import VideoBatch


@dataclass(frozen=True)
class LabelledVideo(VideoBatch):
    """N sequences of T RGB frames with a class for each pixel.

    frames: (T, N, 3, H, W) float32 in [0, 1]. visible_labels: (T, N, H, W) int64, the classes that training
    may see. true_labels: the same with all that are known. A label of -1 is not counted: void, or unlabelled.
    """

    visible_labels: np.ndarray
    true_labels: np.ndarray

    @property
    def withheld_labels(self):
        """The true labels of the frames whose labels training may not see, -1 in the other frames."""
        visible = (self.visible_labels >= 0).any(axis=(2, 3), keepdims=True)
        return np.where(visible, -1, self.true_labels)
