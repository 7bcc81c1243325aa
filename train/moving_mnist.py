"""Train a video model on moving digits and compare it with what needs no model.

    python -m train.moving_mnist                        the main model on small moving digits, a few minutes
    python -m train.moving_mnist --preset paper         sections 4 and 5.1 of the paper, for a GPU
    python -m train.moving_mnist --resume RUN           go on where a run was stopped
    python -m train.moving_mnist --evaluate CHECKPOINT  score a trained model

A run folder gets checkpoint.h5, log.jsonl, result.json, curves.png and predictions.png.
"""

import shlex
import signal
import sys
import time
from dataclasses import asdict, fields, replace
from datetime import datetime
from pathlib import Path

import models
import nnlite as nn
from data.moving_mnist import DRAWN, MovingMNIST, load_digits
from nnlite import backend, checkpoint

from . import evaluation, report
from .loop import CHECKPOINT, LOG, LoopOptions, Trainer, read_log
from .moving_mnist_options import settle

#: Settings that say what is learned from what, kept in the checkpoint; those of `LoopOptions` say how.
EXPERIMENT = (
    *("model", "model_options", "data", "size", "digits", "speed", "frames"),
    *("train_sequences", "test_sequences", "seed"),
)
#: Test sequences scored now and then during training, for the curves. Nothing is chosen by them.
WATCHED = 100


