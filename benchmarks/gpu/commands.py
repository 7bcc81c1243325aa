"""The parts that are commands of their own: training steps beside PyTorch, the tests of a GPU, training."""

import importlib.util
import json
import os
import shlex
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

from nnlite import backend
from nnlite.benchmarks import results
from nnlite.benchmarks.contestant import ROOT
from nnlite.train.moving_mnist import __main__ as moving_mnist

#: Steps to measure, the most telling first: a model, its batches, what may round to TF32, PyTorch's variants.
STEPS = (
    ("ae_convlstm_flow", (8, 16), "all", ("eager", "graph")),
    ("ae_convlstm", (64, 128), "all", ("eager", "graph")),
    ("ae_convlstm_flow", (8, 16), "none", ("eager", "graph")),
    ("ae_convlstm_flow", (64, 128, 1), "all", ("eager", "graph")),
    ("ae_convlstm_flow", (64, 128, 1), "none", ("eager", "graph")),
    ("ae_convlstm_flow", (8, 16), "all", ("compiled",)),
    ("ae_convlstm_flow", (8, 16), "none", ("compiled",)),
    ("ae_convlstm", (1, 8, 16), "all", ("eager", "graph")),
    ("ae_convlstm_flow", (64, 128, 1), "all", ("compiled",)),
    ("ae_convlstm_flow", (64, 128, 1), "none", ("compiled",)),
)
#: Tests that run on CuPy itself where there is a GPU; their names have "gpu" in brackets.
TESTS = ("tests/nnlite", "tests/test_cupy_double.py")
#: Seconds that a training keeps for its scores and pictures after the last step.
CLOSING = 20
#: Of a given model and batch: sequences a second, where this run has not measured it.
SEQUENCES_A_SECOND = 1000


class TimeUp(RuntimeError):
    """A command was ended because its time was up."""


def step_pieces(folder, toy):
    """Yield the pieces that run `benchmarks.train_step`, whose own results go to the same folder."""
    with_torch = importlib.util.find_spec("torch") is not None
    for model, batches, tf32, variants in (("ae_convlstm_flow", (1,), "none", ("eager",)),) if toy else STEPS:
        options = ["--model", model, "--batch", *map(str, batches), "--rounds", "1" if toy else "3"]
        options += ["--length", "2"] if toy else ["--device", "cuda", "--cuda-graph", "--tf32", tf32]
        options += ["--variants", *(variants if with_torch else ()), "--out", str(folder)]
        yield shlex.join(options[:-2]), lambda left, options=options: _steps(folder, options, left)


def _steps(folder, options, left):
    """Run one command; return the comparison of every batch that was measured before the time was up."""
    try:
        _run([sys.executable, "-m", "nnlite.benchmarks.train_step", *options], left)
        late = {}
    except TimeUp as error:
        late = {"skipped": f"in part: {error}"}
    saved = Path(folder) / "benchmarks.json"
    runs = json.loads(saved.read_text()) if saved.exists() else []
    measured = []
    for run in runs:
        if run["command"].endswith(shlex.join(options)):
            for measurement in run["measurements"]:
                about = {name: measurement[name] for name in ("model", "batch", "length")}
                measured += [about | row for row in results.compare(measurement)]
    return late | {"measured": measured}


def test_pieces(toy):
    """Yield the piece that runs the tests of a GPU, in a clone that has them."""
    yield "pytest", lambda left: _tests(toy, left)


def _tests(toy, left):
    if not (ROOT / "tests").is_dir() or importlib.util.find_spec("pytest") is None:
        return {"skipped": "there are no tests here: run in a clone, with pip install -e '.[test]'"}
    chosen = ["--collect-only", *TESTS[1:]] if toy else ["-k", "gpu", *TESTS]
    done = _run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *chosen], left, check=False)
    lines = [line for line in done.splitlines() if line]
    row = {"command": shlex.join(["python", "-m", "pytest", *chosen]), "result": lines[-1]}
    failed = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    return row | ({"wrong": True, "tests": failed} if failed else {})


def training_pieces(folder, checkpoint, options, speed, toy):
    """Yield the piece that trains on from a checkpoint for all the time that is left.

    options: of `train.moving_mnist`, such as "--model ae_convlstm --batch 64". speed(model, batch): sequences
    a second that were measured, or None. The rate falls to a tenth over the whole of the training, so that it
    has to be known beforehand how many sequences that is.
    """
    yield "train.moving_mnist", lambda left: _training(folder, checkpoint, options, speed, toy, left)


def _training(folder, checkpoint, options, speed, toy, left):
    if checkpoint is None:
        return {"skipped": "no --checkpoint was given"}
    seconds = left - (0 if toy else CLOSING)
    if seconds <= 0:
        return {"skipped": f"{left:.0f} s are left, and scores and pictures take {CLOSING} s"}
    given = dict(pairwise(options))
    batch = int(given.get("--batch", 16))
    known = speed(given.get("--model", "ae_convlstm_flow"), batch) or SEQUENCES_A_SECOND
    sequences = batch if toy else max(batch, int(0.9 * known * seconds))
    command = ["--device", "cpu"] if toy else ["--device", "cuda", "--cuda-graph", "--tf32"]
    command += ["--weights", str(checkpoint), "--cooldown", "1", "--sequences", str(sequences)]
    command += ["--minutes", f"{seconds / 60:.3f}", "--out", str(Path(folder) / "training"), *options]
    if not toy:
        backend.array_module("cuda").get_default_memory_pool().free_all_blocks()
    status = moving_mnist.main(command)
    text = shlex.join(["python", "-m", "train.moving_mnist", *command])
    if status:
        raise RuntimeError(f"{text} ended with {status}")
    result = json.loads((Path(folder) / "training" / "result.json").read_text())
    return {"command": text, "scores": result["scores"], "sequences": sequences}


def _run(command, left, check=True):
    """Return what a command prints; RuntimeError with the end of that if it fails, TimeUp if it takes longer.

    Its processes have a group of their own, so that none of them is left over.
    """
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    try:
        printed, _ = process.communicate(timeout=left)
    except BaseException as error:
        os.killpg(process.pid, signal.SIGKILL)  # it has not been waited for, so that this is still its group
        process.wait()
        if isinstance(error, subprocess.TimeoutExpired):
            raise TimeUp(f"ended after {left:.0f} s") from None
        raise
    if check and process.returncode:
        raise RuntimeError(f"{shlex.join(command[2:])} ended with {process.returncode}: {printed[-300:]}")
    return printed
