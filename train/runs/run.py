"""One training run: how it begins, how it is resumed, and how it ends."""

import signal
import sys
import time
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import IO

from nnlite.files import CannotWrite
from nnlite.train.report import files, provenance
from nnlite.train.runs import processes
from nnlite.train.runs.experiment import Experiment, reopen
from nnlite.train.runs.local_share import resolve_device
from nnlite.train.runs.lock import lock_run, new_run_folder, refuse_another
from nnlite.train.runs.log import LOG, read_log
from nnlite.train.runs.loop import CHECKPOINT, Trainer
from nnlite.train.runs.memory import check_batch, check_order, describe_shortage

RESULT = "result.json"
PAGE = "inspect.html"


@dataclass(frozen=True)
class Run:
    """A folder, an experiment, the trainer of its model, and the lock that is held while it trains."""

    folder: Path
    experiment: Experiment
    trainer: Trainer
    lock: IO

    @classmethod
    def start(cls, experiment_type, settings, command):
        """Return a new run in a folder of its own; FileExistsError when that holds one."""
        group = processes.current()
        with new_run_folder(settings.out, experiment_type.kind) as (folder, lock):
            group.leader_does(lambda: refuse_another(folder, CHECKPOINT))
            device = resolve_device(settings.device)
            experiment = experiment_type(settings, folder)
            group.leader_does(experiment.prepare)
            with group.together():
                check_batch(experiment, device)
                experiment.load()
                check_order(experiment)
                model = experiment.build_model(device)
                metadata = experiment.start(model) | {"commands": [command], "started": now()}
                predictor = getattr(model, "video", model)  # SegNet-flow has its predictor beside SegNet
                brings_flow = getattr(predictor, "has_flow", False)  # as trained weights may
                options = replace(experiment.settings, flow_warmup=0) if brings_flow else experiment.settings
                trainer = _trainer(experiment, model, options, folder, metadata)
                if group.leader:
                    (folder / LOG).unlink(missing_ok=True)  # of a run that ended before its first checkpoint
        return cls(folder, experiment, trainer, lock)

    @classmethod
    def resume(cls, experiment_type, given, command):
        """Return the run in a folder as its checkpoint left it; FileNotFoundError when it holds none.

        given: what the user gives anew, and under "resume" the folder.
        """
        folder = Path(given["resume"])
        if not (folder / CHECKPOINT).exists():
            raise FileNotFoundError(f"there is no checkpoint {folder / CHECKPOINT}")
        lock = lock_run(folder)  # before it is read, as another process may be about to write
        experiment, saved = reopen(experiment_type, folder / CHECKPOINT, given, resuming=True)
        processes.current().leader_does(experiment.prepare)
        experiment.load()
        model = experiment.build_model(resolve_device(experiment.settings.device))
        metadata = saved.metadata | {"commands": [*saved.metadata["commands"], command]}
        trainer = _trainer(experiment, model, experiment.settings, folder, metadata)
        trainer.restore(saved)
        return cls(folder, experiment, trainer, lock)

    def fit(self, began, resume_command):
        """Train to the end of the budget, score and draw; return the exit status.

        began: when the command did, by the monotonic clock. resume_command: for the message of a stop.
        """
        trainer, experiment, group = self.trainer, self.experiment, processes.current()
        try:
            if group.leader:
                (self.folder / RESULT).unlink(missing_ok=True)  # of less training
            print(experiment.describe(trainer.model))
            if trainer.options.warning:
                print(trainer.options.warning)
            print(f"Training to {trainer.options.sequences} {experiment.unit} in {self.folder}", flush=True)
            stopped = trainer.run(lambda: experiment.evaluate(experiment.evaluated_model(trainer.model)))
            if stopped:
                print(
                    f"\nStopped after {trainer.sequences_seen} of {trainer.options.sequences} "
                    f"{experiment.unit}; the run is saved. Continue with\n  {resume_command}"
                )
                return 128 + stopped
            with trainer.averaged():
                self._finish(began, resume_command)
        except CannotWrite:  # nor could what comes after this run
            raise
        except (FloatingPointError, OSError) as error:  # diverged, or the data have become unreadable
            return group.failed(f"error: {error}", 1)
        except MemoryError as error:
            text = describe_shortage(error, experiment.settings.memory_flags())
            return group.failed(f"error: {text}", 1)
        except KeyboardInterrupt:
            stopped = f"\nStopped at once; the last checkpoint stands. Continue with\n  {resume_command}"
            return group.failed(stopped, 128 + signal.SIGINT, file=sys.stdout)
        finally:
            self.lock.close()
        return 0

    def _finish(self, began, resume_command):
        """Score the trained model, all processes together; the leader then writes and draws what came out."""
        model = self.experiment.evaluated_model(self.trainer.model)
        result = self.experiment.score(model)
        if processes.current().leader:
            with processes.alone():
                self._report(model, result, began, resume_command)

    def _report(self, model, result, began, resume_command):
        """Print the tables, write result.json and the pictures."""
        trainer, experiment, log = self.trainer, self.experiment, read_log(self.folder)
        print("\n" + experiment.format_result(result))
        experiment.draw_run(self.folder, model, result, log)
        result |= {
            **{name: trainer.metadata[name] for name in ("commands", "commits", "machines", "started")},
            "options": trainer.options.kept("loop"),
            "sequences_seen": trainer.sequences_seen,
            "steps": trainer.step,
            "training_seconds": round(trainer.seconds, 3),
            "sequences_per_second": round(trainer.sequences_seen / max(trainer.seconds, 1e-9), 2),
            "command_seconds": round(time.monotonic() - began, 1),
            "finished": now(),
        }
        result = experiment.completed(result, trainer.metadata, log)
        files.write_json(self.folder / RESULT, experiment.anonymised(result))
        print(
            f"\n{trainer.sequences_seen} {experiment.unit} in {trainer.seconds:.0f} s of training, "
            f"{result['command_seconds']:.0f} s in all. Tables, curves and pictures are in {self.folder}\n"
            f"Every gradient of a test sequence, to open in a browser: {self.folder / PAGE}"
        )
        print(early_end(trainer, experiment.unit, resume_command), end="")
        experiment.after(self.folder, model, result)


