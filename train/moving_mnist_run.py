"""One training run on moving digits, from a new or half-finished folder to the result."""

from nnlite.train import evaluation, inspection_report, report
from nnlite.train.loop import Trainer, read_log
from nnlite.train.moving_mnist_experiment import (
    EXPERIMENT,
    build_model,
    describe,
    evaluation_batch,
    format_result,
    load_checkpoint,
    load_data,
    score,
    watched,
)
from nnlite.train.resumable_run import RESULT, ResumableRun
from nnlite.train.starting_weights import learning_curve, start_with, with_earlier

import nnlite as nn
from nnlite import backend


class Run(ResumableRun):
    """One training run on moving digits: its folder, data, model and trainer."""

    kind, settings_kept, load_checkpoint = "moving_mnist", EXPERIMENT, staticmethod(load_checkpoint)

    def __init__(self, folder, metadata, options, device):
        super().__init__(folder, metadata)
        options.epoch = self.experiment["train_sequences"]
        device = backend.resolve_device(device)
        self.train_data, self.test_data = load_data(self.experiment)
        model = build_model(self.experiment, device)
        self.trainer = Trainer(
            model, nn.BCECriterion(size_average=False), self._make_batch, options, folder, metadata
        )

    def begin(self, settings):
        """Start with trained weights, if that is asked for."""
        if settings["weights"]:
            model = self.trainer.model
            self.metadata["earlier"] = start_with(model, settings["weights"], self.experiment)

    def train(self):
        """Train to the end of the budget; return the signal that stopped it before, or None."""
        trainer, batch = self.trainer, evaluation_batch(self.trainer.options)
        count = watched(self.experiment)
        print(describe(trainer.model, self.experiment))
        print(f"Training to {trainer.options.sequences} sequences in {self.folder}", flush=True)
        return trainer.run(lambda: evaluation.evaluate(trainer.model, self.test_data, count, batch))

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
        page = inspection_report.page_of_run(self.folder, self.test_data.batch([0]).frames)
        result |= self.history(began) | {"curve": learning_curve(log), "watched": watched(experiment)}
        result = with_earlier(result, self.metadata.get("earlier"))
        report.write_json(self.folder / RESULT, result)
        print(
            f"\n{trainer.sequences_seen} sequences in {trainer.seconds:.0f} s of training, "
            f"{result['command_seconds']:.0f} s in all. Tables, curves and pictures are in {self.folder}\n"
            f"Every gradient of a test sequence, to open in a browser: {page}"
        )

    def _make_batch(self, indices):
        frames = self.train_data.batch(indices).frames
        return frames[:-1], frames[1:]
