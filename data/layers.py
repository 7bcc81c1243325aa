"""Pictures of layers that move one in front of the other, and the flow between them.

A layer has its own coordinates: `from_frame(t, x, y)` and `to_frame(t, x, y)` convert between them and the
positions of frame t. In them `texture(x, y)` gives the colours (..., C) and `inside(x, y)` the distance from
the outline, above 0 inside; that of the first layer, the background, is not used.
"""

from dataclasses import dataclass

import numpy as np

from .video_dataset import VideoBatch


@dataclass(frozen=True)
class FlowVideo(VideoBatch):
    """N sequences whose motion is known.

    flow: (T-1, N, 2, H, W) float32, the motion (u, v) in pixels from frame t to t + 1 of what is visible at
    the pixels of frame t. hidden: (T-1, N, H, W) bool, the pixels of frame t whose content is covered or
    outside in frame t + 1. flow_at_target: the motion, from frame t, of what is visible at the pixels of
    frame t + 1; hidden_at_target: the pixels of frame t + 1 whose content was covered or outside in frame t.
    """

    flow: np.ndarray
    hidden: np.ndarray
    flow_at_target: np.ndarray
    hidden_at_target: np.ndarray

    def true_flow(self, at="source"):
        """Return the motion from each frame to the next and where it is visible, at the pixels of either.

        at: "source", the pixels of frame t (the convention of optical-flow files), or "target", those of
        frame t + 1 (where a sampler reads its flow). (T-1, N, 2, H, W) = (u, v) and (T-1, N, H, W) bool, true
        where the content is visible in both frames.
        """
        if at not in ("source", "target"):
            raise ValueError(f"at must be 'source' or 'target', got {at!r}")
        if at == "source":
            return self.flow, ~self.hidden
        return self.flow_at_target, ~self.hidden_at_target


def motion_over_time(layers, owners, x, y):
    """Return flow, hidden, flow_at_target and hidden_at_target of a `FlowVideo` for one sequence."""
    steps = range(len(owners) - 1)
    forward = [motion_between(layers, owners, t, t + 1, x, y) for t in steps]
    backward = [motion_between(layers, owners, t + 1, t, x, y) for t in steps]
    flow, hidden = map(np.stack, zip(*forward))
    backward_flow, hidden_at_target = map(np.stack, zip(*backward))
    return flow, hidden, -backward_flow, hidden_at_target


def owners_at(layers, t, x, y):
    """Return the number of the topmost layer at positions of frame t."""
    owner = np.zeros(np.shape(x), np.int64)
    for number, layer in enumerate(layers[1:], 1):
        owner[layer.inside(*layer.from_frame(t, x, y)) > 0] = number
    return owner


def paint(layers, t, x, y):
    """Return frame t, (C, H, W)."""
    picture = layers[0].texture(*layers[0].from_frame(t, x, y))
    for layer in layers[1:]:
        own_x, own_y = layer.from_frame(t, x, y)
        coverage = np.clip(layer.inside(own_x, own_y) + 0.5, 0, 1)
        touched = coverage > 0
        alpha = coverage[touched][:, None]
        texture = layer.texture(own_x[touched], own_y[touched])
        picture[touched] = alpha * texture + (1 - alpha) * picture[touched]
    return picture.transpose(2, 0, 1)


def motion_between(layers, owners, t, other, x, y):
    """Return the motion (2, H, W) from frame t to frame `other`, and the mask of what is hidden there."""
    to_x, to_y = np.empty_like(x), np.empty_like(y)
    for number, layer in enumerate(layers):
        owned = owners[t] == number
        to_x[owned], to_y[owned] = layer.to_frame(other, *layer.from_frame(t, x[owned], y[owned]))
    height, width = x.shape
    outside = (to_x < 0) | (to_x > width - 1) | (to_y < 0) | (to_y > height - 1)
    hidden = outside | (owners_at(layers, other, to_x, to_y) != owners[t])
    return np.stack([to_x - x, to_y - y]).astype(np.float32), hidden
