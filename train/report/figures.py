"""Figures that several experiments draw: curves of a run, errors by step, rows of predictions."""

import io
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from nnlite.data.flow_colour import colour_wheel, flow_colours
from nnlite.files import write_bytes


def save_figure(path, figure, dpi):
    """Write a figure to a file, whose name says in which format."""
    image = io.BytesIO()
    figure.savefig(image, format=Path(path).suffix[1:], dpi=dpi)
    write_bytes(path, image.getvalue())


def draw_curves(path, panels, smooth=0.02):
    """Draw one panel per measure, over the number of training sequences seen.

    panels: dicts with `title`, `label` of the y axis, `training` and `unseen`, (x, y) of the measure on
    batches and on unseen data, and `levels` {name: value}, drawn as horizontal lines. smooth: the share of
    the run over which the former is averaged.
    """
    figure = Figure(figsize=(6 * len(panels), 4), layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False)
    for axis, panel in zip(axes[0], panels, strict=True):
        x, y = panel["training"]
        if len(y):
            means = _trailing_mean(np.asarray(y), max(1, round(smooth * len(y))))
            axis.plot(x, means, color="0.6", label="training")
        axis.plot(*panel["unseen"], "o-", label="unseen")
        for number, (name, value) in enumerate(panel["levels"].items()):
            axis.axhline(value, linestyle=("--", ":")[number % 2], color=f"C{number + 1}", label=name)
        axis.set(title=panel["title"], ylabel=panel["label"], xlabel="training sequences", ylim=(0, None))
        axis.legend()
    save_figure(path, figure, dpi=110)


def _trailing_mean(values, width):
    """Return the mean of each entry and the up to width - 1 entries before it."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    last = np.arange(1, len(values) + 1)
    first = np.maximum(last - width, 0)
    return (sums[last] - sums[first]) / (last - first)


def draw_errors(path, curves, references, title, label, unit="nats a pixel"):
    """Draw the errors of steps 1, 2, ..., models as lines and references, both {name: [...]}, dashed.

    label: of the axis of steps. The shorter ones are of the last steps.
    """
    figure = Figure(figsize=(8.5, 4), layout="constrained")
    axis = figure.subplots()
    steps = max(map(len, [*curves.values(), *references.values()]))
    for names, style in ((curves, "o-"), (references, "k--")):
        for number, (name, values) in enumerate(names.items()):
            shade = {} if style == "o-" else {"alpha": 1 / (1 + number)}
            axis.plot(range(steps - len(values) + 1, steps + 1), values, style, label=name, **shade)
    axis.set(title=title, xlabel=label, ylabel=f"cross-entropy, {unit}", ylim=(0, None))
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    save_figure(path, figure, dpi=110)


def draw_predictions(path, frames, predictions, flows):
    """Draw one row per test sequence: its last four input frames, the truth, the predictions and the flows.

    frames: (T, N, 1, H, W), the last one is the truth. predictions: {title: (N, H, W)}, probabilities.
    flows: {title: (N, 2, H, W)} in pixels, empty for models without flow, the true one last when it is known.
    They are coloured as in Baker et al. 2011; the wheel below is the legend, its rim the longest motion in
    the last column; longer ones are darker.
    """
    inputs = min(4, len(frames) - 1)
    names = [f"t - {i}" for i in range(inputs - 1, 0, -1)] + ["t", "t + 1: truth", *predictions, *flows]
    columns = [*frames[-1 - inputs :, :, 0], *predictions.values()]
    wheel_rows = 0
    if flows:
        motions = [np.moveaxis(flow, 1, -1) for flow in flows.values()]
        # Off the digits a flow may be anything: the true motion sets the scale, where it is known.
        longest = np.hypot(motions[-1][..., 0], motions[-1][..., 1]).max() or 1.0
        columns += [flow_colours(motion, longest) for motion in motions]
        wheel_rows = 1

    rows = frames.shape[1]
    figure = Figure(figsize=(1.1 * len(names), 1.1 * (rows + wheel_rows) + 0.25), layout="constrained")
    axes = figure.subplots(rows + wheel_rows, len(names), squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    for name, column, cells in zip(names, columns, axes.T, strict=True):
        cells[0].set_title(name, fontsize=9 if len(name) < 14 else 7)
        for image, axis in zip(column, cells[:rows], strict=True):
            axis.imshow(image, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            axis.set_axis_on()
            axis.set(xticks=[], yticks=[])
    if wheel_rows:
        axes[-1, -2].imshow(colour_wheel(151))
        axes[-1, -1].text(
            0, 0.5, f"direction of\nmotion; rim:\n{longest:.1f} px a frame", va="center", fontsize=7
        )
    save_figure(path, figure, dpi=140)
