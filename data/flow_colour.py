"""The Middlebury colour code: direction of the flow as hue, its length as saturation.

Baker et al., A database and evaluation methodology for optical flow, IJCV 92, 2011. The arithmetic follows
the public C implementation step by step, in the same precision, so that pictures agree to the byte.
"""

import numpy as np

from .flow import known_flow


def wheel_colours():
    """Return the 55 colours around the wheel, (55, 3): red, yellow, green, cyan, blue, magenta, red.

    The steps are unequal because the eye distinguishes more hues in some ranges than in others.
    """
    corners = 255 * np.array([(1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 1, 1), (0, 0, 1), (1, 0, 1)])
    parts = []
    for corner, following, steps in zip(corners, np.roll(corners, -1, axis=0), (15, 6, 4, 11, 13, 6)):
        ramp = 255 * np.arange(steps) // steps
        parts.append(corner + np.sign(following - corner) * ramp[:, None])
    return np.concatenate(parts)


def flow_colours(flow, longest=None):
    """Return the picture (..., H, W, 3), uint8, of a flow (..., H, W, 2) of (u, v) in pixels.

    longest: the length, in pixels, that is shown in full colour; by default the largest in `flow`. Zero flow
    is white, unknown flow black, and flow longer than `longest` darker.
    """
    flow = np.asarray(flow, np.float32)
    if flow.shape[-1:] != (2,):
        raise ValueError(f"flow must have shape (..., H, W, 2), got {flow.shape}")
    if longest is not None and not longest > 0:
        raise ValueError(f"longest must be above 0, got {longest}")
    known = known_flow(flow)
    flow = np.where(known[..., None], flow, np.float32(0))
    if longest is None:
        longest = _lengths(flow).max(initial=0.0) or 1.0
    flow = flow / np.float32(longest)
    length = _lengths(flow)[..., None]
    x, y = flow[..., 0].astype(np.float64), flow[..., 1].astype(np.float64)
    turn = (np.arctan2(-y, -x) / np.pi).astype(np.float32)  # -1..1, clockwise from the right
    colours = wheel_colours()
    position = ((turn.astype(np.float64) + 1) / 2 * (len(colours) - 1)).astype(np.float32)
    first = position.astype(np.int32)
    fraction = (position - first.astype(np.float32))[..., None]
    colours = (colours / 255.0).astype(np.float32)
    colour = (1 - fraction) * colours[first] + fraction * colours[(first + 1) % len(colours)]
    colour = np.where(length <= 1, 1 - length * (1 - colour), colour * np.float32(0.75))
    picture = (255.0 * colour.astype(np.float64)).astype(np.uint8)
    picture[~known] = 0
    return picture


def colour_wheel(size):
    """Return the legend (size, size, 3), uint8: a disc on white.

    Each pixel has the colour of the flow that points to it from the centre; the rim is the longest flow.
    """
    offset = (np.arange(size, dtype=np.float32) - (size - 1) / 2) / (size / 2)
    flow = np.stack(np.broadcast_arrays(offset, offset[:, None]), axis=-1)
    picture = flow_colours(flow, 1.0)
    picture[_lengths(flow) > 1] = 255
    return picture


def _lengths(flow):
    return np.sqrt(flow[..., 0] * flow[..., 0] + flow[..., 1] * flow[..., 1])
