"""Pictures of predictions on real video: Figure 6, and a video of panels side by side."""

from itertools import chain, islice

import matplotlib.pyplot as plt
import numpy as np
from nnlite.data.flow_colour import colour_wheel, flow_colours
from nnlite.train.real_video.scores import predict
from PIL import Image, ImageDraw, ImageFont

#: The error that is white in the videos.
WHITE = 0.25
#: Height of a panel and of the line above it, in pixels; frames are enlarged by whole numbers.
_PANEL, _LINE, _GAP = 240, 22, 4
#: From how many frames the scale of the flow is taken.
_SCALED_BY = 50


def draw_figure6(path, model, clips, chosen, titles):
    """Draw one row per clip: its last three input frames, the truth, the prediction and the flow.

    The rim of the wheel stands for the 99th percentile of the lengths of the flow in the same row, at least
    for one pixel, so that a flow that is next to nothing stays pale.
    """
    frames = clips.batch(chosen)
    model.evaluate()
    predictions, flows = predict(model, frames[:-1])
    model.training()
    names = ["t - 2", "t - 1", "t", "t + 1: truth", "prediction", "flow"]
    height, width = clips.size
    figure, axes = plt.subplots(
        len(chosen),
        len(names),
        figsize=(1.7 * len(names), (1.7 * height / width + 0.22) * len(chosen) + 0.2),
        squeeze=False,
        layout="constrained",
    )
    for axis, name in zip(axes[0], names):
        axis.set_title(name, fontsize=9)
    for n, row in enumerate(axes):
        longest = _scale(flows[-1, n])
        shown = [frames[k, n] for k in range(-4, 0)] + [predictions[-1, n]]
        for axis, picture in zip(row, [*map(_picture, shown), flow_colours(flows[-1, n], longest)]):
            axis.imshow(picture, interpolation="nearest")
            axis.set(xticks=[], yticks=[])
        row[0].set_ylabel(titles[n], fontsize=6)
        wheel = row[-1].inset_axes([0.74, 0.0, 0.26, 0.26 * width / height])
        wheel.imshow(colour_wheel(101))
        wheel.set_axis_off()
        row[-1].set_xlabel(f"rim of the wheel: {longest:.1f} px", fontsize=6, labelpad=1)
    figure.savefig(path, dpi=140)
    plt.close(figure)


def panels(compared):
    """Yield a picture (H, W, 3), uint8, for each (frame before, frame, its prediction, flow to it).

    Side by side: the frame before, which is the last that was seen, the prediction, the flow and the error.
    One scale of the flow serves for the whole video, taken from its beginning.
    """
    compared = iter(compared)
    first = list(islice(compared, _SCALED_BY))
    if not first:
        return
    longest = _scale(np.stack([flow for *_, flow in first]))
    height, width = first[0][3].shape[:2]
    factor = max(1, round(_PANEL / height))
    head = _head(
        [
            "last frame seen",
            "prediction of the next",
            f"flow (rim: {longest:.1f} px)",
            f"error (white: {WHITE})",
        ],
        factor * width,
    )
    wheel = colour_wheel(max(8, factor * min(height, width) // 4))
    while first:
        before, frame, prediction, flow = first.pop(0)
        error = np.minimum(np.abs(prediction - frame).mean(axis=0, keepdims=True) / WHITE, 1)
        parts = [_picture(before), _picture(prediction), flow_colours(flow, longest), _picture(error)]
        parts = [part.repeat(factor, axis=0).repeat(factor, axis=1) for part in parts]
        parts[2][-len(wheel) :, -len(wheel) :] = wheel
        yield np.concatenate([head, np.concatenate(list(_spaced(parts)), axis=1)])
        first += islice(compared, 1)


def _scale(flow):
    """Return the length of flow (..., H, W, 2) that gets the full colour: nearly the longest, or a pixel."""
    return max(float(np.percentile(np.hypot(flow[..., 0], flow[..., 1]), 99)), 1.0)


def _picture(frame):
    """Return a frame (1 or 3, H, W) with values in [0, 1] as (H, W, 3), uint8."""
    levels = np.rint(255 * np.clip(frame, 0, 1)).astype(np.uint8)
    return np.broadcast_to(np.moveaxis(levels, 0, -1), (*frame.shape[1:], 3))


def _spaced(parts):
    """Yield the panels with white gaps between them."""
    gap = np.full((len(parts[0]), _GAP, 3), 255, np.uint8)
    return chain.from_iterable((gap, part) if k else (part,) for k, part in enumerate(parts))


def _head(titles, width):
    """Return the line of titles above the panels."""
    image = Image.new("RGB", (len(titles) * width + (len(titles) - 1) * _GAP, _LINE), "white")
    draw = ImageDraw.Draw(image)
    for k, title in enumerate(titles):
        draw.text((k * (width + _GAP) + 3, 4), title, fill="black", font=ImageFont.load_default())
    return np.asarray(image)
