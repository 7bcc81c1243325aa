"""Textured shapes that move over a textured background: labelled video with exact flow, and no download.

A shape is an outline and a texture, the same for all of its class, in two colours drawn anew for every shape,
so that no colour tells a class. Shapes and background move and turn at constant rates, at positions between
the pixels; later shapes are painted over earlier ones. Nothing is resampled: every pixel's place is carried
back to the coordinates of the shape, where outline and texture are formulas. The texture is taken at the
pixel's centre (no wavelength is under five pixels) and outlines are blended by the share of the pixel that
they cover; a pixel's label is what covers its centre. Flow and occlusion come from the same formulas.

Then the frames are spoilt, each in another way: white noise, and discs in which the picture is lost to grey,
anew in every frame. What one frame has lost is seen in its neighbours: that is what carrying labels along the
flow can gain over looking at single frames.

Sequence i of a (seed, split) is the same on any machine and needs none of the others.
"""

from dataclasses import dataclass

import numpy as np

from .drawn_digits import SPLITS
from .label_colours import NOT_COUNTED
from .labelled_video import LabelledVideo
from .shapes import OUTLINES, background_texture, shape_texture

CLASSES = ("Background", *OUTLINES)
#: Display colours of the classes, (6, 3) uint8.
PALETTE = np.array(
    [(128, 128, 128), (128, 0, 0), (128, 64, 128), (60, 40, 222), (128, 128, 0), (192, 128, 128)], np.uint8
)
#: Radius of a lost disc as a share of the frame's shorter side, smallest and largest.
_LOST_RADIUS = 0.08, 0.22


@dataclass(frozen=True)
class ShapeVideo(LabelledVideo):
    """A `LabelledVideo` whose motion is known.

    flow: (T-1, N, 2, H, W) float32, the motion (u, v) in pixels from frame t to t + 1 of what is seen at the
    pixels of frame t. hidden_next: (T-1, N, H, W) bool, the pixels of frame t whose content is covered or
    outside in frame t + 1. arriving: the motion of what is seen at the pixels of frame t + 1, from where it
    was in frame t; hidden_before: where it was covered or outside in frame t.
    """

    flow: np.ndarray
    hidden_next: np.ndarray
    arriving: np.ndarray
    hidden_before: np.ndarray

    def true_flow(self, at="start"):
        """Return the motion from each frame to the next and where it can be seen, at the pixels of either.

        at: "start", the pixels of frame t (the convention of optical flow files), or "end", those of frame
        t + 1 (where a sampler reads its flow). (T-1, N, 2, H, W) = (u, v) and (T-1, N, H, W) bool, where the
        content is visible in both frames.
        """
        if at not in ("start", "end"):
            raise ValueError(f"at must be 'start' or 'end', got {at!r}")
        return (self.flow, ~self.hidden_next) if at == "start" else (self.arriving, ~self.hidden_before)


class MovingShapes:
    """An endless, randomly accessible list of sequences of moving shapes.

    size: (H, W) of the frames. number: shapes in a sequence. speed: pixels a frame, a pair (min, max) for a
    uniform choice for each shape; the background moves at up to half of the maximum. frames: length of a
    sequence. seen: the frames whose labels training may see, counted from 0 or, below 0, from the end; None
    for all of them. noise: standard deviation of the noise, in [0, 1]. lost: the share of a frame that is
    lost, on average. Neither noise nor loss changes what is spoilt by them.
    """

    def __init__(
        self,
        size=(64, 64),
        number=4,
        speed=(0.5, 3.0),
        frames=6,
        seen=(-1,),
        noise=0.05,
        lost=0.2,
        seed=0,
        split="train",
    ):
        height, width = size
        slow, fast = speed
        if min(height, width) < 16:
            raise ValueError(f"size must be at least 16 x 16, got {height} x {width}")
        if number < 0 or frames < 2:
            raise ValueError(f"at least 0 shapes and 2 frames are needed, got {number} and {frames}")
        if not 0 <= slow <= fast:
            raise ValueError(f"speed must be 0 <= min <= max pixels a frame, got {slow} and {fast}")
        if not 0 <= lost <= 0.9 or noise < 0:
            raise ValueError(f"noise must be at least 0 and lost from 0 to 0.9, got {noise} and {lost}")
        if split not in SPLITS:
            raise ValueError(f"split must be one of {sorted(SPLITS)}, got {split!r}")
        if seen is not None and not all(-frames <= t < frames for t in seen):
            raise ValueError(f"seen must be numbers of the {frames} frames, got {tuple(seen)}")
        self.size, self.number, self.frames = (height, width), number, frames
        self.slow, self.fast, self.noise, self.lost = slow, fast, noise, lost
        self.seen = tuple(range(frames)) if seen is None else tuple(seen)
        self.seed, self.split = seed, split

    def sequences(self, indices):
        """Return the `ShapeVideo` of the given numbers (any integers from 0 on)."""
        parts = [self._sequence(int(index)) for index in indices]
        frames, truth, *motion = (np.stack(arrays, axis=1) for arrays in zip(*parts))
        labels = np.full_like(truth, NOT_COUNTED)
        labels[list(self.seen)] = truth[list(self.seen)]
        return ShapeVideo(frames, labels, truth, *motion)

    def _sequence(self, index):
        """Return frames, truth, flow, hidden_next, arriving and hidden_before of one sequence."""
        scene, spoiling = (
            np.random.Generator(np.random.PCG64([self.seed, SPLITS[self.split], index, stream]))
            for stream in (0, 1)
        )
        layers = _layers(scene, self.size, self.number, self.slow, self.fast, self.frames)
        height, width = self.size
        x, y = np.meshgrid(np.arange(width, dtype=float), np.arange(height, dtype=float))

        frames = np.empty((self.frames, 3, height, width), np.float32)
        owners = np.empty((self.frames, height, width), np.int64)
        for t in range(self.frames):
            owners[t] = _owners(layers, t, x, y)
            frames[t] = self._spoil(_paint(layers, t, x, y), spoiling)
        truth = np.array([layer.label for layer in layers])[owners]

        forth = [_motion(layers, owners, t, t + 1, x, y) for t in range(self.frames - 1)]
        back = [_motion(layers, owners, t + 1, t, x, y) for t in range(self.frames - 1)]
        flow, hidden_next = map(np.stack, zip(*forth))
        backward, hidden_before = map(np.stack, zip(*back))
        return frames, truth, flow, hidden_next, -backward, hidden_before

    def _spoil(self, picture, draw):
        """Return a picture (3, H, W) with noise and lost discs."""
        height, width = self.size
        y, x = np.ogrid[:height, :width]
        low, high = (share * min(height, width) for share in _LOST_RADIUS)
        # n discs that each cover a share p leave (1 - p)^n; centres reach beyond the frame, lest its border
        # be spoilt less than its middle.
        area = np.pi * (low**2 + low * high + high**2) / 3
        discs = np.log1p(-self.lost) / np.log1p(-area / ((height + 2 * low) * (width + 2 * low)))
        count = draw.poisson(discs)
        places = draw.random((count, 3))
        lost = np.zeros((height, width), bool)
        for px, py, radius in places:
            radius = low + (high - low) * radius
            cx, cy = px * (width + 2 * low) - low, py * (height + 2 * low) - low
            lost |= (x - cx) ** 2 + (y - cy) ** 2 < radius**2
        noise = draw.standard_normal(picture.shape)
        return np.clip(np.where(lost, 0.5, picture) + self.noise * noise, 0, 1)


