"""One training run of a segmenter, from a new or half-finished folder to the result."""

from pathlib import Path

from nnlite import backend

from . import inspection_report, report, run_folder
from .camvid_experiment import (
    EXPERIMENT,
    TITLES,
    build_loss,
    build_model,
    describe,
    load_checkpoint,
    load_data,
    make_batch,
    score,
    start_with,
)
from .camvid_figures import draw_confusions, draw_curves, draw_results
from .camvid_options import NONE
from .loop import CHECKPOINT, Trainer, read_log
from .moving_mnist_run import RESULT
from .run_folder import now
from .segmentation_evaluation import averages, evaluate
from .table2 import format_results

#: Test sequences scored now and then during training, for the curves. Nothing is chosen by them.
WATCHED = 24


class Run:
    """One training run: its folder, data, model and trainer."""

    def __init__(self, folder, metadata, options, device):
        self.folder, self.metadata, self.experiment = folder, metadata, metadata["experiment"]
        self.data = load_data(self.experiment)
        options.epoch = self.experiment["train_sequences"]
        model = build_model(self.experiment, self.data, backend.resolve_device(device))
        loss = build_loss(self.experiment, self.data)
        self.trainer = Trainer(model, loss, self._make_batch, options, folder, metadata)

    @classmethod
    def new(cls, settings, command):
        """Return a new run in a folder of its own."""
        folder = run_folder.choose_folder(settings["out"], "camvid")
        options = run_folder.new_options(settings, epoch=settings["train_sequences"])
        experiment = {name: settings[name] for name in EXPERIMENT}
        metadata = {"experiment": experiment, "commands": [command], "commits": [report.commit()]}
        run = cls(folder, metadata | {"started": now()}, options, settings["device"])
        if settings["weights"] != NONE:
            start_with(run.trainer.model, settings["weights"])
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
        trainer = self.trainer
        print(describe(trainer.model, self.experiment, self.data))
        print(f"Training to {trainer.options.sequences} sequences in {self.folder}", flush=True)
        (self.folder / RESULT).unlink(missing_ok=True)  # of less training
        return trainer.run(self._watch)

    def finish(self, began):
        """Score the trained model; print the table, write result.json and the figures."""
        trainer, log = self.trainer, read_log(self.folder)
        result = score(trainer.model, self.experiment, self.data, trainer.options.batch)
        name = self.experiment["model"]
        print("\n" + format_results({name: result}))
        draw_curves(self.folder / "curves.png", log)
        draw_confusions(self.folder, {name: result})
        draw_results(self.folder, {TITLES[name]: trainer.model}, self.data, self.experiment)
        page = self._inspect()
        result |= run_folder.history(trainer, self.metadata, began) | {
            "curve": [
                line["evaluation"] | {key: line[key] for key in ("sequences", "seconds")}
                for line in log
                if "evaluation" in line
            ],
        }
        report.write_json(self.folder / RESULT, result)
        print(
            f"\n{trainer.sequences_seen} sequences in {trainer.seconds:.0f} s of training, "
            f"{result['command_seconds']:.0f} s in all. Scores and pictures are in {self.folder}\n"
            f"Every gradient of a test sequence, to open in a browser: {page}"
        )

    def to_the_end(self, began, go_on):
        """Train and finish; return the exit status. go_on: the command that resumes, in case of a stop."""
        return run_folder.to_the_end(self, began, go_on)

    def _inspect(self):
        """Write the page of `train.inspect` on the first test sequence; return its path."""
        video = self.data.test.sequences([0])
        frames, target = make_batch(self.experiment["model"], video)
        labels = target[0] if isinstance(target, list) else target
        criterion = self.trainer.criterion
        return inspection_report.page_of_run(self.folder, frames, labels, criterion)

    def _watch(self):
        """Return the averages on a few test sequences, for the log."""
        count, batch = min(WATCHED, self.experiment["test_sequences"]), self.trainer.options.batch
        scores = evaluate(self.trainer.model, self.data.test, count, batch, self.data.classes)
        watched = {kind: averages(scores["labels"][kind]) for kind in ("labelled", "unlabelled")}
        return watched | ({"flow": scores["flow"]} if "flow" in scores else {})

    def _make_batch(self, indices):
        return make_batch(self.experiment["model"], self.data.train.sequences(indices))
