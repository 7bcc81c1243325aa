"""What a run leaves to look at: tables as text, JSON files such as `result.json`, and the figures."""

import json
import os
import platform
import subprocess
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import scipy
from nnlite.data.flow_colour import colour_wheel, flow_colours

from nnlite import backend
from nnlite.files import replacing


def format_table(title, columns, rows):
    """Return a text table: a title, a head of `columns`, and rows of (name, values).

    Values are numbers, text, or None, which is left blank.
    """
    cells = [[name, *map(_cell, values)] for name, values in rows]
    head = ["", *columns]
    widths = [max(len(line[i]) for line in [head, *cells]) for i in range(len(head))]
    widths[0] = max(widths[0], 40)  # so that tables below each other line up

    def line(entries):
        numbers = (entry.rjust(width + 3) for entry, width in zip(entries[1:], widths[1:], strict=True))
        return "  " + entries[0].ljust(widths[0]) + "".join(numbers)

    return "\n".join([title, line(head), *map(line, cells)])


def _cell(value):
    if value is None:
        return ""
    return value if isinstance(value, str) else f"{value:.4f}"


def write_json(path, content):
    """Write `content` as indented JSON, replacing the file as a whole."""
    with replacing(path) as part:
        part.write_text(json.dumps(content, indent=2) + "\n")


def read_json(path, wanted, fix):
    """Return the JSON object in a file that a run has written, a dict.

    wanted: {name: type} of what it has to hold. fix: what to do when it is damaged, for the message of the
    ValueError that names the file.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text())
        if not isinstance(content, dict):
            raise ValueError(f"it holds a {type(content).__name__}, not an object")
        for name, kind in wanted.items():
            if not isinstance(content.get(name), kind):
                raise ValueError(f"it has no {name!r} of type {kind.__name__}")
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged ({error}): {fix}") from error
    return content


def hardware(device):
    """Return what the numbers were measured on: processor, GPU if used, versions of Python and libraries."""
    found = {"cpu": _cpu_name(), "cores": os.cpu_count(), "device": device}
    versions = {"python": platform.python_version(), "numpy": np.__version__, "scipy": scipy.__version__}
    if device == "cuda":
        cupy = backend.array_module("cuda")
        versions["cupy"] = cupy.__version__
        found["gpu"] = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)["name"].decode()
    system = f"{platform.system()} {platform.release().partition('-')[0]}, {platform.machine()}"
    return {**found, "system": system, "versions": versions}


def format_hardware(hardware):
    """Return the GPU, or the processor and its number of cores."""
    return hardware.get("gpu") or f"{hardware['cores']} cores of {hardware['cpu']}"


def machines(result):
    """Return what a run was trained on; results of earlier versions name the last machine alone."""
    return result.get("machines") or [format_hardware(result["hardware"])]


def format_commits(commits):
    """Return the commits that a run was trained with as text; None stands for one outside of a checkout."""
    return ", ".join(filter(None, commits)) or "unknown"


def commit():
    """Return the commit of the source tree, "+ changes" when it was changed since, or None outside git."""

    def git(*arguments):
        command = ["git", "-C", str(Path(__file__).parent), *arguments]
        try:
            return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        except (OSError, subprocess.CalledProcessError):
            return None

    name = git("rev-parse", "--short=12", "HEAD")
    return f"{name} + changes" if name and git("status", "--porcelain", "--untracked-files=no") else name


def _cpu_name():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown")


def draw_curves(path, panels, smooth=0.02):
    """Draw one panel per measure, over the number of training sequences seen.

    panels: dicts with `title`, `label` of the y axis, `training` and `unseen`, (x, y) of the measure on
    batches and on unseen data, and `levels` {name: value}, drawn as horizontal lines. smooth: the share of
    the run over which the former is averaged.
    """
    figure, axes = plt.subplots(
        1, len(panels), figsize=(6 * len(panels), 4), squeeze=False, layout="constrained"
    )
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
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _trailing_mean(values, width):
    """Return the mean of each entry and the up to width - 1 entries before it."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    last = np.arange(1, len(values) + 1)
    first = np.maximum(last - width, 0)
    return (sums[last] - sums[first]) / (last - first)


def draw_errors(path, curves, references, title, label):
    """Draw the errors of steps 1, 2, ..., models as lines and references, both {name: [...]}, dashed.

    label: of the axis of steps. The shorter ones are of the last steps.
    """
    figure, axis = plt.subplots(figsize=(8.5, 4), layout="constrained")
    steps = max(map(len, [*curves.values(), *references.values()]))
    for names, style in ((curves, "o-"), (references, "k--")):
        for number, (name, values) in enumerate(names.items()):
            shade = {} if style == "o-" else {"alpha": 1 / (1 + number)}
            axis.plot(range(steps - len(values) + 1, steps + 1), values, style, label=name, **shade)
    axis.set(title=title, xlabel=label, ylabel="cross-entropy, nats a pixel", ylim=(0, None))
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    figure.savefig(path, dpi=110)
    plt.close(figure)


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
    figure, axes = plt.subplots(
        rows + wheel_rows,
        len(names),
        figsize=(1.1 * len(names), 1.1 * (rows + wheel_rows) + 0.25),
        squeeze=False,
        layout="constrained",
    )
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
    figure.savefig(path, dpi=140)
    plt.close(figure)