@dataclass(frozen=True)
class _Layer:
    """A shape or the background: its label, its pose over time and its look.

    At time t its own coordinates are turned by angle + t·turn and its centre is at centre + t·velocity.
    inside(x, y): distance from the outline in its own coordinates, above 0 inside. texture(x, y): (..., 3).
    """

    label: int
    centre: np.ndarray
    velocity: np.ndarray
    angle: float
    turn: float
    inside: object
    texture: object

    def own(self, t, x, y):
        """Return the layer's own coordinates of places in the frame t."""
        cx, cy = self.centre + t * self.velocity
        cos, sin = np.cos(self.angle + t * self.turn), np.sin(self.angle + t * self.turn)
        return cos * (x - cx) + sin * (y - cy), cos * (y - cy) - sin * (x - cx)

    def place(self, t, x, y):
        """Return the places in frame t of the layer's own coordinates."""
        cx, cy = self.centre + t * self.velocity
        cos, sin = np.cos(self.angle + t * self.turn), np.sin(self.angle + t * self.turn)
        return cx + cos * x - sin * y, cy + sin * x + cos * y


def _layers(draw, size, number, slow, fast, frames):
    """Return the background and then the shapes of a sequence, the topmost last."""
    height, width = size
    middle = (frames - 1) / 2
    layers = []
    for place in range(number + 1):
        pace, direction, angle, turn, px, py, kind = draw.random(7)
        label = 0 if place == 0 else 1 + int(kind * len(OUTLINES))
        speed = fast / 2 * pace if place == 0 else slow + (fast - slow) * pace
        velocity = speed * np.array([np.cos(2 * np.pi * direction), np.sin(2 * np.pi * direction)])
        # Half-way through the sequence the centre is in the frame.
        centre = np.array([px * (width - 1), py * (height - 1)])
        turn = (2 * turn - 1) * (0.01 if place == 0 else 0.06)
        if label:
            inside, texture = OUTLINES[CLASSES[label]](draw, min(size)), shape_texture(draw, CLASSES[label])
        else:
            inside, texture = None, background_texture(draw)
        start = centre - middle * velocity
        layers.append(_Layer(label, start, velocity, 2 * np.pi * angle, turn, inside, texture))
    return layers


def _owners(layers, t, x, y):
    """Return the number of the topmost layer at places of frame t."""
    owner = np.zeros(np.shape(x), np.int64)
    for number, layer in enumerate(layers[1:], 1):
        owner[layer.inside(*layer.own(t, x, y)) > 0] = number
    return owner


def _paint(layers, t, x, y):
    """Return frame t, (3, H, W), before it is spoilt."""
    picture = layers[0].texture(*layers[0].own(t, x, y))
    for layer in layers[1:]:
        own = layer.own(t, x, y)
        cover = np.clip(layer.inside(*own) + 0.5, 0, 1)
        touched = cover > 0
        share = cover[touched][:, None]
        here = layer.texture(own[0][touched], own[1][touched])
        picture[touched] = share * here + (1 - share) * picture[touched]
    return picture.transpose(2, 0, 1)


def _motion(layers, owners, t, other, x, y):
    """Return the motion (2, H, W) of what frame t shows to frame `other`, and where that shows it no more."""
    to_x, to_y = np.empty_like(x), np.empty_like(y)
    for number, layer in enumerate(layers):
        mine = owners[t] == number
        to_x[mine], to_y[mine] = layer.place(other, *layer.own(t, x[mine], y[mine]))
    height, width = x.shape
    outside = (to_x < 0) | (to_x > width - 1) | (to_y < 0) | (to_y > height - 1)
    hidden = outside | (_owners(layers, other, to_x, to_y) != owners[t])
    return np.stack([to_x - x, to_y - y]).astype(np.float32), hidden
