"""The measurements: what contestants start from, the check that they agree, and their turns."""

import itertools
import os
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np

import nnlite as nn
from nnlite import models
from nnlite.benchmarks import results
from nnlite.benchmarks.contestant import Child, ChildFailed
from nnlite.data.drawn_digits import draw_digits
from nnlite.data.moving_mnist import MovingMNIST
from nnlite.files import write_arrays

#: How PyTorch is run. "graph", the training step as one CUDA graph, is for GPUs.
_MODES = ("eager", "compiled", "graph")
VARIANTS = tuple(mode + layout for mode in _MODES for layout in ("", " channels-last"))
#: What runs inference on a network that PyTorch has exported to ONNX.
RUNTIMES = ("onnxruntime", "openvino")
#: As in the published code.
LEARNING = {
    "learning_rate": 1e-4,
    "clip": 50.0,
    "optimiser_options": {"alpha": 0.9, "epsilon": 1e-5},
}
#: The largest difference allowed between gradients, relative to the largest entry of the array.
TOLERANCE = 1e-4
WARM_UP = 2  # units of work
TURN = 0.3  # seconds of work in a turn; at least one unit
PAUSE = 0.3  # seconds before a turn, for the threads of the previous one to go to sleep
BUSY = 0.05  # share of processor time that other processes may use without a warning


class Disagreement(RuntimeError):
    """The two frameworks do not compute the same thing."""


def check(run, options, model):
    """Compare loss and gradients of both frameworks; raise Disagreement if they differ."""
    loss, gradients = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        write_start(folder, model, batch=2, length=10, smooth=True)
        for name, child in (
            ("nnlite", _start_nnlite("train", model, options, folder, fast=False)),
            ("torch", _start_torch("train", model, options, folder, "eager", "none")),
        ):
            loss[name] = child.ask("save_gradients", f"{name}.npz")
            child.close()
            with np.load(f"{folder}/{name}.npz") as saved:
                gradients[name] = dict(saved)
    errors = {path: _error(gradients["nnlite"][path], grad) for path, grad in gradients["torch"].items()}
    errors["loss"] = _error(loss["nnlite"], loss["torch"])
    worst = max(errors, key=errors.get)
    print(f"{model}: largest relative difference in loss and gradients {errors[worst]:.1e} ({worst})")
    if not errors[worst] <= TOLERANCE:
        raise Disagreement(f"{model}: {worst} differs by {errors[worst]:.1e}, allowed {TOLERANCE:.0e}")
    run["checks"].append({"model": model, "worst": worst, "error": errors[worst], "errors": errors})


def measure(run, options, job, model, batch, length, size=(64, 64)):
    """Let all contestants do one job in turns, and add their times to the run.

    If a variant of PyTorch fails, the reason is recorded in place of its times. Raise ChildFailed if nnlite
    fails, Disagreement if the first results differ.
    """
    measurement = {"job": job, "model": model, "batch": batch, "length": length, "size": list(size)}
    measurement["contestants"] = []
    print(f"\n{results.title(job, model)}, batch {batch}, {length} x {size[0]}x{size[1]}", flush=True)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as processes:
        write_start(folder, model, batch, length, size)
        ready, expected = [], None
        for entry, start in _contestants(options, job, model, folder):
            measurement["contestants"].append(entry)
            try:
                child = start()
                processes.callback(child.close)
                result = child.ask("warm_up", WARM_UP)
            except ChildFailed as error:
                if entry["framework"] == "nnlite":
                    raise
                entry["failed"] = str(error)
                print(f"  {entry['name']} failed: {error}")
                continue
            expected = result if expected is None else expected
            if result is not None and _error(result, expected) > (
                1e-2 if options.tf32 != "none" else TOLERANCE
            ):
                raise Disagreement(f"{entry['name']} computes {result}, nnlite {expected}")
            child.ask("release_memory")
            entry |= {"libraries": child.libraries, "turns": []}
            ready.append((entry, child))
        measurement["others"] = _take_turns(ready, options.rounds)
        for entry, child in ready:
            entry["peak"] = child.ask("peak_memory")
    run["measurements"].append(measurement)
    print(results.format_measurement(measurement))
    if (measurement["others"] or 0) > BUSY:
        print(
            f"  note: other processes used {measurement['others']:.0%} of the processor time; measure again "
            "(OMP_WAIT_POLICY=passive makes PyTorch less sensitive to them)"
        )


def profile(run, options, model, batch, length, size=(64, 64)):
    """Add a profile of nnlite's training step by module to the run."""
    with tempfile.TemporaryDirectory() as folder:
        write_start(folder, model, batch, length, size)
        # A CUDA graph is not divided into modules.
        child = _start_nnlite("train", model, options, folder, graph=False)
        child.ask("warm_up", WARM_UP)
        rows = child.ask("profile", options.rounds)
        child.close()
    run["profiles"].append({"model": model, "batch": batch, "length": length, "rows": rows})
    print("\n" + results.format_profile(run["profiles"][-1]))


