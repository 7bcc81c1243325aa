"""Peak memory and time of one training step of SegNet and of SegNet-flow, nnlite alternating with PyTorch.

    python -m benchmarks.segmentation_step     6 frames of 180x240, batch 1, as in section 5.2: a few minutes

A step is forward pass, loss, backpropagation through time, clipping and rmsprop. Both start from the same
parameters, and their first losses are compared. Each runs in its own process; memory is the peak of its
resident set size. Writes segmentation_step.md and segmentation_step.json.
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

import nnlite as nn
from nnlite import models
from nnlite.benchmarks.contestant import Child, ChildFailed
from nnlite.data.moving_shapes import MovingShapes
from nnlite.train.report.files import write_json
from nnlite.train.report.provenance import hardware
from nnlite.train.report.tables import format_markdown

#: The largest relative difference allowed between the first losses.
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
    parser.add_argument("--size", nargs=2, type=int, default=(180, 240), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--length", type=int, default=6, help="frames in a sequence (6)")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each framework, one step each (3)")
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
    """Return the peak bytes and the seconds of a network's steps in both frameworks.

    ValueError if the first losses differ, ChildFailed if a framework's process ends.
    """
    row, losses, children = {"network": name}, {}, {}
    with tempfile.TemporaryDirectory() as folder:
        row["parameters"] = _write_start(folder, name, size, length)
        try:
            for framework in ("nnlite", "torch"):
                settings = {"framework": framework, "model": name, "folder": folder}
                children[framework] = Child(
                    "nnlite.benchmarks.segmentation_contestants", settings, dict(os.environ)
                )
                losses[framework] = children[framework].ask("warm_up", 1)
            if not abs(losses["nnlite"] / losses["torch"] - 1) <= TOLERANCE:
                raise ValueError(f"{name}: losses {losses} differ")
            seconds = {framework: [] for framework in children}
            for _ in range(rounds):
                for framework, child in children.items():
                    seconds[framework] += child.ask("turn", 0.0)
            for framework, child in children.items():
                peak = child.ask("peak_memory")["host"]
                row[framework] = {
                    "seconds": seconds[framework],
                    "bytes": peak,
                    "libraries": child.libraries,
                }
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
            f"{run['length']} frames of {height}x{width}, batch 1, the last one labelled; float32. Memory is",
            "the peak resident set size of the process, libraries included; seconds are medians.",
            "",
            format_markdown(COLUMNS, [_cells(row) for row in run["rows"]]),
            "",
        ]
    )


def _cells(row):
    nnlite, torch = row["nnlite"], row["torch"]
    nnlite_seconds, torch_seconds = median(nnlite["seconds"]), median(torch["seconds"])
    return (
        TITLES[row["network"]],
        f"{row['parameters']:,}",
        f"{nnlite['bytes'] / 1e6:,.0f}",
        f"{torch['bytes'] / 1e6:,.0f}",
        f"{nnlite['bytes'] / torch['bytes']:.2f}",
        f"{nnlite_seconds:.2f}",
        f"{torch_seconds:.2f}",
        f"{nnlite_seconds / torch_seconds:.2f}",
    )


def _write_start(folder, name, size, length):
    """Write frames, labels and initial parameters; return the number of parameters."""
    nn.manual_seed(0)
    model = models.build(name, height=size[0], width=size[1])
    video = MovingShapes(size=tuple(size), n_frames=length).batch([0])
    start = {path: weight for path, weight, _ in model.named_parameters()}
    np.savez(f"{folder}/start.npz", frames=video.frames, labels=video.visible_labels, **start)
    return models.count_parameters(model)


if __name__ == "__main__":
    sys.exit(main())
