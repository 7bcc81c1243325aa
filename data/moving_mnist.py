"""Moving MNIST: digits that move at constant speed and bounce off the border (Srivastava et al. 2015).

Every digit starts uniformly in the canvas and takes a uniform direction. In each frame it moves, then
bounces (a coordinate beyond the border is set onto it and its velocity changes sign), then is drawn at the
whole pixel below its position. Digits are overlaid by maximum, and binarised at one half or, as in the
published mnist_test_seq.npy, grey. Since positions are truncated, the *visible* motion between two frames is
a whole number of pixels: that is the true motion.

Sequence i of a (seed, split) is the same on any machine and does not depend on any other.
"""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from .drawn_digits import SIZE as DIGIT
from .drawn_digits import SPLITS, draw_digits
from .mnist import find_mnist, load_mnist
from .video_dataset import VideoBatch

DRAWN = "drawn"


def load_digits(data=None):
    """Return training digits, test digits, both (N, 28, 28) uint8, and the `data` that identifies them.

    data: the value of --data: a folder with the idx files (see `find_mnist`), the word "drawn" for the
    project's own digits, or None for MNIST if it is found below NNLITE_DATA and drawn digits otherwise.
    """
    folder = None if data == DRAWN else find_mnist(data)
    if folder is None:
        return draw_digits(20000, split="train")[0], draw_digits(4000, split="test")[0], DRAWN
    return load_mnist(folder, "train")[0], load_mnist(folder, "test")[0], str(folder)


@dataclass(frozen=True)
class DigitVideo(VideoBatch):
    """N sequences of T frames with D digits each.

    frames: (T, N, 1, H, W) float32, of zeros and ones or grey. digits: (N, D, 28, 28) bool, the pixels above
    one half. corners: (T, N, D, 2) int, the (y, x) of each digit's top left pixel.
    """

    digits: np.ndarray
    corners: np.ndarray

    def true_flow(self, at="source"):
        """Return the motion from each frame to the next, (T-1, N, 2, H, W) = (u, v), and where it is known.

        The second array, (T-1, N, H, W) bool, marks the pixels that exactly one digit lights; where two
        overlap there are two motions, so these pixels are left out. Elsewhere the flow is zero. `at` says
        which pixels carry the motion: "source", those that a digit leaves (in frame t; the convention of
        optical-flow files), or "target", those at which it arrives (in frame t + 1; where a sampler reads its
        flow).
        """
        if at not in ("source", "target"):
            raise ValueError(f"at must be 'source' or 'target', got {at!r}")
        n_frames, n_sequences, _, height, width = self.frames.shape
        corners = self.corners[:-1] if at == "source" else self.corners[1:]
        motion = np.diff(self.corners, axis=0)[..., ::-1]
        lit = np.zeros((n_frames - 1, n_sequences, height, width), np.uint8)
        flow = np.zeros((2, *lit.shape), np.float32)
        for d in range(self.digits.shape[1]):
            _draw_over(lit, corners[:, :, d], self.digits[:, d], np.add)
            for component in (0, 1):
                moved = motion[:, :, d, component, None, None] * self.digits[:, d].astype(np.float32)
                _draw_over(flow[component], corners[:, :, d], moved, np.add)
        known = lit == 1
        flow *= known
        return np.ascontiguousarray(flow.transpose(1, 2, 0, 3, 4)), known


class MovingMNIST:
    """A `VideoDataset` of moving digits, without end.

    digits: a pool of images (N, 28, 28) uint8 to choose from. size: (height, width) of the canvas. n_digits:
    digits in a sequence. speed: pixels a frame, or a pair (min, max) for a uniform choice per digit.
    n_frames: frames in a sequence. grey: whether frames have the grey values of the digits, k/255, in place
    of zeros and ones; the motion is the same.

        >>> from nnlite.data.drawn_digits import draw_digits
        >>> from nnlite.data.moving_mnist import MovingMNIST
        >>> digits, labels = draw_digits(20)
        >>> video = MovingMNIST(digits, n_frames=11).batch([0, 1])
        >>> video.frames.shape
        (11, 2, 1, 64, 64)
    """

    def __init__(
        self, digits, size=(64, 64), n_digits=2, speed=3.6, n_frames=11, seed=0, split="train", grey=False
    ):
        slow, fast = (speed, speed) if np.isscalar(speed) else speed
        height, width = size
        if min(height, width) <= DIGIT:
            raise ValueError(
                f"size must be above {DIGIT} x {DIGIT}, the size of a digit, got {height} x {width}"
            )
        if n_digits < 1 or n_frames < 2:
            raise ValueError(f"at least 1 digit and 2 frames are needed, got {n_digits} and {n_frames}")
        if not 0 <= slow <= fast < np.inf:
            raise ValueError(
                f"speed must be 0 <= min <= max < infinity pixels a frame, got {slow} and {fast}"
            )
        if split not in SPLITS:
            raise ValueError(f"split must be one of {sorted(SPLITS)}, got {split!r}")
        self.digits, self.grey = digits if grey else 255 * (digits > 127).view(np.uint8), grey
        self.size, self.n_digits, self.n_frames = (height, width), n_digits, n_frames
        self.slow, self.fast = slow, fast
        self.seed, self.split = seed, split

    def batch(self, indices):
        """Return the `DigitVideo` of the sequences with these indices (any integers from 0 on)."""
        draws = np.stack([self._draw(int(index)) for index in indices])
        y, x, direction, speed, choice = np.moveaxis(draws, 1, 0)
        digits = self.digits[(choice * len(self.digits)).astype(np.int64)]
        corners = self._corners(np.stack([y, x], axis=-1), direction, speed)

        canvas = np.zeros((self.n_frames, len(draws), *self.size), np.uint8)
        for d in range(self.n_digits):
            _draw_over(canvas, corners[:, :, d], digits[:, d], np.maximum)
        return DigitVideo((canvas / np.float32(255))[:, :, None], digits > 127, corners)

    def _draw(self, index):
        """Return five uniform numbers for each digit: y, x, direction, speed, choice of the digit."""
        bits = np.random.PCG64([self.seed, SPLITS[self.split], index])
        return np.random.Generator(bits).random((5, self.n_digits))

    def _corners(self, position, direction, speed):
        """Return the drawn corners (T, N, D, 2) for positions (N, D, 2) in [0, 1) of the free range."""
        span = np.array(self.size) - DIGIT
        step = (self.slow + (self.fast - self.slow) * speed)[..., None] / span
        velocity = np.stack([np.sin(2 * np.pi * direction), np.cos(2 * np.pi * direction)], axis=-1) * step
        corners = np.empty((self.n_frames, *position.shape), np.int64)
        for t in range(self.n_frames):
            position, velocity = move(position, velocity)
            corners[t] = span * position
        return corners


def move(position, velocity):
    """Return both one frame later: coordinates beyond the border, 0 or 1, are set onto it and turn round."""
    position = position + velocity
    velocity = np.where((position <= 0) | (position >= 1), -velocity, velocity)
    return np.clip(position, 0, 1), velocity


def _draw_over(canvas, corners, patches, join):
    """Join patches ([T,] N, 28, 28) with the canvas (T, N, H, W) at corners (T, N, 2), in place."""
    windows = sliding_window_view(canvas, (DIGIT, DIGIT), axis=(2, 3), writeable=True)
    t, n = np.ogrid[: canvas.shape[0], : canvas.shape[1]]
    # Each window belongs to another frame, so no pixel is written twice.
    places = t, n, corners[..., 0], corners[..., 1]
    windows[places] = join(windows[places], patches)