def main(argv=None):
    """Run the command; return its exit status."""
    began = time.monotonic()
    argv = sys.argv[1:] if argv is None else argv
    command = shlex.join(["python", "-m", "train.moving_mnist", *argv])
    mode, settings = settle(argv)
    try:
        if mode == "evaluate":
            evaluate_checkpoint(settings, command)
            return 0
        run = Run.resumed(settings, command) if mode == "resume" else Run.new(settings, command)
    except (ValueError, TypeError, OSError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    go_on = f"Go on with\n  python -m train.moving_mnist --resume {shlex.quote(str(run.folder))}"
    try:
        stopped = run.train()
        if stopped:
            seen, budget = run.trainer.sequences_seen, run.trainer.options.sequences
            print(f"\nStopped after {seen} of {budget} sequences; the run is saved. {go_on}")
            return 128 + stopped
        run.finish(began)
    except (FloatingPointError, OSError) as error:  # diverged, or the disk is full
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\nStopped at once; the last checkpoint stands. {go_on}")
        return 128 + signal.SIGINT
    return 0


class Run:
    """One training run on moving digits: its folder, data, model and trainer."""

    def __init__(self, folder, metadata, options, device):
        self.folder, self.metadata, self.experiment = folder, metadata, metadata["experiment"]
        device = backend.resolve_device(device)
        self.train_data, self.test_data = load_data(self.experiment)
        model = build_model(self.experiment, device)
        self.trainer = Trainer(
            model, nn.BCECriterion(size_average=False), self._make_batch, options, folder, metadata
        )

    @classmethod
    def new(cls, settings, command):
        """Return a new run in a folder of its own."""
        folder = Path(settings["out"] or f"runs/moving_mnist-{datetime.now():%Y%m%d-%H%M%S}")
        if (folder / CHECKPOINT).exists():
            raise FileExistsError(f"{folder} holds a run already; --resume it, or choose another --out")
        options = {
            field.name: settings[field.name] for field in fields(LoopOptions) if field.name in settings
        }
        options = LoopOptions(**options, epoch=settings["train_sequences"])
        experiment = {name: settings[name] for name in EXPERIMENT}
        metadata = {"experiment": experiment, "commands": [command], "started": _now()}
        run = cls(folder, metadata, options, settings["device"])
        folder.mkdir(parents=True, exist_ok=True)
        (folder / LOG).unlink(missing_ok=True)
        return run

    @classmethod
    def resumed(cls, settings, command):
        """Return the run in a folder as its checkpoint left it."""
        folder = Path(settings["resume"])
        saved = load_checkpoint(folder / CHECKPOINT, settings)
        saved.metadata["commands"].append(command)
        changes = {
            name: settings[name] for name in ("sequences", "minutes", "save_every") if name in settings
        }
        options = replace(LoopOptions(**saved.metadata["loop"]), **changes)
        run = cls(folder, saved.metadata, options, settings.get("device", "auto"))
        run.trainer.restore(saved)
        return run

    def train(self):
        """Train to the end of the budget; return the signal that stopped it before, or None."""
        trainer, batch = self.trainer, evaluation_batch(self.trainer.options)
        watched = min(WATCHED, self.experiment["test_sequences"])
        print(describe(trainer.model, self.experiment))
        print(f"Training to {trainer.options.sequences} sequences in {self.folder}", flush=True)
        return trainer.run(lambda: evaluation.evaluate(trainer.model, self.test_data, watched, batch))

    def finish(self, began):
        """Score the trained model; print the tables, write result.json and the figures."""
        trainer, options = self.trainer, self.trainer.options
        result = score(
            trainer.model, self.experiment, self.train_data, self.test_data, evaluation_batch(options)
        )
        evaluation.draw_curves(self.folder / "curves.png", read_log(self.folder), result["baselines"])
        evaluation.draw_predictions(self.folder / "predictions.png", trainer.model, self.test_data)
        result |= {
            "commands": self.metadata["commands"],
            "options": asdict(options),
            "sequences_seen": trainer.sequences_seen,
            "steps": trainer.step,
            "training_seconds": round(trainer.seconds, 1),
            "sequences_per_second": round(trainer.sequences_seen / max(trainer.seconds, 1e-9), 2),
            "command_seconds": round(time.monotonic() - began, 1),
            "started": self.metadata["started"],
            "finished": _now(),
        }
        report.write_json(self.folder / "result.json", result)
        print(
            f"\n{trainer.sequences_seen} sequences in {trainer.seconds:.0f} s of training, "
            f"{result['command_seconds']:.0f} s in all. Tables, curves and pictures are in {self.folder}"
        )

    def _make_batch(self, indices):
        frames = self.train_data.sequences(indices).frames
        return frames[:-1], frames[1:]


def evaluate_checkpoint(settings, command):
    """Score the model of a checkpoint; with `out` also write result.json and predictions.png there."""
    saved = load_checkpoint(settings["evaluate"], settings)
    experiment = saved.metadata["experiment"]
    experiment["test_sequences"] = settings.get("test_sequences", experiment["test_sequences"])
    model = build_model(experiment, backend.resolve_device(settings.get("device", "auto")))
    checkpoint.load_parameters(model, saved)
    train_data, test_data = load_data(experiment)
    print(describe(model, experiment))
    options = LoopOptions(**saved.metadata["loop"])
    result = score(model, experiment, train_data, test_data, evaluation_batch(options))
    if "out" in settings:
        folder = Path(settings["out"])
        folder.mkdir(parents=True, exist_ok=True)
        evaluation.draw_predictions(folder / "predictions.png", model, test_data)
        result |= {"commands": [*saved.metadata["commands"], command], "finished": _now()}
        report.write_json(folder / "result.json", result)


def load_checkpoint(path, settings):
    """Return a checkpoint that this command wrote; `settings` may say where its digits are now."""
    saved = checkpoint.load(path)
    if not {"experiment", "loop", "commands"} <= set(saved.metadata):
        raise ValueError(f"{path} is a checkpoint, but not one of train.moving_mnist")
    experiment = saved.metadata["experiment"]
    asked = settings.get("data", experiment["data"])
    if (asked == DRAWN) != (experiment["data"] == DRAWN):
        raise ValueError(f"the model of {path} learned from {_digits(experiment)}; --data {asked} differs")
    experiment["data"] = asked
    return saved


def load_data(experiment):
    """Return training and test sequences; notes in `experiment` where their digits come from.

    The seed changes the training sequences only, so that all runs are scored on the same test set.
    """
    train_digits, test_digits, experiment["data"] = load_digits(experiment["data"])
    form = {name: experiment[name] for name in ("size", "frames")} | {
        "number": experiment["digits"],
        "speed": (experiment["speed"][0], experiment["speed"][-1]),
    }
    train = MovingMNIST(train_digits, **form, seed=experiment["seed"], split="train")
    return train, MovingMNIST(test_digits, **form, seed=0, split="test")


def build_model(experiment, device):
    """Return the experiment's model with its initial weights, on the given device."""
    nn.manual_seed(experiment["seed"])
    size = experiment["size"]
    model = models.build(experiment["model"], height=size, width=size, **experiment["model_options"])
    return model.type(device=device)


def evaluation_batch(options):
    """Return how many sequences are scored at once: those that training holds in memory, if not very few."""
    return max(options.batch, 8)


def score(model, experiment, train_data, test_data, batch):
    """Return the scores of model and baselines, ready for JSON, and print their tables."""
    count = experiment["test_sequences"]
    scores = evaluation.evaluate(model, test_data, count, batch)
    reference = evaluation.score_baselines(train_data, test_data, count)
    print("\n" + evaluation.format_scores(experiment["model"], scores, reference, experiment["frames"]))
    return {
        "experiment": experiment,
        "parameters": models.count_parameters(model),
        "scores": scores,
        "baselines": reference,
        "ratios": evaluation.ratios(scores, reference),
        "hardware": report.hardware(model.device),
    }


def describe(model, experiment):
    """Return in one line what is learned from what, on what."""
    slow, fast = experiment["speed"][0], experiment["speed"][-1]
    pace = f"{slow:g}" if slow == fast else f"{slow:g} to {fast:g}"
    return (
        f"{experiment['model']} ({models.count_parameters(model):,} parameters) on the {model.device}: "
        f"{experiment['digits']} moving digit{'s' * (experiment['digits'] > 1)} of {_digits(experiment)} in "
        f"{experiment['size']}x{experiment['size']} at {pace} px a frame"
    )


def _digits(experiment):
    return "the project's own drawing" if experiment["data"] == DRAWN else f"MNIST in {experiment['data']}"


def _now():
    return datetime.now().astimezone().isoformat(timespec="seconds")


if __name__ == "__main__":
    sys.exit(main())
