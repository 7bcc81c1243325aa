"""Several runs one after the other in folders of one, resumable as one: Table 1, the ablations.

The folder has `suite.json`, {"kind": which experiment, "runs": {name: all settings of that run}}, and a run
folder NAME for each run that was begun. A run whose `weights` name another of the suite begins with those
that the other ended with.
"""

import sys
import time
from pathlib import Path

from nnlite.train.runs.loop import CHECKPOINT
from nnlite.train.moving_mnist.run import Run
from nnlite.train.report.report import read_json, write_json
from nnlite.train.runs.run import RESULT, read_result

SUITE = "suite.json"
#: What begins each kind of suite.
PROGRAMS = {"table1": "moving_mnist", "ablations": "ablations", "camvid": "camvid"}
#: Settings that a run goes on with, besides what its checkpoint holds.
_KEPT = ("sequences", "minutes", "save_every", "device")
_FIX = "restore it, --resume the folders of its runs one by one, or begin again with another --out"


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
        program = PROGRAMS[suite["kind"]]
        raise ValueError(f"{folder} was begun by python -m train.{program}; resume it with that")
    for settings in suite["runs"].values():
        settings |= {name: value for name, value in changes.items() if name in settings}
    write_json(Path(folder) / SUITE, suite)


def train(folder, go_on, command, write, runs=Run):
    """Train the runs that are not finished; return the exit status.

    go_on: the command that resumes, for the message when it is stopped. write(folder, results): called when a
    run has finished, with `results(folder)`. runs: the class of the runs, with `new` and `resumed`. A run
    that fails, or cannot begin, does not keep the others from training.
    """
    folder, status = Path(folder), 0
    all_runs = _read(folder)["runs"]
    for name, settings in all_runs.items():
        if _finished(folder / name, settings):
            continue
        print(f"\n== {name}")
        began = time.monotonic()
        try:
            run = _begun(folder / name, settings, command, runs, all_runs)
        except (ValueError, TypeError, OSError) as error:
            print(f"error: {name}: {error}", file=sys.stderr)
            status = 2
            continue
        outcome = run.to_the_end(began, go_on)
        if outcome > 128:  # a signal
            return outcome
        if outcome == 0:
            write(folder, results(folder))
        status = max(status, outcome)
    return status


def _begun(folder, settings, command, runs, all_runs):
    """Return the run in its folder, a new one or as its checkpoint left it."""
    if missing := {*_KEPT, "data", *runs.settings_kept} - set(settings):
        raise ValueError(f"{folder.parent / SUITE} is damaged (it has no {min(missing)} for the run): {_FIX}")
    if not (folder / CHECKPOINT).exists():
        if (first := settings.get("weights")) in all_runs:
            settings = settings | {"weights": folder.parent / first / CHECKPOINT}
            if not _finished(folder.parent / first, all_runs[first]):
                raise ValueError(f"it begins with the weights of {first}, which has not ended")
        return runs.new(settings | {"out": folder}, command)
    given = {"resume": folder} | {name: settings[name] for name in _KEPT}
    return runs.resumed(given | ({"data": settings["data"]} if settings["data"] else {}), command)


def results(folder):
    """Return {name: result} of the finished runs."""
    paths = {name: Path(folder) / name / RESULT for name in _read(folder)["runs"]}
    return {name: read_result(path.parent) for name, path in paths.items() if path.exists()}


def _finished(folder, settings):
    """Tell whether the run in the folder has ended with the budget that its settings ask for."""
    if not (folder / RESULT).exists():
        return False
    options = read_result(folder)["options"]
    return all(options.get(name) == settings.get(name) for name in ("sequences", "minutes"))


def _read(folder):
    if not is_suite(folder):
        raise ValueError(f"{folder} holds no suite of runs (no {SUITE})")
    path = Path(folder) / SUITE
    suite = read_json(path, {"kind": str, "runs": dict}, _FIX)
    if suite["kind"] not in PROGRAMS or not all(isinstance(run, dict) for run in suite["runs"].values()):
        raise ValueError(f"{path} is damaged (its kind or its runs are none of train): {_FIX}")
    return suite
