"""One training run on moving digits, from a new or half-finished folder to the result."""

from pathlib import Path

import nnlite as nn
from nnlite import backend

from . import evaluation, inspection_report, report, run_folder
from .loop import CHECKPOINT, Trainer, read_log
from .moving_mnist_experiment import (
    EXPERIMENT,
    build_model,
    describe,
    evaluation_batch,
    format_result,
    load_checkpoint,
    load_data,
    score,
)
from .run_folder import now
from .starting_weights import start_with, with_earlier

RESULT = "result.json"
#: Test sequences scored now and then during training, for the curves. Nothing is chosen by them.
WATCHED = 100


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
        folder = run_folder.choose_folder(settings["out"], "moving_mnist")
        options = run_folder.new_options(settings, epoch=settings["train_sequences"])
        experiment = {name: settings[name] for name in EXPERIMENT}
        metadata = {"experiment": experiment, "commands": [command], "commits": [report.commit()]}
        run = cls(folder, metadata | {"started": now()}, options, settings["device"])
        if settings["weights"]:
            run.metadata["earlier"] = start_with(run.trainer.model, settings["weights"], experiment)
        run.claim = run_folder.make_folder(folder)
        return run

    @classmethod
    def resumed(cls, settings, command):
        """Return the run in a folder as its checkpoint left it."""
        folder = Path(settings["resume"])
        claimed = run_folder.claim_run(folder)
        saved = load_checkpoint(folder / CHECKPOINT, settings)
        run_folder.note_resumption(saved.metadata, command)
        options = run_folder.resumed_options(saved, settings)
        run = cls(folder, saved.metadata, options, settings.get("device", "auto"))
        run.trainer.restore(saved)
        run.claim = claimed
        return run

    def train(self):
        """Train to the end of the budget; return the signal that stopped it before, or None."""
        trainer, batch = self.trainer, evaluation_batch(self.trainer.options)
        watched = min(WATCHED, self.experiment["test_sequences"])
        print(describe(trainer.model, self.experiment))
        print(f"Training to {trainer.options.sequences} sequences in {self.folder}", flush=True)
        (self.folder / RESULT).unlink(missing_ok=True)  # of less training
        return trainer.run(lambda: evaluation.evaluate(trainer.model, self.test_data, watched, batch))

    def finish(self, began):
        """Score the trained model; print the tables, write result.json and the figures."""
        trainer, options = self.trainer, self.trainer.options
        log, experiment = read_log(self.folder), self.experiment
        result = score(trainer.model, experiment, self.train_data, self.test_data, evaluation_batch(options))
        print("\n" + format_result(result))
        evaluation.draw_curves(self.folder / "curves.png", log, result["baselines"])
        evaluation.draw_predictions(
            self.folder / "predictions.png",
            {"prediction": trainer.model},
            self.test_data,
            rows=min(6, experiment["test_sequences"]),
        )
        page = inspection_report.page_of_run(self.folder, self.test_data.sequences([0]).frames)
        result |= run_folder.history(trainer, self.metadata, began) | {
            "curve": run_folder.learning_curve(log),
        }
        result = with_earlier(result, self.metadata.get("earlier"))
        report.write_json(self.folder / RESULT, result)
        print(
            f"\n{trainer.sequences_seen} sequences in {trainer.seconds:.0f} s of training, "
            f"{result['command_seconds']:.0f} s in all. Tables, curves and pictures are in {self.folder}\n"
            f"Every gradient of a test sequence, to open in a browser: {page}"
        )

    def to_the_end(self, began, go_on):
        """Train and finish; return the exit status. go_on: the command that resumes, in case of a stop."""
        return run_folder.to_the_end(self, began, go_on)

    def _make_batch(self, indices):
        frames = self.train_data.sequences(indices).frames
        return frames[:-1], frames[1:]
