"""Training on real video: the clips, the model of whole frames and that of crops, and its score."""

import math
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np

import nnlite as nn
from nnlite import backend, models
from nnlite.data.moving_textures import MovingTextures
from nnlite.train.inspect.report import page_of_run
from nnlite.train.real_video import figures, flow_errors, folders, prediction, scores
from nnlite.train.real_video.crops import check_crops, check_drawn, drawn_numbers, random_crops
from nnlite.train.real_video.prediction import GREY
from nnlite.train.real_video.settings import EPILOG, NO_VIDEO, PRESETS, TESTED_ON, Settings
from nnlite.train.real_video.videos import (
    TestClips,
    benchmark_pairs,
    default_folders,
    draw_missing_videos,
    find_test_videos,
    find_videos,
    load_clips,
    textures_of,
    video_name,
)
from nnlite.train.report import image_metrics, provenance
from nnlite.train.runs.experiment import WHOLE, Experiment, Sequence
from nnlite.train.runs.export import export
from nnlite.train.runs.rendering import rendering
from nnlite.train.runs.starting_weights import start_with, with_earlier

MODEL_NAME = "ae_convlstm_flow"
#: Rows of Figure 6.
ROWS = 6


class RealVideo(Experiment):
    """AE-ConvLSTM-flow on clips of any videos."""

    kind = command = "real_video"
    unit, offset, prefetch = "clips", GREY, True
    variant = "video"
    modes: ClassVar = {"predict": rendering(prediction.render, "save_flow"), "export": export}
    settings_type, presets, epilog = Settings, PRESETS, EPILOG
    description = (
        "Train AE-ConvLSTM-flow to predict the next frame of real video, from any folder of\n"
        "clips. Then score it on videos that it has not seen, beside what needs no training."
    )

    @classmethod
    def parse(cls, argv, program):
        """Folders of videos become absolute, for the run may be resumed from elsewhere."""
        mode, given = super().parse(argv, program)
        if "splits" in given and ("test" in given or len(given.get("videos", ())) != 1):
            raise ValueError("--splits needs --videos with the one folder of classes, and no --test")
        if "save_flow" in given and mode != "predict":
            raise ValueError("--save-flow writes the flow of a video that --predict names")
        return mode, folders.absolute(given)

    @classmethod
    def plan(cls, given):
        preset = PRESETS[given.get("preset", cls.preset)]
        return cls._layered(*preset.layers(MODEL_NAME), given)

    @staticmethod
    def _layered(*layers):
        """Return the settings of these layers, above the usual folders of videos."""
        return Settings.layered({"videos": default_folders()}, *layers)

    @classmethod
    def reopened(cls, settings, given, path, resuming):
        """Packed weights name videos without their folders: scored are those that are found here."""
        settings = folders.known_here(settings)
        if "model_options" in given:
            given = given | {"model_options": settings.model_options | given["model_options"]}
        return replace(settings, **given)

    def prepare(self):
        """Check that crops fit and the video to render is there; draw videos where no folder is known."""
        self._check_steps()
        settings, video = self.settings, self.settings.render
        check_crops(settings.crop, settings.size, settings.all_directions)
        check_drawn(settings)
        benchmark_pairs(settings)  # which names a folder that is not there
        if video not in (None, NO_VIDEO) and not Path(video).exists():
            raise ValueError(
                f"{video}, the video to render, does not exist; name another, or none, with --render"
            )
        if not settings.videos:
            draw_missing_videos(self.folder)

    def _check_steps(self):
        if self.settings.steps > self.settings.frames - 2:
            raise ValueError(
                f"--steps {self.settings.steps} of clips of {self.settings.frames} frames leaves less than "
                "two to be seen; --predict can look further ahead"
            )
        if self.settings.steps > 1 and min(self.settings.size) < image_metrics.WINDOW:
            raise ValueError(f"--steps scores SSIM too: --size must be at least {image_metrics.WINDOW} each")

    def load(self, training=True):
        """Read the training and the test videos; ValueError when a resumed run began with others."""
        self._check_steps()
        if not training:
            return
        training, _ = self.sources
        self.clips = load_clips(training, self.settings, self.settings.stride)
        print(f"To train on: {self.clips.describe()}")
        self.validation_subset = self.test.validation_subset
        self.keep_signature(self.clips.signature)
        self.epoch = len(self.clips)

    def keep_signature(self, signature):
        """Keep the signature of the training clips; ValueError when a resumed run began with others."""
        if self.settings.signature not in (None, signature):
            raise ValueError(
                f"the training videos are not those that the run in {self.folder} began with, or were "
                "changed; name their folders with --videos"
            )
        self.settings = replace(self.settings, signature=signature)

    @property
    def batch_shape(self):
        settings = self.settings
        channels = 1 if settings.colour == "grey" else 3
        batch, crop = (settings.frames, settings.batch, channels), settings.crop or settings.size
        whole = (settings.frames, 1, channels, *settings.size)  # a clip is cropped when it has been read
        return max((*batch, *crop), whole, key=math.prod)

    @cached_property
    def sources(self):
        """The training and the test videos."""
        return find_videos(self.settings, self.folder)

    @cached_property
    def test(self):
        """The clips to score, read when they are first needed."""
        settings = self.settings
        sources = find_test_videos(settings) if settings.test else self.sources[1]
        clips = TestClips(sources, settings)
        print(f"To test on: {clips.describe()}")
        return clips

    @property
    def rate(self):
        return self.settings.rate

    @property
    def criterion(self):
        losses = {"square": nn.MSECriterion, "charbonnier": nn.CharbonnierCriterion}
        return losses[self.settings.loss](size_average=False)

    def build_model(self, device):
        """Return the model to train, on crops where the settings ask for them.

        The parameters do not depend on the size of the frames: all layers are convolutions.
        """
        self.whole = self._build(device, self.settings.size)
        return self._build(device, self.settings.crop) if self.settings.crop else self.whole

    def _build(self, device, size):
        settings = self.settings
        nn.manual_seed(settings.seed)
        channels = 1 if settings.colour == "grey" else 3
        options = {"height": size[0], "width": size[1], "n_channels": channels, "output": "linear"}
        return models.build(MODEL_NAME, **(options | settings.model_options)).type(device=device)

    def evaluated_model(self, model):
        """Return the model for whole frames, with the parameters of the one that is trained."""
        if model is not self.whole:
            for weight, trained in zip(self.whole.parameters()[0], model.parameters()[0], strict=True):
                weight[...] = trained
        return self.whole

    def start(self, model):
        return start_with(self, model, self.settings.weights) if self.settings.weights else {}

    def weights_from(self, saved, model):
        """Weights of a model with one scale of flow begin one with more, which at first add nothing."""
        if not model.coarse:
            return saved
        own = {path: backend.as_numpy(w) for path, w, _ in model.coarse.named_parameters("coarse.")}
        return replace(saved, parameters=own | saved.parameters)

    def continues_curve(self, earlier):
        return all(getattr(earlier, name) == getattr(self.settings, name) for name in TESTED_ON)

    def describe(self, model):
        settings = self.settings
        height, width = settings.size
        crop = f", from crops of {settings.crop[0]}x{settings.crop[1]}" if settings.crop else ""
        rate = f"{settings.rate:g} frames a second" if settings.rate else "each frame of the files"
        drawn = f", {settings.drawn_share:.0%} of them drawn" if settings.drawn_share else ""
        return (
            f"{MODEL_NAME} ({models.count_parameters(model):,} parameters) on the {model.device}: "
            f"{settings.colour} frames of {height}x{width} pixels{crop}, {rate}, "
            f"clips of {settings.frames}{drawn}"
        )

    def make_batch(self, step, indices, share=WHOLE):
        settings = self.settings
        drawn = drawn_numbers(step * len(indices), len(indices), settings.drawn_share)
        before = drawn[: share.start].count(None)
        indices, drawn = indices[share], drawn[share]
        from_clips = [index for index, number in zip(indices, drawn) if number is None]
        frames = self.clips.batch(from_clips).frames
        if settings.crop and from_clips:
            random = np.random.Generator(np.random.PCG64([settings.seed, step]))
            frames = random_crops(frames, settings.crop, random, before, settings.all_directions)
        if len(from_clips) < len(indices):
            moved = self.drawn.batch([number for number in drawn if number is not None]).frames
            frames = np.concatenate([frames, moved], axis=1) if from_clips else moved
        frames = frames - np.float32(GREY)
        return frames[:-1], frames[1:]

    @cached_property
    def drawn(self):
        """Drawn motions of the textures of the training videos' frames."""
        settings = self.settings
        size = settings.crop or settings.size
        textures = textures_of(self.clips, range(len(self.clips)))
        return MovingTextures(textures, size, settings.frames, settings.drawn_speed, seed=settings.seed)

    def evaluate(self, model):
        return scores.summary(scores.model_errors(model, self.test.clips, self.validation_subset))

    def score(self, model):
        settings, textures = self.settings, textures_of(self.test.clips, self.test.chosen)
        count = min(flow_errors.FOR_EACH * len(self.test.chosen), flow_errors.MOST)
        result = {
            "experiment": settings.kept("experiment"),
            "parameters": models.count_parameters(model),
            **scores.score(model, self.test, settings.steps),
            "flow": flow_errors.drawn_errors(model, textures, settings.size, settings.frames, count),
            "hardware": provenance.hardware(model.device),
        }
        if pairs := benchmark_pairs(settings):
            result["pairs"] = flow_errors.pair_errors(model, pairs, settings.size, settings.colour)
        return result

    def format_result(self, result):
        blocks = [scores.format_tables(result)]
        if result["flow"]:
            title = "End-point error of the flow, in pixels, on drawn motion of textures of the test videos:"
            blocks += [title, flow_errors.format_drawn(result["flow"])]
        if "pairs" in result:
            blocks += [
                "End-point error of the flow on benchmarks:",
                flow_errors.format_pairs(result["pairs"]),
            ]
        return "\n\n".join(blocks)

    def draw(self, folder, model, result):
        rows = self.test.most_changing(ROWS)
        titles = [video_name(source)[:24] for source in rows]
        figures.draw_figure6(folder / "figure6.png", model, self.test.clips, list(rows.values()), titles)
        filmed = list(rows.values())[: figures.FILMED]
        figures.draw_film(folder / "film.webp", model, self.test.clips, filmed)
        if "ahead" in result:
            figures.draw_ahead(folder / "ahead.png", result["ahead"])

    def draw_run(self, folder, model, result, log):
        figures.draw_curves(folder / "curves.png", log, result["scores"], self.settings.loss)
        self.draw(folder, model, result)
        page_of_run(folder, self)

    @staticmethod
    def curve(log):
        names = ("sequences", "seconds", "evaluation")
        return [{name: line[name] for name in names} for line in log if "evaluation" in line]

    def completed(self, result, metadata, log):
        return with_earlier(result | {"curve": self.curve(log)}, metadata.get("earlier"))

    anonymised = staticmethod(folders.anonymised)

    def after(self, folder, model, result):
        """Render a video with the trained model."""
        video = self.settings.render
        if video == NO_VIDEO:
            return
        if video is None:
            name = scores.most_changing(result)
            video = next(source for source in self.test.sources if video_name(source) == name)
        prediction.render(model, self.settings, video, folder / "prediction.mp4")

    def test_sequence(self, number, n_frames=None):
        length, chosen = n_frames or self.settings.frames, self.test.chosen
        if number >= len(chosen) or length > self.settings.frames:
            raise ValueError(
                f"the run has {len(chosen)} test clips of {self.settings.frames} frames; --sequence {number} "
                f"and {length} frames are not among them (see --video)"
            )
        frames = self.test.clips.batch([chosen[number]]).frames[:length]
        return Sequence(frames, f"test clip {number} of {len(chosen)}", criterion=self.criterion)
