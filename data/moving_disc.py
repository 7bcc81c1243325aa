"""A textured disc before a textured background, both moving: a pair of frames whose flow is known exactly."""

from dataclasses import dataclass

import numpy as np

from .frame_pairs import Pair


@dataclass(frozen=True)
class MovingDisc:
    """A pair that is drawn; `read` gives it as `PairFiles.read` does.

    size: (width, height). disc, background: how far they move, (u, v) in pixels.
    """

    size: tuple = (256, 128)
    disc: tuple = (9.5, -4.25)
    background: tuple = (-2.5, 1.5)
    dataset: str = "drawn"
    sequence: str = "moving disc"
    name: str = "moving disc 0->1"

    def read(self):
        """Return the `Pair`, with the background's pixels marked that the disc moves over or that leave."""
        width, height = self.size
        x = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).astype(np.float64)
        disc, background = np.array(self.disc), np.array(self.background)
        covered = self._on_disc(x)
        flow = np.where(covered[..., None], disc, background)
        first = np.where(covered[..., None], _texture(x, 1), _texture(x, 0))
        came, stayed = x - disc, x - background  # where the content of frame 1 was in frame 0
        second = np.where(self._on_disc(came)[..., None], _texture(came, 1), _texture(stayed, 0))
        goes = x + flow
        left = ((goes < 0) | (goes > [width - 1, height - 1])).any(axis=-1)
        hidden = left | (~covered & self._on_disc(goes - disc))
        return Pair(*(array.astype(np.float32) for array in (first, second, flow)), hidden)

    def _on_disc(self, x):
        """Return where the disc is in frame 0, the mask of positions x (..., 2)."""
        width, height = self.size
        return np.hypot(x[..., 0] - 0.45 * width, x[..., 1] - 0.5 * height) < 0.3 * min(width, height)


def _texture(x, kind):
    """Return the colours (..., 3), in [0, 1], of a smooth pattern at positions x (..., 2)."""
    waves = np.random.default_rng(kind).uniform(-0.45, 0.45, (6, 2))  # radians a pixel
    phases = np.random.default_rng(10 + kind).uniform(0, 2 * np.pi, (6, 3))
    swing = np.sin((x @ waves.T)[..., None] + phases).mean(axis=-2)
    return 0.5 + 0.2 * (2 * kind - 1) + 0.3 * swing
