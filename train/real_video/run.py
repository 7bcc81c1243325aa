"""One training run on real video, from a new or half-finished folder to the result."""

import math

import numpy as np
from nnlite.data.prefetch import Prefetch
from nnlite.train.inspect import report as inspection_report
from nnlite.train.real_video.crops import random_crops
from nnlite.train.real_video.experiment import (
    EXPERIMENT,
    GREY,
    build_model,
    choose_clips,
    describe,
    find_videos,
    load_checkpoint,
    load_clips,
    portable_experiment,
)
from nnlite.train.real_video.figures import draw_figure6
from nnlite.train.real_video.scores import format_tables, model_errors, moves_most, score, summary, video_name
from nnlite.train.report import report
from nnlite.train.report.anonymise import portable_command
from nnlite.train.runs.loop import Trainer, batch_indices, read_log
from nnlite.train.runs.run import RESULT, ResumableRun

import nnlite as nn
from nnlite import backend

#: Test clips scored now and then during training, for the curves. Nothing is chosen by them.
WATCHED = 20
#: Rows of Figure 6.
ROWS = 6


class Run(ResumableRun):
    """One training run on real video: its folder, clips, model and trainer."""

    kind, settings_kept, load_checkpoint = "real_video", EXPERIMENT, staticmethod(load_checkpoint)

    def __init__(self, folder, metadata, options, device):
        super().__init__(folder, metadata)
        device = backend.resolve_device(device)
        size, crop = self.experiment["size"], self.experiment["crop"]
        if crop and not (crop[0] <= size[0] and crop[1] <= size[1]):
            raise ValueError(f"crops of {crop[0]}x{crop[1]} don't fit into frames of {size[0]}x{size[1]}")
        self.whole = build_model(self.experiment, device)
        model = build_model(self.experiment, device, crop)
        self.whole_parameters, _ = self.whole.get_parameters()
        train, test = find_videos(self.experiment, folder)
        self.clips = load_clips(train, self.experiment, self.experiment["stride"])
        print(f"To train on: {self.clips.describe()}")
        self.test = TestClips(test, self.experiment)
        signature = self.experiment.setdefault("signature", self.clips.signature)
        if signature != self.clips.signature:
            raise ValueError(
                f"the training videos are not those that the run in {folder} began with, or were changed; "
                "name their folders with --videos"
            )
        self.batches = self._batch
        criterion = nn.MSECriterion(size_average=False)
        options.epoch = len(self.clips)
        self.trainer = Trainer(model, criterion, self._make_batch, options, folder, metadata)

    def train(self):
        """Train to the end of the budget; return the signal that stopped it before, or None."""
        trainer, options = self.trainer, self.trainer.options
        print(describe(trainer.model, self.experiment))
        print(f"Training to {options.sequences} clips in {self.folder}", flush=True)
        watched = self.test.chosen[:: math.ceil(len(self.test.chosen) / WATCHED)]
        schedule = (
            [step, *batch_indices(step, options.batch, options.epoch, options.seed)]
            for step in range(trainer.step, math.ceil(options.sequences / options.batch))
        )
        with Prefetch(self._batch, schedule) as self.batches:
            return trainer.run(lambda: summary(model_errors(self.trained(), self.test.clips, watched)))

    def finish(self, began):
        """Score the trained model; print the tables, write result.json, curves and Figure 6."""
        trainer, log = self.trainer, read_log(self.folder)
        result = self.test.score(self.trained(), self.experiment)
        print("\n" + format_tables(result) + "\n")
        _draw_curves(self.folder / "curves.png", log, result["scores"])
        self.test.draw(self.folder / "figure6.png", self.whole)
        clip = self.test.clips.batch(self.test.chosen[:1])
        page = inspection_report.page_of_run(self.folder, clip, words="test clip 0")
        result |= self.history(began) | {
            "commands": [portable_command(command) for command in self.metadata["commands"]],
            "curve": [
                {key: line[key] for key in ("sequences", "seconds", "evaluation")}
                for line in log
                if "evaluation" in line
            ],
        }
        report.write_json(self.folder / RESULT, result)
        self.result = result
        print(
            f"{trainer.sequences_seen} clips in {trainer.seconds:.0f} s of training, "
            f"{result['command_seconds']:.0f} s in all. Tables, curves and pictures are in {self.folder}\n"
            f"Every gradient of a test clip, to open in a browser: {page}"
        )

    def trained(self):
        """Return the model for whole frames with the parameters that training has come to."""
        self.whole_parameters[...] = self.trainer.parameters
        return self.whole

    def _make_batch(self, indices):
        frames = self.batches([self.trainer.step, *indices])
        return frames[:-1], frames[1:]

    def _batch(self, step_and_indices):
        """Return the frames of a step, (T, N, C, H, W), zero for middle grey."""
        step, *indices = step_and_indices
        frames = self.clips.batch(indices) - np.float32(GREY)
        if not self.experiment["crop"]:
            return frames
        random = np.random.Generator(np.random.PCG64([self.experiment["seed"], step]))
        return random_crops(frames, self.experiment["crop"], random)


class TestClips:
    """The clips to score: of each test video some that are evenly spread and don't overlap."""

    def __init__(self, sources, experiment):
        self.clips = load_clips(sources, experiment, experiment["frames"])
        self.chosen = choose_clips(self.clips, experiment["test_clips"])
        self.sources = [self.clips.place(i)[0] for i in self.chosen]
        print(f"To test on: {self.clips.describe()}; {len(self.chosen)} of them are scored")

    def score(self, model, experiment):
        """Return the scores of model and baselines, ready for JSON."""
        about = {"experiment": portable_experiment(experiment)}
        hardware = {"hardware": report.hardware(model.device)}
        return about | score(model, self.clips, self.chosen) | hardware

    def draw(self, path, model):
        """Draw Figure 6: of each video the chosen clip whose last two frames differ most."""
        change = [self._last_change(i) for i in self.chosen]
        best = {}
        for k, source in enumerate(self.sources):
            if source not in best or change[k] > change[best[source]]:
                best[source] = k
        rows = sorted(best.values(), key=lambda k: -change[k])[:ROWS]
        titles = [video_name(self.sources[k])[:24] for k in rows]
        draw_figure6(path, model, self.clips, [self.chosen[k] for k in rows], titles)

    def source_that_moves_most(self, result):
        """Return the path of the video that changes most from frame to frame."""
        name = moves_most(result)
        return next(source for source in self.sources if video_name(source) == name)

    def _last_change(self, i):
        *_, before, last = self.clips.clip(i)
        return float(((last - before) ** 2).mean())


def _draw_curves(path, log, scores):
    """Draw the squared error over the run, beside that of copying and of carrying the motion on."""
    training = [line for line in log if "loss" in line]
    checks = [line for line in log if "evaluation" in line]
    panel = {
        "title": "Prediction, mean of all steps",
        "label": "squared error a pixel",
        "training": ([line["sequences"] for line in training], [line["loss"] for line in training]),
        "unseen": (
            [line["sequences"] for line in checks[1:]],
            [line["evaluation"]["all"]["squared"] for line in checks[1:]],
        ),
        "levels": {
            "last frame copied": scores["copy"]["all"]["squared"],
            "motion carried on": scores["motion"]["all"]["squared"],
        },
    }
    report.draw_curves(path, [panel])
