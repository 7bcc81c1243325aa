"""Several processes of one worker against one process of as many workers, and what adding up gradients costs.

    python -m benchmarks.processes               two of them on two cores: a minute or two
    python -m benchmarks.processes --size 4      four

A step is that of the training loop, with rmsprop, on random frames of 64x64. The two ways take turns, each in
fresh processes. Writes distributed.md and distributed.json.
"""

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from statistics import median

import numpy as np

import nnlite as nn
from nnlite import models
from nnlite.files import make_folder, write_text
from nnlite.train.report.files import write_json
from nnlite.train.report.provenance import commit, hardware
from nnlite.train.report.tables import format_markdown
from nnlite.train.runs import processes
from nnlite.train.runs.local_share import take_cores
from nnlite.train.runs.loop import Trainer
from nnlite.train.runs.loop_options import LoopOptions

MODELS = ("ae_convlstm_flow", "ae_convlstm", "ae_conv", "ae_fclstm")
BATCH, LENGTH = 8, 10
#: Bytes a second, in each direction, of what may join the processes.
LINKS = {"10 Gbit/s": 1.25e9, "100 Gbit/s": 12.5e9, "NVLink": 450e9}
#: Seconds of a step of a network on an H100, from benchmarks.md.
ON_A_GPU = {"ae_convlstm_flow": 0.0079}
COLUMNS = (
    "network",
    "parameters",
    "one process, s",
    "several, s",
    "speed",
    "adding up, ms",
    "share of the step",
)


