"""The commands that train, resume and evaluate, whatever the experiment."""

import shlex
import sys
import time
from pathlib import Path

from nnlite.files import exit_status, make_folder
from nnlite.train.report import files
from nnlite.train.report.tables import print_any_name
from nnlite.train.runs import group, processes
from nnlite.train.runs.experiment import load_trained
from nnlite.train.runs.local_share import take_cores
from nnlite.train.runs.lock import lock_run, new_run_folder, refuse_another
from nnlite.train.runs.loop import CHECKPOINT
from nnlite.train.runs.memory import describe_shortage
from nnlite.train.runs.run import RESULT, Run, now
from nnlite.train.runs.starting_weights import training_of


def run(experiment, argv=None):
    """Do what the command line asks an `Experiment` for; return the exit status, 2 after an error."""
    argv = sys.argv[1:] if argv is None else argv
    print_any_name()
    try:
        with processes.joined() as together:
            take_cores(together)
            return _run(experiment, argv, together)
    except RuntimeError as error:  # they cannot join
        if processes.started_first():
            print(f"error: {error}", file=sys.stderr)
        return 2


def _run(experiment, argv, together):
    """Do what the command line asks for, in one process or together in several; return the exit status."""
    program = invocation(experiment.command)
    try:
        mode, given = experiment.parse(argv, program)
        modes = {"train": train, "resume": resume, "evaluate": evaluate}
        if mode not in modes:
            together.require_one(f"--{mode}")
        modes |= experiment.modes
        return modes[mode](experiment, given, shlex.join([*program.split(), *argv]))
    except (ValueError, TypeError, OSError, RuntimeError) as error:
        return together.failed(f"error: {error}", exit_status(error))
    except MemoryError as error:
        text = describe_shortage(error, experiment.settings_type.memory_flags())
        return together.failed(f"error: {text}", 2)


def train(experiment, given, command):
    """Train one model, or a group of them; return the exit status."""
    began = time.monotonic()
    plan = experiment.plan(given)
    if isinstance(plan, dict):
        with new_run_folder(given.get("out"), experiment.group) as (folder, lock):
            group.begin(folder, experiment, plan)
        with lock:
            return group.train(folder, experiment, command, resume_command(experiment, folder))
    new = Run.start(experiment, plan, command)
    return new.fit(began, resume_command(experiment, new.folder))


def resume(experiment, given, command):
    """Continue a run, of one model or of a group; return the exit status."""
    began, folder = time.monotonic(), Path(given["resume"])
    if folder.name == CHECKPOINT and folder.is_file():
        folder = folder.parent
    given = given | {"resume": folder}
    again = resume_command(experiment, folder)
    if group.is_group(folder):
        with lock_run(folder):
            changes = {name: given[name] for name in given if name != "resume"}
            processes.current().leader_does(lambda: group.change(folder, experiment, changes))
            return group.train(folder, experiment, command, again)
    return Run.resume(experiment, given, command).fit(began, again)


def evaluate(experiment, given, command):
    """Score a checkpoint; with `out` also write the result and the pictures there.

    FileExistsError where that is the folder of a run, whose own would be lost.
    """
    if "out" in given:
        refuse_another(Path(given["out"]), CHECKPOINT, group.GROUP)
    opened, model, saved = load_trained(experiment, given["evaluate"], given)
    opened.load(training=False)
    print(opened.describe(model))
    result = opened.score(model)
    print("\n" + opened.format_result(result))
    if "out" in given and processes.current().leader:
        with processes.alone():
            _keep(opened, model, saved, result, given["out"], command)
    return 0


def _keep(opened, model, saved, result, out, command):
    """Write the scores of a model and how it was trained, and draw what it predicts."""
    folder = make_folder(out)
    opened.draw(folder, model, result)
    if saved.position or "result" in saved.metadata:  # else the weights do not say how they were trained
        training = training_of(opened, saved)
        result |= {name: training[name] for name in training if name != "curve"}
    commands = result.get("commands", saved.metadata["commands"])
    result |= {"commands": [*commands, command], "options": saved.metadata["loop"], "finished": now()}
    files.write_json(folder / RESULT, opened.anonymised(result))


def resume_command(experiment, folder):
    """Return the command that continues what is in a folder."""
    return f"{invocation(experiment.command)} --resume {shlex.quote(str(folder))}"


def invocation(command):
    """Return the command line prefix of a command of train, in the form in which this process was started."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    if Path(sys.argv[0]).stem == "nnlite":
        return f"nnlite {command.replace('_', '-')}"
    package = "nnlite.train" if spec and spec.name.startswith("nnlite.") else "train"
    return f"python -m {package}.{command}"
