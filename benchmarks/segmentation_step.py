"""Peak memory and time of one training step of SegNet and of SegNet-flow, nnlite alternating with PyTorch.

    python -m benchmarks.segmentation_step     6 frames of 180x240, batch 1, as in section 5.2: a few minutes

A step is forward pass, loss, backpropagation through time, clipping and rmsprop. Both start from the same
parameters, and their first losses are compared. Each runs in its own process; memory is the peak of its
resident set size. Ratios are over PyTorch's fastest and its leanest variant. Writes segmentation_step.md and
segmentation_step.json.
"""

import argparse
import os
import shlex
import sys
import tempfile
from datetime import datetime
from statistics import median

import nnlite as nn
from nnlite import models
from nnlite.benchmarks.contestant import Child, ChildFailed
from nnlite.data.moving_shapes import MovingShapes
from nnlite.files import make_folder, write_arrays, write_text
from nnlite.train.report.files import write_json
from nnlite.train.report.provenance import hardware
from nnlite.train.report.tables import format_markdown

#: The largest relative difference allowed between the first losses.
TOLERANCE = 1e-4
VARIANTS = ("eager", "eager channels-last", "compiled", "compiled channels-last")
COLUMNS = (
    "network",
    "parameters",
    "nnlite, MB",
    "PyTorch's leanest, MB",
    "ratio",
    "nnlite, s",
    "PyTorch's fastest, s",
    "ratio",
)


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
    parser.add_argument("--rounds", type=int, default=3, help="turns of each contestant, one step each (3)")
    parser.add_argument(
        "--variants", nargs="+", choices=VARIANTS, default=VARIANTS[:2], help="of PyTorch (the first two)"
    )
    parser.add_argument("--out", default="results", metavar="FOLDER", help="default: results")
    options = parser.parse_args(argv)
    rows = []
    try:
        for name in models.segmenter_names():
            rows.append(measure(name, options.size, options.length, options.rounds, options.variants))
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
    folder = make_folder(options.out)
    write_json(folder / "segmentation_step.json", run)
    write_text(folder / "segmentation_step.md", format_page(run))
    print(f"Written to {folder}/segmentation_step.md and {folder}/segmentation_step.json")
    return 0


def measure(name, size, length, rounds, variants):
    """Return the peak bytes and the seconds of a network's steps: nnlite's, and those of PyTorch's variants.

    ValueError if the first losses differ, ChildFailed if a contestant's process ends.
    """
    row, losses, children = {"network": name, "torch": {}}, {}, {}
    with tempfile.TemporaryDirectory() as folder:
        row["parameters"] = _write_start(folder, name, size, length)
        try:
            for contestant in ("nnlite", *variants):
                settings = {"contestant": contestant, "model": name, "folder": folder}
                children[contestant] = Child(
                    "nnlite.benchmarks.segmentation_contestants", settings, dict(os.environ)
                )
                losses[contestant] = children[contestant].ask("warm_up", 1)
            if not all(abs(loss / losses["nnlite"] - 1) <= TOLERANCE for loss in losses.values()):
                raise ValueError(f"{name}: losses {losses} differ")
            seconds = {contestant: [] for contestant in children}
            for _ in range(rounds):
                for contestant, child in children.items():
                    seconds[contestant] += child.ask("turn", 0.0)
            for contestant, child in children.items():
                measured = {
                    "seconds": seconds[contestant],
                    "bytes": child.ask("peak_memory")["host"],
                    "libraries": child.libraries,
                }
                if contestant == "nnlite":
                    row["nnlite"] = measured
                else:
                    row["torch"][contestant] = measured
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
    fastest = min(torch, key=lambda variant: median(torch[variant]["seconds"]))
    leanest = min(torch, key=lambda variant: torch[variant]["bytes"])
    nnlite_seconds, torch_seconds = median(nnlite["seconds"]), median(torch[fastest]["seconds"])
    return (
        models.TITLES[row["network"]],
        f"{row['parameters']:,}",
        f"{nnlite['bytes'] / 1e6:,.0f}",
        f"{torch[leanest]['bytes'] / 1e6:,.0f} ({leanest})",
        f"{nnlite['bytes'] / torch[leanest]['bytes']:.2f}",
        f"{nnlite_seconds:.2f}",
        f"{torch_seconds:.2f} ({fastest})",
        f"{nnlite_seconds / torch_seconds:.2f}",
    )


def _write_start(folder, name, size, length):
    """Write frames, labels and initial parameters; return the number of parameters."""
    nn.manual_seed(0)
    model = models.build(name, height=size[0], width=size[1])
    video = MovingShapes(size=tuple(size), n_frames=length).batch([0])
    start = {path: weight for path, weight, _ in model.named_parameters()}
    data = {"frames": video.frames, "labels": video.visible_labels}
    write_arrays(f"{folder}/start.npz", data | start)
    return models.count_parameters(model)


if __name__ == "__main__":
    sys.exit(main())
