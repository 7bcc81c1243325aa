"""Several runs one after the other in folders of one, resumable as one: Table 1, the ablations.

The folder has `suite.json`, {"kind": the group of which experiment, "command": what begins it, "runs": {name:
all settings of that run}}, and a run folder NAME for each run that was begun. A run whose `weights` name
another of the group begins with those that the other ended with.
"""

import time
from dataclasses import asdict, fields, replace
from pathlib import Path

from nnlite.files import CannotWrite, make_folder
from nnlite.train.report.files import read_json, write_json
from nnlite.train.runs import processes
from nnlite.train.runs.local_share import resolve_device
from nnlite.train.runs.lock import refuse_another
from nnlite.train.runs.loop import CHECKPOINT
from nnlite.train.runs.memory import check_batch
from nnlite.train.runs.run import RESULT, Run, read_result

GROUP = "suite.json"
_FIX = "restore it, --resume the folders of its runs one by one, or begin again with another --out"


def begin(folder, experiment, runs):
    """Make the folder of a new group of runs, {name: settings}.

    FileExistsError when it holds one, or a run, already; ValueError, before any of them is trained, when one
    is misconfigured.
    """
    together = processes.current()
    together.leader_does(lambda: refuse_another(folder, GROUP, CHECKPOINT))
    for name, settings in runs.items():
        try:
            device, opened = resolve_device(settings.device), experiment(settings, folder / name)
            together.leader_does(opened.prepare)
            with together.together():
                check_batch(opened, device)
                opened.load()
                model = opened.build_model(device)
                if getattr(settings, "weights", None) not in runs:
                    opened.start(model)
        except (ValueError, TypeError) as error:
            raise ValueError(f"{name} cannot be built: {error}") from error
    together.leader_does(lambda: _write_plan(folder, experiment, runs))


def _write_plan(folder, experiment, runs):
    content = {"kind": experiment.group, "command": experiment.command}
    content |= {"runs": {name: asdict(run) for name, run in runs.items()}}
    write_json(make_folder(folder) / GROUP, content)


def is_group(folder):
    """Return whether the folder is that of a group."""
    return (Path(folder) / GROUP).exists()


def change(folder, experiment, changes):
    """Keep new settings for all runs; ValueError when the folder is of another kind of group."""
    content = _read(folder)
    if content["kind"] != experiment.group:
        begun_by = content.get("command", "moving_mnist" if content["kind"] == "table1" else content["kind"])
        raise ValueError(f"{folder} was begun by train.{begun_by}; resume it with that")
    runs = {name: asdict(replace(run, **changes)) for name, run in _runs(folder, experiment).items()}
    write_json(Path(folder) / GROUP, content | {"runs": runs})


def train(folder, experiment, command, resume_command):
    """Train the runs that are not finished, writing their comparison after each; return the exit status.

    A run that fails, or cannot begin, does not stop the other runs.
    """
    folder, status, together = Path(folder), 0, processes.current()
    runs = together.from_leader(lambda: _runs(folder, experiment))
    for name, settings in runs.items():
        if together.from_leader(lambda done=folder / name, of=settings: _finished(done, of)):
            continue
        print(f"\n== {name}")
        began = time.monotonic()
        try:
            run = _begun(folder, name, runs, experiment, command)
        except CannotWrite:
            raise
        except (ValueError, TypeError, OSError) as error:
            status = together.failed(f"error: {name}: {error}", 2)
            continue
        outcome = run.fit(began, resume_command)
        if outcome > 128:  # a signal
            return outcome
        if outcome == 0:
            together.leader_does(lambda: experiment.write_comparison(folder, results(folder)))
        status = max(status, outcome)
    if together.leader and (found := results(folder)):
        with processes.alone():
            experiment.write_comparison(
                folder, found
            )  # the last one, if it was killed after its result, did not
            experiment.show_comparison(folder, found)
    return status


def _begun(folder, name, runs, experiment, command):
    """Return the run in its folder, a new one or as its checkpoint left it."""
    settings, folder_of_run = runs[name], folder / name
    if not processes.current().from_leader((folder_of_run / CHECKPOINT).exists):
        settings = replace(settings, out=folder_of_run)
        if (first := getattr(settings, "weights", None)) in runs:
            settings = replace(settings, weights=str(folder / first / CHECKPOINT))
            if not processes.current().from_leader(lambda: _finished(folder / first, runs[first])):
                raise ValueError(f"it begins with the weights of {first}, which has not ended")
        return Run.start(experiment, settings, command)
    given = {"resume": folder_of_run}
    for one in fields(settings):
        value = getattr(settings, one.name)
        if "resume" in one.metadata["modes"] and (value is not None or "loop" in one.metadata["kept"]):
            given[one.name] = value
    return Run.resume(experiment, given, command)


def results(folder):
    """Return {name: result} of the finished runs."""
    paths = {name: Path(folder) / name / RESULT for name in _read(folder)["runs"]}
    return {name: read_result(path.parent) for name, path in paths.items() if path.exists()}


def _finished(folder, settings):
    """Return whether the run in the folder has ended with the budget that its settings ask for."""
    if not (folder / RESULT).exists():
        return False
    options = read_result(folder)["options"]
    return all(options.get(name) == getattr(settings, name) for name in ("sequences", "minutes"))


def _runs(folder, experiment):
    """Return {name: settings} of a group."""
    try:
        return {name: experiment.settings_type.from_dict(run) for name, run in _read(folder)["runs"].items()}
    except ValueError as error:
        raise ValueError(f"{folder / GROUP} is damaged ({error}): {_FIX}") from error


def _read(folder):
    if not is_group(folder):
        raise ValueError(f"{folder} holds no group of runs (no {GROUP})")
    path = Path(folder) / GROUP
    content = read_json(path, {"kind": str, "runs": dict}, _FIX)
    if not all(isinstance(run, dict) for run in content["runs"].values()):
        raise ValueError(f"{path} is damaged (its runs are not all objects): {_FIX}")
    return content
