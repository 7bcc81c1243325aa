"""A textured disc moving in front of a moving, textured background: a pair with exactly known flow."""

from dataclasses import dataclass

import numpy as np

from .frame_pairs import Pair


@dataclass(frozen=True)
class MovingDisc:
    """A synthetic pair; `read` returns it as `PairFiles.read` does.

    size: (height, width). disc, background: their motion (u, v) in pixels.
    """

    size: tuple = (128, 256)
    disc: tuple = (9.5, -4.25)
    background: tuple = (-2.5, 1.5)
    dataset: str = "drawn"
    sequence: str = "moving disc"
    name: str = "moving disc 0->1"

    def read(self):
        """Return the `Pair`; hidden are background pixels that the disc covers and pixels that leave."""
        height, width = self.size
        x = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).astype(np.float64)
        disc, background = np.array(self.disc), np.array(self.background)
        covered = self._on_disc(x)
        flow = np.where(covered[..., None], disc, background)
        first = np.where(covered[..., None], _texture(x, 1), _texture(x, 0))
        # Where the content of frame 1 was in frame 0, for a pixel of the disc and for one of the background.
        disc_source, background_source = x - disc, x - background
        second = np.where(
            self._on_disc(disc_source)[..., None], _texture(disc_source, 1), _texture(background_source, 0)
        )
        target = x + flow
        outside = ((target < 0) | (target > [width - 1, height - 1])).any(axis=-1)
        hidden = outside | (~covered & self._on_disc(target - disc))
        return Pair(*(array.astype(np.float32) for array in (first, second, flow)), hidden)

    def _on_disc(self, x):
        """Return the mask of the positions x (..., 2) that are on the disc in frame 0."""
        height, width = self.size
        return np.hypot(x[..., 0] - 0.45 * width, x[..., 1] - 0.5 * height) < 0.3 * min(width, height)


def _texture(x, seed):
    """Return the colours (..., 3), in [0, 1], of a smooth pattern at positions x (..., 2); seed: 0 or 1."""
    waves = np.random.default_rng(seed).uniform(-0.45, 0.45, (6, 2))  # radians a pixel
    phases = np.random.default_rng(10 + seed).uniform(0, 2 * np.pi, (6, 3))
    swing = np.sin((x @ waves.T)[..., None] + phases).mean(axis=-2)
    return 0.5 + 0.2 * (2 * seed - 1) + 0.3 * swing
