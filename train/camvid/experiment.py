"""Training on video of which few frames are labelled: the data, the model, and its score."""

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import nnlite as nn
from nnlite import checkpoint, models
from nnlite.data.camvid import find_camvid
from nnlite.models.segmentation_loss import PixelCrossEntropy, SegmentationLoss
from nnlite.train.camvid import table2
from nnlite.train.camvid.augmentation import augmented
from nnlite.train.camvid.data import (
    colours_of,
    describe_data,
    input_and_target,
    load_data,
)
from nnlite.train.camvid.evaluation import averages, evaluate, validation_subset
from nnlite.train.camvid.figures import draw_confusions, draw_curves, draw_results
from nnlite.train.camvid.prediction import render
from nnlite.train.camvid.settings import (
    BOTH,
    CAMVID_PRESETS,
    EPILOG,
    NONE,
    PRESETS,
    SEGNET,
    SHAPES,
    SHAPES_OPTIONS,
    Settings,
    settings_for,
    settings_for_both,
)
from nnlite.train.camvid.starting_weights import load_video, start_video
from nnlite.train.inspect.report import page_of_run
from nnlite.train.report import provenance
from nnlite.train.runs.experiment import WHOLE, Experiment, Sequence, kind_of, load_run, load_trained
from nnlite.train.runs.export import export
from nnlite.train.runs.loop import CHECKPOINT
from nnlite.train.runs.rendering import rendering
from nnlite.train.runs.starting_weights import training_of, with_earlier


