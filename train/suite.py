"""Several runs one after the other in folders of one, resumable as one: Table 1, the ablations.

The folder has `suite.json`, {"kind": which experiment, "runs": {name: all settings of that run}}, and a run
folder NAME for each run that was begun.
"""

import json
import time
from pathlib import Path

from .loop import CHECKPOINT
from .moving_mnist_run import Run
from .report import write_json
from .resumable_run import RESULT

SUITE = "suite.json"


def begin(folder, kind, runs):
    """Make the folder of a new suite; FileExistsError when it holds one, or a run, already."""
    folder = Path(folder)
    if any((folder / name).exists() for name in (SUITE, CHECKPOINT)):
        raise FileExistsError(f"{folder} holds a run already; --resume it, or choose another --out")
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / SUITE, {"kind": kind, "runs": runs})


def is_suite(folder):
    """Tell whether the folder is that of a suite."""
    return (Path(folder) / SUITE).exists()


def change(folder, kind, changes):
    """Note new settings for all runs; ValueError when the folder is of another kind of suite."""
    suite = _read(folder)
    if suite["kind"] != kind:
        program = {"table1": "moving_mnist", "ablations": "ablations", "camvid": "camvid"}[suite["kind"]]
        raise ValueError(f"{folder} was begun by python -m train.{program}; resume it with that")
    for settings in suite["runs"].values():
        settings |= {name: value for name, value in changes.items() if name in settings}
    write_json(Path(folder) / SUITE, suite)


def train(folder, go_on, command, write, runs=Run):
    """Train the runs that are not finished; return the exit status.

    go_on: the command that resumes, for the message when it is stopped. write(folder, results): called when a
    run has finished, with `results(folder)`. runs: the class of the runs, with `new` and `resumed`. A run
    that fails does not keep the others from training.
    """
    folder, status = Path(folder), 0
    for name, settings in _read(folder)["runs"].items():
        if _finished(folder / name, settings):
            continue
        print(f"\n== {name}")
        began = time.monotonic()
        if (folder / name / CHECKPOINT).exists():
            kept = ("sequences", "minutes", "save_every", "device")
            given = {"resume": folder / name} | {key: settings[key] for key in kept}
            run = runs.resumed(given | ({"data": settings["data"]} if settings["data"] else {}), command)
        else:
            run = runs.new(settings | {"out": folder / name}, command)
        outcome = run.to_the_end(began, go_on)
        if outcome > 128:  # a signal
            return outcome
        if outcome == 0:
            write(folder, results(folder))
        status = max(status, outcome)
    return status


def results(folder):
    """Return {name: result} of the finished runs."""
    paths = {name: Path(folder) / name / RESULT for name in _read(folder)["runs"]}
    return {name: json.loads(path.read_text()) for name, path in paths.items() if path.exists()}


def _finished(folder, settings):
    """Tell whether the run in the folder has ended with the budget that its settings ask for."""
    if not (folder / RESULT).exists():
        return False
    options = json.loads((folder / RESULT).read_text())["options"]
    return all(options[name] == settings[name] for name in ("sequences", "minutes"))


def _read(folder):
    if not is_suite(folder):
        raise ValueError(f"{folder} holds no suite of runs (no {SUITE})")
    return json.loads((Path(folder) / SUITE).read_text())
