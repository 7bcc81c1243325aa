"""The frame strip: frames, predictions, their error, flow and labels as pictures, step by step."""

import numpy as np

from nnlite.data import label_colours, moving_shapes
from nnlite.data.flow_colour import flow_colours


def frame_strip(run):
    """Return the pictures of a `ForwardBackward` after its forward pass, a dict a row.

    {"name", "format", "steps": {time step: picture}, "note"}; the format is "picture", an array
    (H, W, 1 or 3) uint8, or "signed", an array (C, H, W) to be coloured.
    """
    model, offset = run.model, run.offset
    rows = [_frame_row("frame", run.input + offset)]
    prediction = getattr(model, "predicted", None if run.segments else run.output)
    if prediction is not None:
        target = run.input[1:] if run.segments else run.target
        first = run.n_frames - len(prediction)
        rows.append(_frame_row("next frame, predicted", prediction + offset, first))
        rows.append(_frame_row("next frame, true", target[first:] + offset, first))
        error = prediction[: len(target) - first] - target[first:]
        signed = {str(t + first): array[0] for t, array in enumerate(error)}
        rows.append({"name": "error", "format": "signed", "steps": signed, "note": "predicted minus true"})
    if hasattr(model, "flow"):
        flow = np.moveaxis(np.asarray(model.flow[:, 0], np.float32), 1, -1)
        longest = float(np.hypot(flow[..., 0], flow[..., 1]).max()) or 1.0
        pictures = {str(t): picture for t, picture in enumerate(flow_colours(flow, longest))}
        note = f"full colour: {longest:.2f} pixels a frame"
        rows.append({"name": "flow", "format": "picture", "steps": pictures, "note": note})
    if run.segments:
        scores, labels = run.output, run.target
        if isinstance(scores, list):
            scores, labels = scores[0], labels[0]
        palette = label_colours.PALETTE
        if scores.shape[2] == len(moving_shapes.CLASSES):
            palette = moving_shapes.PALETTE
        rows.append(_label_row("labels, predicted", scores.argmax(axis=2), palette))
        rows.append(_label_row("labels, trained on", labels, palette))
    return rows


def _frame_row(name, frames, first=0):
    """Return the row of frames (T, 1, C, H, W) in [0, 1]."""
    levels = np.moveaxis(np.clip(frames[:, 0] * 255 + 0.5, 0, 255).astype(np.uint8), 1, -1)
    pictures = {str(t + first): picture for t, picture in enumerate(levels)}
    return {"name": name, "format": "picture", "steps": pictures, "note": ""}


def _label_row(name, labels, palette):
    """Return the row of labels (T, 1, H, W), -1 in black."""
    colours = np.zeros((max(len(palette), int(labels.max()) + 1) + 1, 3), np.uint8)
    colours[: len(palette)] = palette
    pictures = {str(t): colours[picture] for t, picture in enumerate(labels[:, 0])}
    return {"name": name, "format": "picture", "steps": pictures, "note": ""}
