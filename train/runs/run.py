"""What the runs of all experiments share: how they begin, how they go on, and how they come to an end."""

import signal
import sys
import time
from dataclasses import asdict, fields, replace
from datetime import datetime
from pathlib import Path

from nnlite.train.report import report
from nnlite.train.runs.lock import claim
from nnlite.train.runs.loop import CHECKPOINT, LOG, LoopOptions

from nnlite import backend

RESULT = "result.json"


class ResumableRun:
    """One training run, from a new or half-finished folder to the result.

    Of an experiment's own class it takes `kind`, which names folders; `settings_kept`, the names of settings
    that say what is learned from what (those of `LoopOptions` say how); `load_checkpoint(path, settings)`;
    `__init__(folder, metadata, options, device)`, which makes the `trainer`; `train()`, which trains to the
    end of the budget and returns the signal that stopped it before, or None; and `finish(began)`, which
    scores the model and writes what the run leaves. began: of the command, by the monotonic clock.
    """

    def __init__(self, folder, metadata):
        self.folder, self.metadata, self.experiment = folder, metadata, metadata["experiment"]

    @classmethod
    def new(cls, settings, command):
        """Return a new run in a folder of its own; FileExistsError when that holds one."""
        folder = Path(settings["out"] or f"runs/{cls.kind}-{datetime.now():%Y%m%d-%H%M%S}")
        if (folder / CHECKPOINT).exists():
            raise FileExistsError(f"{folder} holds a run already; --resume it, or choose another --out")
        loop = {field.name: settings[field.name] for field in fields(LoopOptions) if field.name in settings}
        metadata = {
            "experiment": {name: settings[name] for name in cls.settings_kept},
            "commands": [command],
            "started": now(),
        }
        _note_circumstances(metadata, settings["device"])
        run = cls(folder, metadata, LoopOptions(**loop), settings["device"])
        run.begin(settings)
        if getattr(run.trainer.predictor, "moves", False):  # trained weights may bring a flow
            run.trainer.options.still = 0
        folder.mkdir(parents=True, exist_ok=True)
        run.claim = claim(folder)
        (folder / LOG).unlink(missing_ok=True)  # of a run that came to nothing
        return run

    @classmethod
    def resumed(cls, settings, command):
        """Return the run in a folder as its checkpoint left it; FileNotFoundError when it holds none.

        What may change are the options `sequences`, `minutes` and `save_every`.
        """
        folder = Path(settings["resume"])
        if not (folder / CHECKPOINT).exists():
            raise FileNotFoundError(f"there is no checkpoint {folder / CHECKPOINT}")
        claimed = claim(folder)  # before it is read, as another process may be about to write
        saved = cls.load_checkpoint(folder / CHECKPOINT, settings)
        saved.metadata["commands"].append(command)
        _note_circumstances(saved.metadata, settings.get("device", "auto"))
        changed = {
            name: settings[name] for name in ("sequences", "minutes", "save_every") if name in settings
        }
        options = replace(LoopOptions(**saved.metadata["loop"]), **changed)
        run = cls(folder, saved.metadata, options, settings.get("device", "auto"))
        run.trainer.restore(saved)
        run.claim = claimed
        return run

    def begin(self, settings):
        """Do what a new run does before its first step: by default nothing."""

    def to_the_end(self, began, go_on):
        """Train and finish; return the exit status. go_on: the command that resumes, in case of a stop."""
        trainer = self.trainer
        try:
            (self.folder / RESULT).unlink(missing_ok=True)  # of less training
            stopped = self.train()
            if stopped:
                print(
                    f"\nStopped after {trainer.sequences_seen} of {trainer.options.sequences} sequences; the "
                    f"run is saved. Go on with\n  {go_on}"
                )
                return 128 + stopped
            self.finish(began)
        except (FloatingPointError, OSError) as error:  # diverged, or the disk is full
            print(f"error: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print(f"\nStopped at once; the last checkpoint stands. Go on with\n  {go_on}")
            return 128 + signal.SIGINT
        finally:
            self.claim.close()
        return 0

    def history(self, began):
        """Return how the run came about, ready for JSON."""
        trainer = self.trainer
        return {
            "commands": self.metadata["commands"],
            "commits": self.metadata["commits"],
            "machines": self.metadata["machines"],
            "options": asdict(trainer.options),
            "sequences_seen": trainer.sequences_seen,
            "steps": trainer.step,
            "training_seconds": round(trainer.seconds, 3),
            "sequences_per_second": round(trainer.sequences_seen / max(trainer.seconds, 1e-9), 2),
            "command_seconds": round(time.monotonic() - began, 1),
            "started": self.metadata["started"],
            "finished": now(),
        }


def _note_circumstances(metadata, device):
    """Add to a run's metadata the commit that is about to train it, and the machine, if they are new."""
    machine = report.format_hardware(report.hardware(backend.resolve_device(device)))
    for name, value in (("commits", report.commit()), ("machines", machine)):
        known = metadata.setdefault(name, [])
        if value not in known:
            known.append(value)


def read_result(folder):
    """Return the result in the folder of a run; ValueError, naming the file, when it is damaged."""
    path = Path(folder) / RESULT
    wanted = {"experiment": dict, "options": dict, "commands": list, "scores": dict, "parameters": int}
    return report.read_json(path, wanted, f"delete it, and --resume {folder} writes it again")


def now():
    """Return the time as text."""
    return datetime.now().astimezone().isoformat(timespec="seconds")
