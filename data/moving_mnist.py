"""Moving MNIST: digits that move at constant speed and bounce off the border (Srivastava et al. 2015).

Every digit starts uniformly in the canvas and takes a uniform direction. In each frame it moves, then
bounces (a coordinate beyond the border is set onto it and its velocity changes sign), then is drawn at the
whole pixel below its position. Digits are binarised at one half and overlaid by maximum. Since positions are
truncated, the motion that is *seen* between two frames is a whole number of pixels: that is the true motion.

Sequence i of a (seed, split) is the same on any machine and needs none of the others.
"""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from .drawn_digits import SIZE as DIGIT
from .drawn_digits import SPLITS, draw_digits
from .mnist import find_mnist, load_mnist

DRAWN = "drawn"


def load_digits(data=None):
    """Return training digits, test digits, both (count, 28, 28) uint8, and the `data` that names them.

    `data` is the `--data` option: a folder with the idx files (see `find_mnist`), the word "drawn" for the
    project's own digits, or None for MNIST when NNLITE_DATA has it and drawn digits when not.
    """
    folder = None if data == DRAWN else find_mnist(data)
    if folder is None:
        return draw_digits(20000, split="train")[0], draw_digits(4000, split="test")[0], DRAWN
    return load_mnist(folder, "train")[0], load_mnist(folder, "test")[0], str(folder)


@dataclass(frozen=True)
class Sequences:
    """N sequences of T frames with D digits each, time first.

    frames: (T, N, 1, H, W) float32 of zeros and ones. shapes: (N, D, 28, 28) bool, the digits. corners:
    (T, N, D, 2) int, the (y, x) of each digit's first pixel.
    """

    frames: np.ndarray
    shapes: np.ndarray
    corners: np.ndarray

    def true_flow(self, at="start"):
        """Return the motion from each frame to the next, (T-1, N, 2, H, W) = (u, v), and where it is known.

        The second array, (T-1, N, H, W) bool, marks the pixels that just one digit lights; where two overlap
        there are two motions, so these pixels are left out. Elsewhere the flow is zero. `at` says which
        pixels carry the motion: "start", those that a digit leaves (in frame t; the convention of optical
        flow files), or "end", those at which it arrives (in frame t + 1; where a sampler reads its flow).
        """
        if at not in ("start", "end"):
            raise ValueError(f"at must be 'start' or 'end', got {at!r}")
        steps, count, _, height, width = self.frames.shape
        corners = self.corners[:-1] if at == "start" else self.corners[1:]
        motion = np.diff(self.corners, axis=0)[..., ::-1]
        lit = np.zeros((steps - 1, count, height, width), np.uint8)
        flow = np.zeros((2, steps - 1, count, height, width), np.float32)
        for d in range(self.shapes.shape[1]):
            _add(lit, corners[:, :, d], self.shapes[:, d])
            for component in (0, 1):
                moved = motion[:, :, d, component, None, None] * self.shapes[:, d].astype(np.float32)
                _add(flow[component], corners[:, :, d], moved)
        known = lit == 1
        flow *= known
        return np.ascontiguousarray(flow.transpose(1, 2, 0, 3, 4)), known


class MovingMNIST:
    """An endless, randomly accessible list of moving-digit sequences.

    digits: a pool of images (count, 28, 28) uint8 to choose from. size: side of the square canvas. number:
    digits in a sequence. speed: pixels a frame, or a pair (min, max) for a uniform choice per digit.
    frames: length of a sequence.
    """

    def __init__(self, digits, size=64, number=2, speed=3.6, frames=11, seed=0, split="train"):
        slow, fast = (speed, speed) if np.isscalar(speed) else speed
        if size <= DIGIT:
            raise ValueError(f"size must be above {DIGIT}, the size of a digit, got {size}")
        if number < 1 or frames < 2:
            raise ValueError(f"at least 1 digit and 2 frames are needed, got {number} and {frames}")
        if not 0 <= slow <= fast:
            raise ValueError(f"speed must be 0 <= min <= max pixels a frame, got {slow} and {fast}")
        if split not in SPLITS:
            raise ValueError(f"split must be one of {sorted(SPLITS)}, got {split!r}")
        self.shapes = digits > 127
        self.size, self.number, self.frames = size, number, frames
        self.slow, self.fast = slow, fast
        self.seed, self.split = seed, split

    def sequences(self, indices):
        """Return the `Sequences` of the given numbers (any integers from 0 on)."""
        draws = np.stack([self._draw(int(index)) for index in indices])
        y, x, turn, pace, which = np.moveaxis(draws, 1, 0)
        shapes = self.shapes[(which * len(self.shapes)).astype(np.int64)]
        corners = self._corners(np.stack([y, x], axis=-1), turn, pace)

        lit = np.zeros((self.frames, len(draws), self.size, self.size), np.uint8)
        for d in range(self.number):
            _add(lit, corners[:, :, d], shapes[:, d])
        return Sequences((lit > 0).astype(np.float32)[:, :, None], shapes, corners)

    def _draw(self, index):
        """Return five uniform numbers for each digit: y, x, direction, speed, which digit."""
        bits = np.random.PCG64([self.seed, SPLITS[self.split], index])
        return np.random.Generator(bits).random((5, self.number))

    def _corners(self, position, turn, pace):
        """Return the drawn corners (frames, N, D, 2) for positions (N, D, 2) in [0, 1) of the free range."""
        span = self.size - DIGIT
        step = (self.slow + (self.fast - self.slow) * pace) / span
        velocity = np.stack([np.sin(2 * np.pi * turn), np.cos(2 * np.pi * turn)], axis=-1) * step[..., None]
        corners = np.empty((self.frames, *position.shape), np.int64)
        for t in range(self.frames):
            position, velocity = move(position, velocity)
            corners[t] = span * position
        return corners


def move(position, velocity):
    """Return both one frame later: coordinates beyond the border, 0 or 1, are set onto it and turn round."""
    position = position + velocity
    velocity = np.where((position <= 0) | (position >= 1), -velocity, velocity)
    return np.clip(position, 0, 1), velocity


def _add(canvas, corners, patches):
    """Add patches (N, 28, 28) or (T, N, 28, 28) to the canvas (T, N, H, W) at corners (T, N, 2), in place."""
    windows = sliding_window_view(canvas, (DIGIT, DIGIT), axis=(2, 3), writeable=True)
    t, n = np.ogrid[: canvas.shape[0], : canvas.shape[1]]
    # Each window belongs to another frame, so no pixel is written twice.
    windows[t, n, corners[..., 0], corners[..., 1]] += patches
