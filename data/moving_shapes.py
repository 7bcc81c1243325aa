"""Textured shapes moving over a textured background: labelled video with exact flow, without a download.

A shape is an outline and a texture, the same for all of its class, in two colours drawn anew for every shape,
so that colours say nothing about the class. Shapes and background move and turn at constant rates, at
sub-pixel positions; later shapes are painted over earlier ones. Nothing is resampled: every pixel's position
is mapped back to the coordinates of the shape, where outline and texture are formulas. The texture is taken
at the pixel's centre (no wavelength is under five pixels) and outlines are blended by the fraction of the
pixel that they cover; a pixel's label is what covers its centre. Flow and occlusion come from the same
formulas.

Then each frame is degraded independently: by white noise, and by discs that are replaced by grey. What is
lost in one frame is visible in its neighbours; that is what carrying labels along the flow can gain over
looking at single frames.

Sequence i of a (seed, split) is the same on any machine and does not depend on any other.
"""

from dataclasses import dataclass

import numpy as np

from .drawn_digits import SPLITS
from .label_colours import NOT_COUNTED
from .labelled_video import LabelledVideo
from .layers import FlowVideo, motion_over_time, owners_at, paint
from .shapes import OUTLINES, background_texture, shape_texture

CLASSES = ("Background", *OUTLINES)
#: Display colours of the classes, (6, 3) uint8.
PALETTE = np.array(
    [(128, 128, 128), (128, 0, 0), (128, 64, 128), (60, 40, 222), (128, 128, 0), (192, 128, 128)], np.uint8
)
#: Smallest and largest radius of a lost disc as a fraction of the frame's shorter side.
_LOST_RADIUS = 0.08, 0.22


@dataclass(frozen=True)
class ShapeVideo(FlowVideo, LabelledVideo):
    """A `LabelledVideo` whose motion is known."""


class MovingShapes:
    """A `VideoDataset` of moving shapes, without end.

    size: (height, width) of the frames. n_shapes: shapes in a sequence. speed: pixels a frame, a pair (min,
    max) for a uniform choice per shape; the background moves at up to half of the maximum. n_frames: frames
    in a sequence. visible: the frames whose labels training may see, counted from 0 or, if negative, from the
    end; None for all of them. noise: standard deviation of the noise. lost: the fraction of a frame that is
    lost, on average. Neither noise nor loss changes the scene itself.
    """

    def __init__(
        self,
        size=(64, 64),
        n_shapes=4,
        speed=(0.5, 3.0),
        n_frames=6,
        visible=(-1,),
        noise=0.05,
        lost=0.2,
        seed=0,
        split="train",
    ):
        height, width = size
        slow, fast = speed
        if min(height, width) < 16:
            raise ValueError(f"size must be at least 16 x 16, got {height} x {width}")
        if n_shapes < 0 or n_frames < 2:
            raise ValueError(f"at least 0 shapes and 2 frames are needed, got {n_shapes} and {n_frames}")
        if not 0 <= slow <= fast < np.inf:
            raise ValueError(
                f"speed must be 0 <= min <= max < infinity pixels a frame, got {slow} and {fast}"
            )
        if not (0 <= lost <= 0.9 and 0 <= noise < np.inf):
            raise ValueError(f"noise must be at least 0 and lost from 0 to 0.9, got {noise} and {lost}")
        if split not in SPLITS:
            raise ValueError(f"split must be one of {sorted(SPLITS)}, got {split!r}")
        if visible is not None and not all(-n_frames <= t < n_frames for t in visible):
            raise ValueError(f"visible must be indices of the {n_frames} frames, got {tuple(visible)}")
        self.size, self.n_shapes, self.n_frames = (height, width), n_shapes, n_frames
        self.slow, self.fast, self.noise, self.lost = slow, fast, noise, lost
        self.visible = tuple(range(n_frames)) if visible is None else tuple(visible)
        self.seed, self.split = seed, split

    def batch(self, indices):
        """Return the `ShapeVideo` of the sequences with these indices (any integers from 0 on)."""
        parts = [self._sequence(int(index)) for index in indices]
        frames, true_labels, *motion = (np.stack(arrays, axis=1) for arrays in zip(*parts))
        visible_labels = np.full_like(true_labels, NOT_COUNTED)
        visible_labels[list(self.visible)] = true_labels[list(self.visible)]
        return ShapeVideo(frames, visible_labels, true_labels, *motion)

    def _sequence(self, index):
        """Return one sequence: frames, true_labels, flow, hidden, flow_at_target, hidden_at_target."""
        scene, degradation = (
            np.random.Generator(np.random.PCG64([self.seed, SPLITS[self.split], index, stream]))
            for stream in (0, 1)
        )
        layers = _layers(scene, self.size, self.n_shapes, self.slow, self.fast, self.n_frames)
        height, width = self.size
        x, y = np.meshgrid(np.arange(width, dtype=float), np.arange(height, dtype=float))

        frames = np.empty((self.n_frames, 3, height, width), np.float32)
        owners = np.empty((self.n_frames, height, width), np.int64)
        for t in range(self.n_frames):
            owners[t] = owners_at(layers, t, x, y)
            frames[t] = self._degrade(paint(layers, t, x, y), degradation)
        true_labels = np.array([layer.label for layer in layers])[owners]

        return frames, true_labels, *motion_over_time(layers, owners, x, y)

    def _degrade(self, picture, draw):
        """Return a picture (3, H, W) with noise and lost discs."""
        height, width = self.size
        y, x = np.ogrid[:height, :width]
        low, high = (fraction * min(height, width) for fraction in _LOST_RADIUS)
        # n discs that each cover a fraction p leave (1 - p)^n; centres reach beyond the frame, so that its
        # border loses as much as its middle.
        area = np.pi * (low**2 + low * high + high**2) / 3
        mean = np.log1p(-self.lost) / np.log1p(-area / ((height + 2 * low) * (width + 2 * low)))
        n_discs = draw.poisson(mean)
        discs = draw.random((n_discs, 3))
        lost = np.zeros((height, width), bool)
        for px, py, radius in discs:
            radius = low + (high - low) * radius
            cx, cy = px * (width + 2 * low) - low, py * (height + 2 * low) - low
            lost |= (x - cx) ** 2 + (y - cy) ** 2 < radius**2
        noise = draw.standard_normal(picture.shape)
        return np.clip(np.where(lost, 0.5, picture) + self.noise * noise, 0, 1)


