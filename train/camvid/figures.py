"""Pictures of segmentations: Figure 8, a sequence with labels propagated along the flow, and the curves."""

import math

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from nnlite import models
from nnlite.data.flow_colour import flow_colours
from nnlite.data.label_colours import colours_from_labels
from nnlite.train.camvid.evaluation import segment
from nnlite.train.camvid.scores import draw_confusion
from nnlite.train.report.figures import save_figure

#: Test sequences in Figure 8.
ROWS = 4


def draw_results(folder, networks, data, count):
    """Draw the predictions of {title: model} on test sequences: figure8.png, and for video sequence.png.

    Figure 8 has the last frames of sequences spread over the first `count`; sequence.png has the first one.
    """
    rows = np.unique(np.linspace(0, count - 1, min(ROWS, count)).astype(int))
    video = data.test.batch(rows)
    found = {title: segment(model, video.frames) for title, model in networks.items()}
    predictions = {title: result["labels"][-1] for title, result in found.items()}
    draw_examples(folder / "figure8.png", video.frames[-1], video.true_labels[-1], predictions, data)
    if len(video.frames) == 1 or (video.frames == video.frames[:1]).all():
        return
    predictions, flows = {}, {}
    for title, result in found.items():
        if "basic" in result:
            predictions["not propagated"] = result["basic"][:, 0]
            flows["flow"] = result["flow"][:-1, 0]
        predictions[title] = result["labels"][:, 0]
    if flows and hasattr(video, "true_flow"):
        flows["true flow"] = video.true_flow("target")[0][:, 0]
    visible = (video.visible_labels[:, 0] >= 0).any(axis=(1, 2))
    frames, target = video.frames[:, 0], video.true_labels[:, 0]
    draw_sequence(folder / "sequence.png", frames, target, predictions, flows, data, visible)


def draw_confusions(folder, results):
    """Draw the confusion matrices of {name: result} at labelled frames, confusion_NAME.png."""
    for name, result in results.items():
        title = f"{models.TITLES[name]}, labelled test frames"
        draw_confusion(folder / f"confusion_{name}.png", result["scores"]["labels"]["labelled"], title)


def draw_examples(path, frames, target, predictions, data):
    """Draw Figure 8, a row each: the frame, the target, and the labels of each network.

    frames: (N, 3, H, W). target: (N, H, W), black where not counted. predictions: {title: (N, H, W)}. data:
    has `classes` and `palette`, for the legend.
    """
    columns = {"frame": _pictures(frames), "target": colours_from_labels(target, data.palette)}
    columns |= {title: colours_from_labels(labels, data.palette) for title, labels in predictions.items()}
    figure, grid = _grid(len(frames), len(columns), frames.shape[-2:], 1.9, data)
    for axes, (title, pictures) in zip(grid.T, columns.items(), strict=True):
        axes[0].set_title(title, fontsize=9)
        for axis, picture in zip(axes, pictures, strict=True):
            axis.imshow(picture, interpolation="nearest")
    _save(figure, path)


def draw_sequence(path, frames, target, predictions, flows, data, visible):
    """Draw one sequence over time: frames, target, the labels of each network, and the flow.

    frames: (T, 3, H, W). target: (T, H, W). predictions: {title: (T, H, W)}. flows: {title: (T - 1, 2, H,
    W)}, of which entry t is drawn below frame t + 1, to which it propagates labels; the true one, where it is
    known, last, since that sets the scale. visible: (T,), the frames with visible labels, named in the title.
    """
    steps = len(frames)
    rows = {"frame": _pictures(frames), "target": colours_from_labels(target, data.palette)}
    rows |= {title: colours_from_labels(labels, data.palette) for title, labels in predictions.items()}
    longest = 0.0
    if flows:
        motions = {title: np.moveaxis(flow, 1, -1) for title, flow in flows.items()}
        longest = float(np.hypot(*np.moveaxis(list(motions.values())[-1], -1, 0)).max()) or 1.0
        for title, motion in motions.items():
            rows[title] = [None, *flow_colours(motion, longest)]
    figure, grid = _grid(len(rows), steps, frames.shape[-2:], 1.35, data)
    for t, (axis, labelled) in enumerate(zip(grid[0], visible)):
        axis.set_title(f"frame {t + 1}" + (", labelled" if labelled else ""), fontsize=8)
    for axes, (title, pictures) in zip(grid, rows.items(), strict=True):
        axes[0].set_ylabel(title, fontsize=8)
        for axis, picture in zip(axes, pictures, strict=True):
            if picture is None:
                axis.spines[:].set_visible(False)
                key = f"white: none\nfull colour:\n{longest:.1f} px"
                axis.text(0.5, 0.5, key, ha="center", va="center", fontsize=7)
            else:
                axis.imshow(picture, interpolation="nearest")
    _save(figure, path)


def draw_curves(path, log):
    """Draw the loss of training, and the averages on unseen sequences, over the sequences trained on."""
    training = [line for line in log if "loss" in line]
    checks = [line for line in log if "evaluation" in line]
    trained_on = [line["sequences"] for line in checks]
    figure = Figure(figsize=(11, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot([line["sequences"] for line in training], [line["loss"] for line in training], color="0.5")
    left.set(title="Training", xlabel="training sequences", ylabel="loss a value", ylim=(0, None))
    for number, kind in enumerate(("labelled", "unlabelled")):
        for name, style in (("class_average", "o-"), ("global_average", "s--")):
            values = [100 * (line["evaluation"][kind] or {}).get(name, np.nan) for line in checks]
            if not np.isnan(values).all():
                label = f"{name.replace('_', ' ')}, {kind} frames"
                right.plot(trained_on, values, style, color=f"C{number}", label=label)
    right.set(title="Unseen sequences", xlabel="training sequences", ylabel="per cent", ylim=(0, 100))
    right.legend(fontsize=8)
    _save(figure, path)


def _pictures(frames):
    """Return frames (..., 3, H, W) as pictures (..., H, W, 3)."""
    return np.clip(np.moveaxis(frames, -3, -1), 0, 1)


def _grid(rows, columns, size, width, data):
    """Return a figure with `data`'s legend and axes for pictures of `size` (H, W), `width` inches wide."""
    patches = [Patch(color=colour / 255, label=name) for name, colour in zip(data.classes, data.palette)]
    patches.append(Patch(color="black", label="not counted"))
    height, gap, left, top = width * size[0] / size[1], 0.06, 0.3, 0.3
    wide = left + (width + gap) * columns
    across = max(1, int(wide / 1.1))  # inches that a name of the legend takes
    high = top + (height + gap) * rows + 0.2 + 0.15 * math.ceil(len(patches) / across)
    figure = Figure(figsize=(wide, high))
    axes = np.empty((rows, columns), object)
    for row, column in np.ndindex(rows, columns):
        x, y = left + (width + gap) * column, high - top - (height + gap) * row - height
        axis = axes[row, column] = figure.add_axes((x / wide, y / high, width / wide, height / high))
        axis.set(xticks=[], yticks=[])
    figure.legend(
        handles=patches, loc="lower center", ncols=across, fontsize=7, handlelength=1.2, borderpad=0.2
    )
    return figure, axes


def _save(figure, path):
    save_figure(path, figure, dpi=110)
