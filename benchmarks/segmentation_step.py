"""Peak memory and time of one training step of SegNet and of SegNet-flow, nnlite and PyTorch in turns.

    python -m benchmarks.segmentation_step     6 frames of 240x180, batch 1, as in section 5.2: some minutes

A step is forward pass, loss, backpropagation through time, clipping and rmsprop; both sides start from the
same parameters, and their first losses are compared. Each runs in a process of its own; memory is the peak
of its resident set. Writes segmentation_step.md and .json.
"""

import argparse
import os
import shlex
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from statistics import median

import numpy as np
from nnlite.benchmarks.contestant import Child, ChildFailed
from nnlite.data.moving_shapes import MovingShapes
from nnlite.train.moving_mnist.table1 import format_markdown
from nnlite.train.report.report import hardware, write_json

import nnlite as nn
from nnlite import models

#: The largest relative difference of the first losses.
TOLERANCE = 1e-4
TITLES = {"segnet": "SegNet", "segnet_flow": "SegNet-flow"}
COLUMNS = ("network", "parameters", "nnlite, MB", "PyTorch, MB", "ratio", "nnlite, s", "PyTorch, s", "ratio")


def main(argv=None):
    """Run the command; return its exit status."""
    argv = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.segmentation_step",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--size", nargs=2, type=int, default=(180, 240), metavar=("H", "W"))
    parser.add_argument("--length", type=int, default=6, help="frames a sequence (6)")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each side, one step each (3)")
    parser.add_argument("--out", default="results", metavar="FOLDER", help="default: results")
    options = parser.parse_args(argv)
    rows = []
    try:
        for name in TITLES:
            rows.append(measure(name, options.size, options.length, options.rounds))
            print(format_markdown(COLUMNS, [_cells(rows[-1])]), flush=True)
    except (ChildFailed, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    run = {
        "command": shlex.join(["python", "-m", "benchmarks.segmentation_step", *argv]),
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        "machine": hardware("cpu"),
        "blas": os.environ.get("OPENBLAS_CORETYPE"),
        "size": list(options.size),
        "length": options.length,
        "rows": rows,
    }
    folder = Path(options.out)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "segmentation_step.json", run)
    (folder / "segmentation_step.md").write_text(format_page(run))
    print(f"Written to {folder}/segmentation_step.md and {folder}/segmentation_step.json")
    return 0


def measure(name, size, length, rounds):
    """Return peak bytes and seconds of a network's steps on both sides.

    ValueError when the first losses differ, ChildFailed when a side cannot go on.
    """
    row, losses, children = {"network": name}, {}, {}
    with tempfile.TemporaryDirectory() as folder:
        row["parameters"] = _write_start(folder, name, size, length)
        try:
            for side in ("nnlite", "torch"):
                settings = {"framework": side, "model": name, "folder": folder}
                children[side] = Child(
                    "nnlite.benchmarks.segmentation_contestants", settings, dict(os.environ)
                )
                losses[side] = children[side].ask("warm_up", 1)
            if not abs(losses["nnlite"] / losses["torch"] - 1) <= TOLERANCE:
                raise ValueError(f"{name}: losses {losses} differ")
            seconds = {side: [] for side in children}
            for _ in range(rounds):
                for side, child in children.items():
                    seconds[side] += child.ask("turn", 0.0)
            for side, child in children.items():
                peak = child.ask("peak_memory")["host"]
                row[side] = {"seconds": seconds[side], "bytes": peak, "libraries": child.libraries}
        finally:
            for child in children.values():
                child.close()
    return row


def format_page(run):
    """Return the page of a run in Markdown."""
    (height, width), machine = run["size"], run["machine"]
    blas = f", OPENBLAS_CORETYPE={run['blas']}" if run["blas"] else ""
    return "\n".join(
        [
            "# One training step of SegNet and SegNet-flow beside PyTorch",
            "",
            f"`{run['command']}`, {run['date']}, {machine['cores']} cores of {machine['cpu']}{blas}.",
            f"{run['length']} frames of {width}x{height}, batch 1, the last one labelled; float32. Memory is",
            "the peak of the process's resident set, libraries and all; seconds are medians.",
            "",
            format_markdown(COLUMNS, [_cells(row) for row in run["rows"]]),
            "",
        ]
    )


def _cells(row):
    memory = [row[side]["bytes"] / 1e6 for side in ("nnlite", "torch")]
    seconds = [median(row[side]["seconds"]) for side in ("nnlite", "torch")]
    return (
        TITLES[row["network"]],
        f"{row['parameters']:,}",
        *(f"{megabytes:,.0f}" for megabytes in memory),
        f"{memory[0] / memory[1]:.2f}",
        *(f"{value:.2f}" for value in seconds),
        f"{seconds[0] / seconds[1]:.2f}",
    )


def _write_start(folder, name, size, length):
    """Write frames, labels and initial parameters; return the number of parameters."""
    nn.manual_seed(0)
    model = models.build(name, height=size[0], width=size[1])
    video = MovingShapes(size=tuple(size), frames=length).sequences([0])
    start = {path: weight for path, weight, _ in model.named_parameters()}
    np.savez(f"{folder}/start.npz", frames=video.frames, labels=video.labels, **start)
    return models.count_parameters(model)


if __name__ == "__main__":
    sys.exit(main())