@dataclass(frozen=True)
class _Layer:
    """A shape or the background: its label, its pose over time and its appearance.

    At time t its own coordinates are rotated by angle + t·turn and its centre is at centre + t·velocity.
    inside(x, y): distance from the outline in its own coordinates, above 0 inside. texture(x, y): (..., 3).
    """

    label: int
    centre: np.ndarray
    velocity: np.ndarray
    angle: float
    turn: float
    inside: object
    texture: object

    def from_frame(self, t, x, y):
        """Return the layer's own coordinates of positions in frame t."""
        cx, cy = self.centre + t * self.velocity
        cos, sin = np.cos(self.angle + t * self.turn), np.sin(self.angle + t * self.turn)
        return cos * (x - cx) + sin * (y - cy), cos * (y - cy) - sin * (x - cx)

    def to_frame(self, t, x, y):
        """Return the positions in frame t of the layer's own coordinates."""
        cx, cy = self.centre + t * self.velocity
        cos, sin = np.cos(self.angle + t * self.turn), np.sin(self.angle + t * self.turn)
        return cx + cos * x - sin * y, cy + sin * x + cos * y


def _layers(draw, size, n_shapes, slow, fast, n_frames):
    """Return the background and then the shapes of a sequence, the topmost last."""
    height, width = size
    middle = (n_frames - 1) / 2
    layers = []
    for depth in range(n_shapes + 1):
        pace, direction, angle, turn, px, py, outline = draw.random(7)
        label = 0 if depth == 0 else 1 + int(outline * len(OUTLINES))
        speed = fast / 2 * pace if depth == 0 else slow + (fast - slow) * pace
        velocity = speed * np.array([np.cos(2 * np.pi * direction), np.sin(2 * np.pi * direction)])
        # Half-way through the sequence the centre is in the frame.
        centre = np.array([px * (width - 1), py * (height - 1)])
        turn = (2 * turn - 1) * (0.01 if depth == 0 else 0.06)
        if label:
            inside, texture = OUTLINES[CLASSES[label]](draw, min(size)), shape_texture(draw, CLASSES[label])
        else:
            inside, texture = None, background_texture(draw)
        start = centre - middle * velocity
        layers.append(_Layer(label, start, velocity, 2 * np.pi * angle, turn, inside, texture))
    return layers