def write_start(folder, name, batch, length, size=(64, 64), smooth=False):
    """Write what both frameworks start from, frames.npz and parameters.npz.

    smooth: avoid the points where derivatives jump and rounding would decide: equal values in a pooling
    window, as in black areas (therefore the frames are noise), and sampling at whole pixels (therefore there
    is flow).
    """
    if smooth:
        frames = np.random.default_rng(0).random((length + 1, batch, 1, *size), np.float32)
    else:
        digits, _ = draw_digits(200)
        frames = MovingMNIST(digits, size=size, n_frames=length + 1).batch(range(batch)).frames
    write_arrays(f"{folder}/frames.npz", {"frames": frames})
    nn.manual_seed(0)
    model = models.build(name, height=size[0], width=size[1])
    if smooth and hasattr(model, "regressor"):
        *_, weight, bias = model.regressor.parameters()[0]
        weight[...] = np.array([[1.0, 0.3], [-0.4, 0.8]]).reshape(2, 2, 1, 1)
        bias[...] = 0.313, -0.271
    write_arrays(f"{folder}/parameters.npz", {path: weight for path, weight, _ in model.named_parameters()})


def _contestants(options, job, model, folder):
    """Yield (entry of a contestant in the record, function that starts its process), nnlite first."""
    for workers, native in itertools.product(options.workers or [None], _blas_choices(options)):
        name = "nnlite" + ", native BLAS" * native + ", CUDA graph" * (options.cuda_graph and job == "train")
        name += f", {workers} worker{'s' * (workers > 1)}" if workers else ""
        start = _start_nnlite, job, model, options, folder, native, True, True, workers
        yield {"framework": "nnlite", "name": name}, _later(*start)
    inference = job != "train"
    known = VARIANTS + RUNTIMES * inference
    for variant in known if options.variants is None else options.variants:
        if variant in RUNTIMES:
            if inference and options.device == "cpu":
                start = _start_runtime, job, model, options, folder, variant
                yield {"framework": "torch", "name": variant}, _later(*start)
        elif "graph" not in variant or (job == "train" and options.device == "cuda"):
            start = _start_torch, job, model, options, folder, variant, options.tf32
            yield {"framework": "torch", "name": f"PyTorch {variant}"}, _later(*start)


def _blas_choices(options):
    """Return whether to run nnlite with its own choice of BLAS kernels: one of these, or both."""
    return {"as-set": (False,), "native": (True,), "both": (False, True)}[options.blas]


def _start_nnlite(job, model, options, folder, native=None, fast=True, graph=True, workers=None):
    """Start nnlite's process.

    native: remove the variable that tells OpenBLAS for which processor to choose its kernels. fast, graph:
    allow TF32, and the training step as a CUDA graph, if the options request them. workers: of its loops.
    """
    environment = dict(os.environ)
    if native or (native is None and options.blas == "native"):
        environment.pop("OPENBLAS_CORETYPE", None)
    if workers is not None:
        environment["NNLITE_THREADS"] = str(workers)
    settings = _settings(job, model, options, folder)
    settings["learning"] = LEARNING | {
        "tf32": fast and options.tf32 == "all",
        "cuda_graph": graph and options.cuda_graph and job == "train",
    }
    return Child("nnlite.benchmarks.nnlite_contestant", settings, environment)


def _start_torch(job, model, options, folder, variant, tf32):
    """Start the process of one of PyTorch's variants."""
    settings = _settings(job, model, options, folder) | {"variant": variant, "tf32": tf32}
    return Child("nnlite.benchmarks.torch_contestant", settings, dict(os.environ))


def _start_runtime(job, model, options, folder, runtime):
    """Start the process of one of RUNTIMES."""
    settings = _settings(job, model, options, folder) | {"variant": runtime}
    return Child("nnlite.benchmarks.runtime_contestant", settings, dict(os.environ))


def _settings(job, model, options, folder):
    return {"job": job, "model": model, "device": options.device, "folder": folder, "learning": LEARNING}


def _take_turns(ready, rounds):
    """Let each (entry, child) work in turn, adding its times to its entry.

    Return the share of processor time that other processes used meanwhile, None if unknown.
    """

    def used():
        return sum(child.ask("processor_seconds") for _, child in ready)

    start, busy_before, used_before = time.perf_counter(), _busy_seconds(), used()
    for _ in range(rounds):
        for entry, child in ready:
            time.sleep(PAUSE)
            entry["turns"].append([round(seconds, 6) for seconds in child.ask("turn", TURN)])
    if busy_before is None:
        return None
    others = (_busy_seconds() - busy_before) - (used() - used_before)
    return max(0.0, others) / (time.perf_counter() - start) / os.cpu_count()


def _busy_seconds():
    """Return for how many seconds the processors were busy or stolen; None if unknown."""
    try:
        fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:9]
    except OSError:
        return None
    user, nice, system, _idle, _waiting, *interrupts_and_stolen = map(int, fields)
    return (user + nice + system + sum(interrupts_and_stolen)) / os.sysconf("SC_CLK_TCK")


def _later(function, *arguments):
    return lambda: function(*arguments)


def _error(result, expected):
    """Return the largest difference relative to the largest magnitude."""
    return float(np.max(np.abs(np.subtract(result, expected))) / np.max(np.abs(expected)))
