"""One training run of a segmenter, from a new or half-finished folder to the result."""

from nnlite.train.camvid.evaluation import averages, evaluate
from nnlite.train.camvid.experiment import (
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
from nnlite.train.camvid.figures import draw_confusions, draw_curves, draw_results
from nnlite.train.camvid.settings import NONE
from nnlite.train.camvid.table2 import format_results
from nnlite.train.inspect import report as inspection_report
from nnlite.train.report import report
from nnlite.train.runs.loop import Trainer, read_log
from nnlite.train.runs.run import RESULT, ResumableRun

from nnlite import backend

#: Test sequences scored now and then during training, for the curves. Nothing is chosen by them.
WATCHED = 24


class Run(ResumableRun):
    """One training run of a segmenter: its folder, data, model and trainer."""

    kind, settings_kept, load_checkpoint = "camvid", EXPERIMENT, staticmethod(load_checkpoint)

    def __init__(self, folder, metadata, options, device):
        super().__init__(folder, metadata)
        self.data = load_data(self.experiment)
        options.epoch = self.experiment["train_sequences"]
        model = build_model(self.experiment, self.data, backend.resolve_device(device))
        loss = build_loss(self.experiment, self.data)
        self.trainer = Trainer(model, loss, self._make_batch, options, folder, metadata)

    def begin(self, settings):
        """Start with trained weights, if that is asked for."""
        if settings["weights"] != NONE:
            start_with(self.trainer.model, settings["weights"])

    def train(self):
        """Train to the end of the budget; return the signal that stopped it before, or None."""
        trainer = self.trainer
        print(describe(trainer.model, self.experiment, self.data))
        print(f"Training to {trainer.options.sequences} sequences in {self.folder}", flush=True)
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
        result |= self.history(began) | {
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
