"""Measures all that only a GPU can show, in the time there is, and writes it down as it comes.

    python -m benchmarks.gpu --minutes 10 --out results/gpu
    python -m benchmarks.gpu --minutes 30 --out results/gpu --checkpoint run/checkpoint.h5
    python -m benchmarks.gpu --dry-run --out FOLDER

In this order, each part up to its share of the time, what one leaves going to the next:

1. agreement: the GPU against the CPU for every module, criterion and model, in float32 and float64;
2. kernels: gates, tiles, optimisers and convolutions alone, beside what their bytes and operations need;
3. steps: training step and memory beside PyTorch (eager, one CUDA graph, compiled), with TF32 and without;
4. paper: a training step of every run of `--preset paper`, and what that comes to;
5. tests: those that run on CuPy itself where there is a GPU;
6. training: goes on from --checkpoint for the time left.

What does not get its turn is listed with the reason. The same command again, on the same commit and machine,
does only what is missing. --dry-run does all of it in toy sizes on the CPU, on the double of CuPy that the
tests have or, what runs in processes of its own, as it does without a GPU. Writes gpu.json and gpu.md, and
the steps as benchmarks.json and benchmarks.md too. Ends with 1 if anything failed or differed.
"""

import argparse
import shlex
import sys
import time
from contextlib import nullcontext

from nnlite import backend
from nnlite.benchmarks.contestant import ROOT
from nnlite.benchmarks.gpu import agreement, commands, kernels, paper
from nnlite.benchmarks.gpu.page import format_page
from nnlite.benchmarks.gpu.record import Record
from nnlite.train.report.provenance import commit, hardware

#: By when each part has to be done, as a share of the time.
SHARES = {"agreement": 0.25, "kernels": 0.37, "steps": 0.80, "paper": 0.87, "tests": 0.96, "training": 1.0}
#: With a checkpoint training gets what is over these minutes.
MEASURING = 10.0
#: How a training goes on, unless the options after -- say otherwise; four times the rate of batches of 16.
TRAINING = "--preset best --model ae_convlstm --data mnist --batch 64 --lr 8e-3 --test-sequences 1000"
TOY_TRAINING = "--model ae_convlstm --data drawn --frames 3 --batch 1 --test-sequences 2 --evaluations 0"


def main(argv=None):
    """Run the command; return its exit status."""
    argv = sys.argv[1:] if argv is None else argv
    options = _options(argv)
    start = time.monotonic()
    try:
        with _library(options.dry_run):
            return _run(options, start, shlex.join(["python", "-m", "benchmarks.gpu", *argv]))
    except RuntimeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _run(options, start, command):
    backend.array_module("cuda")
    toy = options.dry_run
    about = {"commit": commit(), "machine": hardware("cuda"), "dry run": toy}
    record = Record(options.out, about, command, format_page)
    training = options.training or (TOY_TRAINING if toy else TRAINING).split()
    parts = {
        "agreement": lambda: agreement.pieces(toy),
        "kernels": lambda: kernels.pieces(toy),
        "steps": lambda: commands.step_pieces(options.out, toy),
        "paper": lambda: paper.pieces(toy),
        "tests": lambda: commands.test_pieces(toy),
        "training": lambda: commands.training_pieces(
            options.out, options.checkpoint, training, lambda *which: _speed(record, *which), toy
        ),
    }
    measuring = min(MEASURING, options.minutes) if options.checkpoint else options.minutes
    for name, pieces in parts.items():
        minutes = options.minutes if name == "training" else SHARES[name] * measuring
        print(f"{name}: until {minutes:.1f} minutes have passed", flush=True)
        record.run(name, pieces(), start + 60 * minutes)
        backend.array_module("cuda").get_default_memory_pool().free_all_blocks()
    print(f"Written to {options.out}/gpu.md and {options.out}/gpu.json")
    for trouble in record.troubles:
        print(f"not right: {trouble}")
    return 1 if record.troubles else 0


def _speed(record, model, batch):
    """Return the sequences a second of nnlite's fastest training step on such a batch, or None."""
    rows = record.content["parts"].get("steps", {}).get("rows", {}).values()
    measured = [found for row in rows for found in row.get("measured", ())]
    own = [found for found in measured if (found["model"], found["batch"]) == (model, batch)]
    return max((batch / found["time"] for found in own), default=None)


def _library(dry_run):
    """Return the context to run in: with `dry_run` the double of CuPy is in its place."""
    if not dry_run:
        return nullcontext()
    if not (ROOT / "tests" / "cupy_double").is_dir():
        raise RuntimeError("--dry-run needs the tests' double of CuPy: run it in a clone")
    sys.path.insert(0, str(ROOT))
    from tests import cupy_double

    return cupy_double.installed()


def _options(argv):
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--minutes", type=float, default=10.0, help="for everything (default 10)")
    parser.add_argument("--out", default="results/gpu", metavar="FOLDER", help="default: results/gpu")
    parser.add_argument("--checkpoint", metavar="FILE", help="weights to go on training from")
    parser.add_argument("--dry-run", action="store_true", help="toy sizes, on a machine without a GPU")
    parser.add_argument(
        "training",
        nargs="*",
        metavar="-- OPTION",
        help=f"options of train.moving_mnist for the training, in place of: {TRAINING}",
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
