"""What the runs of all experiments share: their folder, their options, and how they come to an end."""

import signal
import sys
import time
from dataclasses import asdict, fields, replace
from datetime import datetime
from pathlib import Path

from . import report
from .claim import claim
from .loop import CHECKPOINT, LOG, LoopOptions


def now():
    """Return the time as text."""
    return datetime.now().astimezone().isoformat(timespec="seconds")


def choose_folder(out, experiment):
    """Return the folder `out`, or one named by experiment and time; FileExistsError when it holds a run."""
    folder = Path(out or f"runs/{experiment}-{datetime.now():%Y%m%d-%H%M%S}")
    if (folder / CHECKPOINT).exists():
        raise FileExistsError(f"{folder} holds a run already; --resume it, or choose another --out")
    return folder


def make_folder(folder):
    """Make the folder of a new run, without the log of one that came to nothing; return the claim on it."""
    folder.mkdir(parents=True, exist_ok=True)
    claimed = claim(folder)
    (folder / LOG).unlink(missing_ok=True)
    return claimed


def claim_run(folder):
    """Return the claim on the folder of a run that is to be resumed; FileNotFoundError when it holds none."""
    if not (folder / CHECKPOINT).exists():
        raise FileNotFoundError(f"there is no checkpoint {folder / CHECKPOINT}")
    return claim(folder)


def new_options(settings, epoch):
    """Return the `LoopOptions` among the settings of a new run; epoch: how many sequences there are."""
    names = [field.name for field in fields(LoopOptions) if field.name in settings]
    return LoopOptions(**{name: settings[name] for name in names}, epoch=epoch)


def resumed_options(saved, settings):
    """Return the `LoopOptions` in a checkpoint with what may change when a run is resumed."""
    names = [name for name in ("sequences", "minutes", "save_every") if name in settings]
    return replace(LoopOptions(**saved.metadata["loop"]), **{name: settings[name] for name in names})


def note_resumption(metadata, command):
    """Add the command that resumes a run, and the commit that it does so with, to what is noted of it."""
    metadata["commands"].append(command)
    commits = metadata.setdefault("commits", [])
    if report.commit() not in commits:
        commits.append(report.commit())


def history(trainer, metadata, began):
    """Return how a run came about, ready for JSON. began: of this command, by the monotonic clock."""
    return {
        "commands": metadata["commands"],
        "commits": metadata["commits"],
        "options": asdict(trainer.options),
        "sequences_seen": trainer.sequences_seen,
        "steps": trainer.step,
        "training_seconds": round(trainer.seconds, 3),
        "sequences_per_second": round(trainer.sequences_seen / max(trainer.seconds, 1e-9), 2),
        "command_seconds": round(time.monotonic() - began, 1),
        "started": metadata["started"],
        "finished": now(),
    }


def learning_curve(log):
    """Return the errors on test sequences in the log of a run on moving digits, by sequences and seconds."""
    return [
        {"bce": line["evaluation"]["bce"]} | {key: line[key] for key in ("sequences", "seconds")}
        for line in log
        if "evaluation" in line
    ]


def to_the_end(run, began, go_on):
    """Train and finish a run; return the exit status.

    run: has `trainer`, `train()`, which returns the signal that stopped it or None, `finish(began)`, and the
    `claim` on its folder, which ends here.
    go_on: the command that resumes, in case of a stop.
    """
    trainer = run.trainer
    try:
        stopped = run.train()
        if stopped:
            print(
                f"\nStopped after {trainer.sequences_seen} of {trainer.options.sequences} sequences; ",
                end="",
            )
            print(f"the run is saved. Go on with\n  {go_on}")
            return 128 + stopped
        run.finish(began)
    except (FloatingPointError, OSError) as error:  # diverged, or the disk is full
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\nStopped at once; the last checkpoint stands. Go on with\n  {go_on}")
        return 128 + signal.SIGINT
    finally:
        run.claim.close()
    return 0
