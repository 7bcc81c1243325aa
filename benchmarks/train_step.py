"""Measures nnlite and PyTorch side by side, alternating in the same run, each in its own process.

    python -m benchmarks.train_step               a training step of AE-ConvLSTM-flow, batch 8: a few minutes
    python -m benchmarks.train_step --all         every model, batch and length, inference, profiles: long
    python -m benchmarks.train_step --profile     only nnlite: its time module by module
    python -m benchmarks.train_step --inference   frames a second instead: one by one, and in batches;
                                                  ONNX Runtime and OpenVINO too, where they are installed
    python -m benchmarks.train_step --variants    nnlite alone, without PyTorch
    python -m benchmarks.train_step --variants --size 32x32 128x128   how nnlite's time grows
    python -m benchmarks.train_step --variants --workers 1 2          and how it falls with workers

A training step is forward pass, backpropagation through time, clipping and rmsprop. Both start from the same
parameters; before anything is timed, their losses and all gradients are compared.
"""

import argparse
import importlib.util
import itertools
import os
import shlex
import sys
from datetime import datetime
from functools import partial

from nnlite import backend
from nnlite.benchmarks import results
from nnlite.benchmarks.contestant import ChildFailed
from nnlite.benchmarks.side_by_side import RUNTIMES, VARIANTS, Disagreement, check, measure, profile
from nnlite.train.report.provenance import commit, hardware

#: AE-Conv has no time steps and therefore no counterpart in PyTorch.
MODELS = ("ae_convlstm_flow", "ae_convlstm", "ae_fclstm")
#: Prefixes of the variables that control how libraries use the processor.
THREADING = ("OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_")


def main(argv=None):
    """Run the command; return its exit status."""
    argv = sys.argv[1:] if argv is None else argv
    options = _options(argv)
    try:
        backend.array_module(options.device)
        if options.cuda_graph and options.device == "cpu":
            raise RuntimeError("CUDA graphs need a GPU: omit --cuda-graph, or run with --device cuda")
        with_torch = not options.profile and options.variants != []
        if with_torch and importlib.util.find_spec("torch") is None:
            raise RuntimeError("PyTorch is not installed: pip install torch, or leave it out with --variants")
    except RuntimeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    run = {
        "command": shlex.join(["python", "-m", "benchmarks.train_step", *argv]),
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": hardware(options.device),
        "environment": {name: os.environ[name] for name in sorted(os.environ) if name.startswith(THREADING)},
        "tf32": options.tf32,
        "checks": [],
        "measurements": [],
        "profiles": [],
    }
    try:
        for task in _tasks(options):
            task(run, options)
            results.save(options.out, run)
    except (ChildFailed, Disagreement) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"\nWritten to {options.out}/benchmarks.md and {options.out}/benchmarks.json")
    return 0


def _tasks(options):
    """Yield the measurements to make, functions of (run, options)."""
    sizes = list(itertools.product(options.batch or [8], options.length or [10], options.size))
    for name in options.model or (MODELS if options.all else MODELS[:1]):
        if not options.profile and options.variants != []:
            yield partial(check, model=name)
        if options.all:
            sizes = [(1, 10), (8, 10), (16, 10)] + [(32, 10), (8, 5), (8, 20)] * (name == MODELS[0])
            sizes = [(*size, (64, 64)) for size in sizes]
        if not (options.profile or options.inference):
            for batch, length, size in sizes:
                yield partial(measure, job="train", model=name, batch=batch, length=length, size=size)
        if options.all or options.inference:
            for size in options.size:
                yield partial(measure, job="stream", model=name, batch=1, length=1, size=size)
            for batch, length, size in [(8, 10, (64, 64))] if options.all else sizes:
                yield partial(measure, job="sequences", model=name, batch=batch, length=length, size=size)
        if options.all or options.profile:
            for batch, length, size in [(8, 10, (64, 64))] if options.all else sizes:
                yield partial(profile, model=name, batch=batch, length=length, size=size)


def _size(text):
    """Return (height, width) of text such as "96x128"."""
    height, width = map(int, text.split("x"))
    return height, width


def _options(argv):
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.train_step",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--all", action="store_true", help="everything")
    what.add_argument("--inference", action="store_true", help="frames a second instead of training steps")
    what.add_argument("--profile", action="store_true", help="only nnlite, module by module")
    parser.add_argument("--model", nargs="+", choices=MODELS, help="default: ae_convlstm_flow")
    parser.add_argument("--batch", nargs="+", type=int, metavar="N", help="sequences in a step (default 8)")
    parser.add_argument(
        "--length", nargs="+", type=int, metavar="T", help="frames in a sequence (default 10)"
    )
    parser.add_argument(
        "--size",
        nargs="+",
        type=_size,
        default=[(64, 64)],
        metavar="HxW",
        help="height and width of frames (default 64x64)",
    )
    parser.add_argument(
        "--workers", nargs="+", type=int, metavar="N", help="run nnlite with NNLITE_THREADS at each of these"
    )
    parser.add_argument("--rounds", type=int, default=5, help="turns of every contestant (default 5)")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument(
        "--tf32",
        choices=("none", "convolutions", "all"),
        default="none",
        help="what PyTorch may round to TF32 on a GPU; convolutions: its default; all: in nnlite too",
    )
    parser.add_argument(
        "--cuda-graph", action="store_true", help="run nnlite's training step as one CUDA graph (GPU only)"
    )
    parser.add_argument(
        "--blas",
        choices=("as-set", "native", "both"),
        default="as-set",
        help="native: run nnlite without the environment variable OPENBLAS_CORETYPE",
    )
    parser.add_argument(
        "--variants",
        nargs="*",
        choices=VARIANTS + RUNTIMES,
        metavar="V",
        help="variants of PyTorch, none or any of "
        + ", ".join(f'"{variant}"' for variant in VARIANTS)
        + "; for inference also "
        + ", ".join(f'"{runtime}"' for runtime in RUNTIMES),
    )
    parser.add_argument("--out", default="results", metavar="FOLDER", help="default: results")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