class LabelledVideo(Experiment):
    """SegNet, which sees single frames, SegNet-flow, which sees video, or both, compared."""

    kind = command = group = "camvid"
    settings_type, presets, epilog = Settings, PRESETS, EPILOG
    description = (
        "Train SegNet, frame by frame, and SegNet-flow, which propagates labels along the flow that it\n"
        "learns to predict, on video with few labels. Then score both on unseen video (Table 2).\n"
        "Without --camvid on moving shapes, which need no download."
    )
    # Labels are looked at on the way, so that no step fits into a graph; labels are propagated from the first
    # step on, so that it cannot be run in pieces. Running statistics are not those of a mean of weights.
    not_offered = frozenset(("loss_at", "cuda_graph", "memory", "mean_over"))
    variant = "camvid"
    modes: ClassVar = {"predict": rendering(render, "save_labels"), "export": export, "table": table2.compare}
    data = None

    @classmethod
    def parse(cls, argv, program):
        """What is of --predict alone is refused elsewhere."""
        mode, given = super().parse(argv, program)
        for name in ("save_labels", "rate"):
            if name in given and mode != "predict":
                raise ValueError(f"--{name.replace('_', '-')} is of a video that --predict names")
        return mode, given

    @classmethod
    def plan(cls, given):
        model, on_camvid = given.get("model", BOTH), "data" in given
        preset = given.get("preset", "camvid-cpu" if on_camvid else "default")
        if preset in CAMVID_PRESETS and not on_camvid:
            raise ValueError(f"--preset {preset} needs --camvid FOLDER")
        if "split" in given and not on_camvid:
            raise ValueError("--split is of CamVid; name its folder with --camvid")
        if on_camvid and (extra := sorted(SHAPES_OPTIONS & set(given))):
            names = ", ".join("--" + name.replace("_", "-") for name in extra)
            raise ValueError(f"{names}: of moving shapes alone; leave out with --camvid")
        if model == BOTH:
            if "video" in given.get("model_options", {}):
                raise ValueError("--model-option video=... is of --model segnet_flow alone")
            return settings_for_both(preset, given)
        if given.get("weights") == SEGNET:
            raise ValueError("--weights segnet is of --model both; name a checkpoint")
        settings = settings_for(model, preset, given)
        return replace(settings, weights=NONE) if settings.weights == SEGNET else settings

    @classmethod
    def reopened(cls, settings, given, path, resuming):
        """CamVid may have moved; a model of moving shapes has other classes."""
        if settings.data == SHAPES and given.get("data", SHAPES) != SHAPES:
            raise ValueError(f"the model of {path} learned from moving shapes; leave out --camvid")
        if settings.data != SHAPES:
            try:
                find_camvid(settings.data)
            except FileNotFoundError:
                if settings.data == Path(settings.data).name:  # all that packed weights have of the folder
                    settings = replace(settings, data=str(find_camvid() or settings.data))
        return replace(settings, **given)

    def load(self, training=True):
        self.data = load_data(self.settings)
        if self.settings.data != SHAPES:  # as many sequences as there are
            train, test = len(self.data.train), len(self.data.test)
            test = min(self.settings.test_sequences or test, test)
            self.settings = replace(self.settings, train_sequences=train, test_sequences=test)
        self.epoch = self.settings.train_sequences

    @property
    def seen(self):
        """All frames: they have labels to find."""
        return self.settings.frames

    @property
    def criterion(self):
        """Cross-entropy for SegNet, for SegNet-flow also the error of its predicted frames."""
        if self.settings.model == "segnet":
            return PixelCrossEntropy(self.weights)
        return SegmentationLoss(self.weights, self.settings.segmentation_weight)

    @property
    def weights(self):
        """The weights of the classes in the loss, None for 1 of all."""
        return self.data.weights if self.settings.balance == "median" else None

    @property
    def batch_shape(self):
        return self.settings.frames, self.settings.batch, 3, *self.settings.size

    def build_model(self, device):
        settings = self.settings
        nn.manual_seed(settings.seed)
        height, width = settings.size
        options = {"height": height, "width": width, "n_classes": len(colours_of(settings)[0])}
        return models.build(settings.model, **options | settings.model_options).type(device=device)

    def start(self, model):
        """Copy the weights of a checkpoint of the same network, or of parts of SegNet-flow."""
        metadata = {}
        if self.settings.weights != NONE:
            saved = load_run(self.settings.weights)
            inner = hasattr(model, "segnet") and saved.architecture.get("name") == "segnet"
            checkpoint.load_parameters(model.segnet if inner else model, saved)
            if not inner and kind_of(saved) == self.kind:  # the same network, trained further
                training = training_of(self, saved)
                metadata = {"earlier": training | {"curve": []}}
        if self.settings.video_weights != NONE:
            start_video(model.video, load_video(self.settings.video_weights))
        return metadata

    def describe(self, model):
        height, width = self.settings.size
        return (
            f"{models.TITLES[self.settings.model]} ({models.count_parameters(model):,} parameters) on the "
            f"{model.device}, {height}x{width} pixels.\n{describe_data(self.settings, self.data)}"
        )

    def make_batch(self, step, indices, share=WHOLE):
        settings = self.settings
        numbers = range(step * settings.batch, (step + 1) * settings.batch)[share]
        video = augmented(self.data.train.batch(indices[share]), settings, numbers)
        return input_and_target(settings.model, video)

    def evaluate(self, model):
        scores = self._scores(model, validation_subset(self.settings.test_sequences), brief=True)
        found = {kind: averages(scores["labels"][kind]) for kind in ("labelled", "unlabelled")}
        return found | ({"flow": scores["flow"]} if "flow" in scores else {})

    def _scores(self, model, count, **options):
        return evaluate(model, self.data.test, count, self.settings.batch, self.data.classes, **options)

    def score(self, model):
        return {
            "experiment": self.settings.kept("experiment"),
            "description": describe_data(self.settings, self.data),
            "parameters": models.count_parameters(model),
            "classes": list(self.data.classes),
            "weights": None if self.weights is None else self.weights.tolist(),
            "scores": self._scores(model, self.settings.test_sequences),
            "hardware": provenance.hardware(model.device),
        }

    def format_result(self, result):
        return table2.format_results(table2.titled({self.settings.model: result}))

    def draw(self, folder, model, result):
        draw_confusions(folder, {self.settings.model: result})
        networks = {models.TITLES[self.settings.model]: model}
        draw_results(folder, networks, self.data, self.settings.test_sequences)

    def draw_run(self, folder, model, result, log):
        draw_curves(folder / "curves.png", log)
        self.draw(folder, model, result)
        page_of_run(folder, self)

    @staticmethod
    def curve(log):
        position = ("sequences", "seconds")
        return [
            line["evaluation"] | {name: line[name] for name in position}
            for line in log
            if "evaluation" in line
        ]

    def completed(self, result, metadata, log):
        return with_earlier(result | {"curve": self.curve(log)}, metadata.get("earlier"))

    @classmethod
    def published(cls, result):
        return table2.anonymised_result(result)

    def test_sequence(self, number, n_frames=None):
        """Return a test sequence as the model is trained on it; see `Experiment`."""
        settings = self.settings
        if settings.model == "segnet" and n_frames not in (None, 1):
            raise ValueError(f"--frames: the run's SegNet takes labelled frames one by one, got {n_frames}")
        opened = self
        if n_frames not in (None, settings.frames):
            opened = LabelledVideo(replace(settings, frames=n_frames), self.folder)
        if opened.data is None:
            opened.load(training=False)
        if number >= (count := opened.settings.test_sequences):
            raise ValueError(f"--sequence: the run has {count} test sequences, got {number}")
        frames, target = input_and_target(settings.model, opened.data.test.batch([number]))
        labels = target if settings.model == "segnet" else target[0]
        name = SHAPES if settings.data == SHAPES else "CamVid"
        return Sequence(frames, f"test sequence {number} of {name}", labels, opened.criterion)

    @staticmethod
    def write_comparison(folder, results):
        table2.save(folder, results)

    @staticmethod
    def show_comparison(folder, results):
        if len(results) < 2:
            return
        print("\n" + table2.format_results(table2.titled(results)))
        draw_confusions(folder, results)
        trained = {
            name: load_trained(LabelledVideo, Path(folder) / name / CHECKPOINT)[:2] for name in results
        }
        networks = {models.TITLES[name]: model for name, (_, model) in trained.items()}
        opened, _ = trained["segnet_flow"]  # whose data are video where there is any
        opened.load(training=False)
        draw_results(folder, networks, opened.data, opened.settings.test_sequences)
        print(f"\nThe comparison and its pictures are in {folder}")