def early_end(trainer, unit, resume_command):
    """Return what to know of a run that `minutes` ended before its last sequence, "" for any other."""
    options, seen, held = trainer.options, trainer.sequences_seen, trainer.sequences_held
    if seen >= options.sequences:
        return ""
    flow = f"; during {held} of these {seen} the flow was held at zero (--flow-warmup)" if held else ""
    return (
        f"--minutes {options.minutes:g} ended it after {seen} of {options.sequences} {unit}{flow}. "
        f"Continue with\n  {resume_command} --minutes {2 * options.minutes or 1:g}\n"
    )


def _trainer(experiment, model, options, folder, metadata):
    """Return the trainer of a run, whose checkpoints keep the commits and machines that trained it."""
    machine, size = provenance.format_hardware(provenance.hardware(model.device)), processes.current().size
    machine += f", {size} processes" if size > 1 else ""
    metadata |= {"kind": experiment.kind, "offset": experiment.offset}
    metadata |= {"experiment": experiment.settings.kept("experiment")}
    for name, value in (("commits", provenance.commit()), ("machines", machine)):
        metadata[name] = list(dict.fromkeys([*metadata.get(name, []), value]))
    return Trainer(
        model,
        experiment.criterion,
        experiment.make_batch,
        options,
        folder,
        epoch=experiment.epoch,
        metadata=metadata,
        prefetch=experiment.prefetch,
    )


def read_result(folder):
    """Return the result in the folder of a run; ValueError, naming the file, when it is damaged."""
    path = Path(folder) / RESULT
    wanted = {"experiment": dict, "options": dict, "commands": list, "scores": dict, "parameters": int}
    return files.read_json(path, wanted, f"delete it, and --resume {folder} writes it again")


def now():
    """Return the time as text."""
    return datetime.now().astimezone().isoformat(timespec="seconds")