def main(argv=None):
    """Run the command; return its exit status."""
    argv = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.processes",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--size", type=int, default=2, help="processes, and workers of the single one (2)")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS, help="which networks (all)")
    parser.add_argument("--steps", type=int, default=4, help="of each, after one that is not timed (4)")
    parser.add_argument("--rounds", type=int, default=2, help="turns of each way (2)")
    parser.add_argument("--mpiexec", default="mpiexec", help="the launcher, with its options (mpiexec)")
    parser.add_argument("--out", default="results", metavar="FOLDER", help="default: results")
    parser.add_argument("--measure", metavar="MODEL", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.measure:
        measure(options.measure, options.steps)
        return 0
    rows = [_row(name, options) for name in options.models]
    run = {
        "command": shlex.join(["python", "-m", "benchmarks.processes", *argv]),
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": hardware("cpu"),
        "library": rows[0]["library"],
        "size": options.size,
        "rows": rows,
    }
    folder = make_folder(options.out)
    write_json(folder / "distributed.json", run)
    write_text(folder / "distributed.md", format_page(run))
    print(format_page(run))
    return 0


def measure(name, steps):
    """Time steps of a network in this group of processes; the leader prints what they took as JSON."""
    with processes.joined() as group:
        take_cores(group)
        nn.manual_seed(0)
        model = models.build(name, height=64, width=64, **({"n_frames": LENGTH} if name == "ae_conv" else {}))
        frames = np.random.default_rng(0).random((LENGTH + 1, BATCH, 1, 64, 64), np.float32)

        def make_batch(step, indices, share=slice(0, None)):
            return frames[:-1, share], frames[1:, share]

        options = LoopOptions(sequences=BATCH * 10**6, batch=BATCH, optimiser="rmsprop")
        criterion = nn.BCECriterion(size_average=False)
        trainer = Trainer(model, criterion, make_batch, options, Path("unused"), epoch=BATCH)
        trainer.train_step()
        taken = [_seconds(group, trainer.train_step) for _ in range(steps)]
        adding = [_seconds(group, lambda: group.sum_in_place(trainer.gradients)) for _ in range(2 * steps)]
        found = {"step": taken, "adding": adding, "parameters": trainer.parameters.size}
        if group.size > 1:
            from mpi4py import MPI

            version = MPI.Get_library_version().split(",")[0].split("\n")[0]
            found["library"] = " ".join(version.replace("Version:", "").split())
        if group.leader:
            print(json.dumps(found))


def _seconds(group, function):
    """Return how long a call takes that all processes begin together."""
    group.gather(None)
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def _row(name, options):
    """Return what both ways took for a network."""
    ways = {"one": [], "several": []}
    for _ in range(options.rounds):
        ways["one"].append(_measured(name, options, [], {"NNLITE_THREADS": str(options.size)}))
        launcher = [*shlex.split(options.mpiexec), "-n", str(options.size)]
        ways["several"].append(_measured(name, options, launcher, {}))
    one, several = (_median(runs, "step") for runs in ways.values())
    adding = _median(ways["several"], "adding")
    last = ways["several"][-1]
    return {
        "model": name,
        "parameters": last["parameters"],
        "library": last["library"],
        "one": one,
        "several": several,
        "speed": one / several,
        "adding": adding,
        "share": adding / several,
    }


def _median(runs, name):
    return median(value for run in runs for value in run[name])


def _measured(name, options, launcher, environment):
    own = Path(sys.executable).with_name(launcher[0]) if launcher else None
    if own is not None:
        launcher = [str(own) if own.exists() else shutil.which(launcher[0]) or launcher[0], *launcher[1:]]
    command = [*launcher, sys.executable, "-m", "nnlite.benchmarks.processes"]
    command += ["--measure", name, "--steps", str(options.steps)]
    inherited = {variable: value for variable, value in os.environ.items() if variable != "NNLITE_THREADS"}
    done = subprocess.run(
        command,
        env=inherited | environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        stdin=subprocess.DEVNULL,
    )
    return json.loads(done.stdout.splitlines()[-1])


def scaled(row, bandwidth, seconds):
    """Return the share of its time that a process of many computes, for steps of so many seconds.

    A ring sends and receives all of the gradient twice, but for 1/n of it; nothing overlaps.
    """
    return seconds / (seconds + 2 * 4 * row["parameters"] / bandwidth)


def format_page(run):
    """Return the page distributed.md."""
    machine, size = run["machine"], run["size"]
    cells = [
        (
            row["model"],
            f"{row['parameters']:,}",
            f"{row['one']:.3f}",
            f"{row['several']:.3f}",
            f"{row['speed']:.2f}",
            f"{1000 * row['adding']:.1f}",
            f"{row['share']:.1%}",
        )
        for row in run["rows"]
    ]
    steps = [(row, "", row["one"]) for row in run["rows"]]
    steps += [(row, ", H100", ON_A_GPU[row["model"]]) for row in run["rows"] if row["model"] in ON_A_GPU]
    paper = [
        (
            row["model"] + where,
            f"{4 * row['parameters'] / 1e6:.1f}",
            f"{seconds:.3f}",
            *(
                f"{1000 * 2 * 4 * row['parameters'] / bandwidth:.2f} ({scaled(row, bandwidth, seconds):.1%})"
                for bandwidth in LINKS.values()
            ),
        )
        for row, where, seconds in steps
    ]
    head = ("network", "gradient, MB", "step, s", *(f"{name}, ms" for name in LINKS))
    return "\n".join(
        [
            "# Several processes",
            "",
            f"`{run['command']}`, {run['date']}, commit {run['commit']}, {machine['cores']} cores of "
            f"{machine['cpu']}, {run['library']}.",
            "",
            f"A training step of {BATCH} sequences of {LENGTH} frames of 64x64, float32: one process of "
            f"{size} workers, and {size} processes of one worker and {BATCH // size} sequences each, in "
            "turns; medians. Speed: sequences a second of the several over the one. Adding up: the gradient "
            "of all parameters, processes beginning together.",
            "",
            format_markdown(COLUMNS, cells),
            "",
            "## How far it scales, on paper",
            "",
            f"Each of many machines like this one, or GPUs, takes {BATCH} sequences a step. A ring sends and "
            "receives the gradient twice; nothing overlaps, and latency (some 20 µs a message, twice the "
            "number of processes) is left out. What adding up takes, and in brackets the share of the time "
            "that is left for computing; NVLink with 450 GB/s in each direction.",
            "",
            format_markdown(head, paper),
            "",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
