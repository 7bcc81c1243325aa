"""Textures moved by smooth, drawn motions: video with exact flow, without end.

A sequence is a background and up to two layers in front of it, blobs with an irregular outline. Each shows a
texture of its own, given by a function of real-valued positions, and has its own shift, turn and zoom, each
with a rate that changes evenly over time. Nothing is resampled twice: every pixel's position is mapped back
to the coordinates of its layer, and there the texture is read. Half of the backgrounds stand still.

`picture_texture` makes a texture of any picture, such as a frame of a real video; `shapes.background_texture`
draws one. Sequence i of a (seed, split) does not depend on any other.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import map_coordinates, spline_filter

from .layers import FlowVideo, motion_over_time, owners_at, paint

#: The smallest frames, in pixels a side.
SMALLEST = 8
#: What each split adds to the numbers that its motions are drawn from.
SPLITS = {"train": (), "test": (1,)}
#: Largest turn, in radians a frame, and growth, as a fraction a frame.
_TURN, _GROWTH = 0.03, 0.015
#: By how much the rates of motion change, at most, from the first frame to the last, as a fraction.
_CHANGE = 1.0
#: Terms of an outline's Fourier series beyond its radius, and how deep the first of them is.
_WAVES, _DEPTH = 4, 0.35


def picture_texture(picture):
    """Return the texture of a picture (C, H, W) in [0, 1]: positions (x, y) -> colours (..., C).

    The origin is its centre. Between the pixels it is interpolated by cubic splines, and beyond its borders
    it goes on mirrored.
    """
    picture = np.asarray(picture)
    if picture.ndim != 3 or min(picture.shape[1:]) < 2:
        raise ValueError(f"a picture must be (C, H, W) of at least 2 x 2 pixels, got shape {picture.shape}")
    splines = [spline_filter(channel, 3, mode="mirror") for channel in picture.astype(np.float64)]
    middle_y, middle_x = ((side - 1) / 2 for side in picture.shape[1:])

    def texture(x, y):
        at = np.array([y + middle_y, x + middle_x])
        channels = [map_coordinates(s, at, order=3, mode="mirror", prefilter=False) for s in splines]
        return np.clip(np.stack(channels, axis=-1), 0, 1)

    return texture


class MovingTextures:
    """A `VideoDataset` of moving textures, without end; its batches are `FlowVideo`s.

    textures: a function of a NumPy generator that returns a texture, (x, y) -> colours (..., C) in [0, 1].
    size: (height, width) of the frames. n_frames: frames in a sequence. speed: the fastest shift, in pixels a
    frame, half-way through the sequence. most_layers: in front of the background. still: the share of
    sequences whose background does not move. split: "train" or "test", whose motions are others.
    """

    def __init__(
        self,
        textures,
        size=(48, 64),
        n_frames=13,
        speed=4.0,
        most_layers=2,
        still=0.5,
        seed=0,
        split="train",
    ):
        height, width = size
        if min(height, width) < SMALLEST or n_frames < 2:
            raise ValueError(
                f"at least {SMALLEST} x {SMALLEST} pixels and 2 frames are needed, "
                f"got {height} x {width} and {n_frames}"
            )
        if not 0 <= speed < np.inf or most_layers < 0:
            raise ValueError(f"speed and most_layers must be at least 0, got {speed} and {most_layers}")
        if not 0 <= still <= 1:
            raise ValueError(f"still must be a share from 0 to 1, got {still}")
        if split not in SPLITS:
            raise ValueError(f"split must be one of {sorted(SPLITS)}, got {split!r}")
        self.textures, self.size, self.n_frames = textures, (height, width), n_frames
        self.speed, self.most_layers, self.still = speed, most_layers, still
        self.seed, self.split = seed, split

    def batch(self, indices):
        """Return the `FlowVideo` of the sequences with these indices (any integers from 0 on)."""
        parts = [self._sequence(int(index)) for index in indices]
        return FlowVideo(*(np.stack(arrays, axis=1) for arrays in zip(*parts)))

    def _sequence(self, index):
        """Return one sequence: frames and the four parts of its motion."""
        random = np.random.Generator(np.random.PCG64([self.seed, index, *SPLITS[self.split]]))
        moves = random.random() >= self.still
        count = random.integers(self.most_layers + 1)
        layers = [self._layer(random, number, moves or number > 0) for number in range(count + 1)]
        height, width = self.size
        x, y = np.meshgrid(np.arange(width, dtype=float), np.arange(height, dtype=float))
        frames = np.stack([paint(layers, t, x, y) for t in range(self.n_frames)]).astype(np.float32)
        owners = np.stack([owners_at(layers, t, x, y) for t in range(self.n_frames)])
        return frames, *motion_over_time(layers, owners, x, y)

    def _layer(self, random, number, moves):
        """Draw the background, number 0, or a layer in front of it."""
        height, width = self.size
        texture, side = self.textures(random), min(height, width)
        direction = 2 * np.pi * random.random()
        pace = self.speed * random.random() * moves
        rates = np.array([pace * np.cos(direction), pace * np.sin(direction), 0.0, 0.0])
        rates[2:] = moves * random.uniform(-1, 1, 2) * (_TURN, _GROWTH)
        changes = rates * random.uniform(-_CHANGE, _CHANGE, 4) / (self.n_frames - 1)
        pose = np.array([random.uniform(0, width - 1), random.uniform(0, height - 1), 0.0, 0.0])
        offset = random.uniform(-0.5, 0.5, 2) * (width, height)
        outline = _outline(random, random.uniform(0.12, 0.3) * side) if number else None
        return _Layer(pose, rates, changes, (self.n_frames - 1) / 2, offset, outline, texture)


@dataclass(frozen=True)
class _Layer:
    """A blob or the background: its motion and its appearance.

    pose: x, y, angle and logarithm of the scale at the time `middle`; rates: how fast they change then;
    changes: how fast the rates do. offset: of the texture from the layer's centre. inside: see `layers`.
    """

    pose: np.ndarray
    rates: np.ndarray
    changes: np.ndarray
    middle: float
    offset: np.ndarray
    inside: object
    own_texture: object

    def texture(self, x, y):
        """Return the colours (..., C) at the layer's own coordinates."""
        return self.own_texture(x + self.offset[0], y + self.offset[1])

    def from_frame(self, t, x, y):
        """Return the layer's own coordinates of positions in frame t."""
        cx, cy, cos, sin = self._pose_at(t)
        dx, dy, square = x - cx, y - cy, cos * cos + sin * sin
        return (cos * dx + sin * dy) / square, (cos * dy - sin * dx) / square

    def to_frame(self, t, x, y):
        """Return the positions in frame t of the layer's own coordinates."""
        cx, cy, cos, sin = self._pose_at(t)
        return cx + cos * x - sin * y, cy + sin * x + cos * y

    def _pose_at(self, t):
        """Return the centre, and cosine and sine of the angle times the scale."""
        s = t - self.middle
        cx, cy, angle, growth = self.pose + s * self.rates + s * s / 2 * self.changes
        return cx, cy, np.exp(growth) * np.cos(angle), np.exp(growth) * np.sin(angle)


def _outline(random, radius):
    """Return the outline of a blob of about this radius: (x, y) -> distance from it, above 0 inside."""
    orders = np.arange(1, _WAVES + 1)
    depths = _DEPTH * random.uniform(-1, 1, _WAVES) / orders
    phases = 2 * np.pi * random.random(_WAVES)

    def inside(x, y):
        angle = np.arctan2(y, x)
        waves = sum(d * np.cos(k * angle + p) for k, d, p in zip(orders, depths, phases))
        return radius * np.exp(waves) - np.hypot(x, y)

    return inside
