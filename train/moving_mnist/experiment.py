"""Training on moving digits: the data, the model, and its score."""

from dataclasses import replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import ClassVar

import nnlite as nn
from nnlite import models
from nnlite.data.mnist import find_mnist
from nnlite.data.moving_mnist import DRAWN, MovingMNIST, load_digits
from nnlite.data.moving_mnist_files import SequenceFile
from nnlite.models.feedback import Feedback, FeedbackAsData, FeedbackWithGradient
from nnlite.train.inspect.report import page_of_run
from nnlite.train.moving_mnist import (
    ahead,
    evaluation,
    figures,
    pretrained,
    rollout,
    speeds,
    table1,
    transfer,
)
from nnlite.train.moving_mnist.description import (
    MNIST,
    anonymised_result,
    describe_data,
    digits_name,
    frames_scored,
)
from nnlite.train.moving_mnist.presets import EPILOG, PRESETS, settings_for, settings_for_all
from nnlite.train.moving_mnist.settings import ALL, MODEL_NAME, Settings
from nnlite.train.moving_mnist.starting_weights import as_weights_of, learning_curve, same_curve
from nnlite.train.report import provenance
from nnlite.train.runs import command
from nnlite.train.runs.experiment import PRETRAINED, WHOLE, Experiment, Sequence
from nnlite.train.runs.export import export
from nnlite.train.runs.starting_weights import start_with, with_earlier

#: How a model is trained for several steps ahead, by the value of --feedback.
FEEDBACK = {"data": FeedbackAsData, "gradient": FeedbackWithGradient}


class MovingDigits(Experiment):
    """A predictor of moving digits, one of Table 1, or all four of them."""

    kind = command = "moving_mnist"
    group = "table1"
    modes: ClassVar = {
        "evaluate": pretrained.evaluate,
        "figures": figures.draw,
        "rollout": ahead.show,
        "speeds": speeds.show,
        "transfer": transfer.show,
        "export": export,
    }
    settings_type, presets, epilog = Settings, PRESETS, EPILOG
    description = (
        "Train a video model that predicts the next frame of moving digits at every step.\n"
        "Then score it on unseen digits, beside baselines that need no model."
    )

    @classmethod
    def parse(cls, argv, program):
        mode, given = super().parse(argv, program)
        if len(given.get("speed", ())) > 2:
            raise ValueError("--speed takes one number, or the two ends of a range")
        return mode, given

    @classmethod
    def plan(cls, given):
        model = given.get("model", MODEL_NAME)
        if model == ALL:
            if "weights" in given:
                raise ValueError("--weights are of one architecture; name it with --model")
            return settings_for_all(given.get("preset", "quick"), given)
        settings = settings_for(model, given.get("preset", "default"), given)
        if "feedback" in given and settings.steps_ahead == 1:
            raise ValueError("--feedback is for several steps ahead; add --steps-ahead, or leave it out")
        return settings

    @classmethod
    def reopened(cls, settings, given, path, resuming):
        """A resumed run keeps to the kind of digits that it began with; a trained model may try the other."""
        data = given.get("data", settings.data)
        if resuming and (data == DRAWN) != (settings.data == DRAWN):
            raise ValueError(
                f"the model of {path} learned from {digits_name(settings.data)}; --data {data} differs"
            )
        return replace(settings, **(given | {"data": data}))

    def __init__(self, settings, folder=None):
        data = settings.data
        if data in (None, MNIST):
            mnist = find_mnist()
            data = str(mnist) if mnist else data or DRAWN
        elif data != DRAWN and Path(data).is_dir():  # without it a trained model can still be looked at
            data = str(find_mnist(data))
        super().__init__(replace(settings, data=data), folder)
        self.epoch = settings.train_sequences

    @property
    def batch_shape(self):
        settings = self.settings
        return settings.frames, settings.batch, 1, settings.size, settings.size

    def load(self, training=True):
        _ = self.data

    @cached_property
    def data(self):
        """The training and the test sequences."""
        return self.sequences()

    @cached_property
    def scored(self):
        """The same with a single frame after those seen: what the error one step ahead is taken on."""
        return self.data if self.settings.steps_ahead == 1 else self.sequences(self.settings.seen + 1)

    def sequences(self, n_frames=None, grey=None):
        """Return the training and the test sequences, of other frames if these are given.

        The seed changes the training sequences only, so that all runs are scored on the same test set.
        """
        settings = self.settings
        n_frames = n_frames or settings.frames
        if settings.data == MNIST:
            raise FileNotFoundError(
                "the model learned from MNIST: name the folder of its idx files with --data or NNLITE_DATA, "
                "or try it on other digits with --data drawn"
            )
        train_digits, test_digits, _ = digits(settings.data)
        form = {"size": (settings.size, settings.size), "n_frames": n_frames, "n_digits": settings.digits}
        form["speed"] = settings.speed[0], settings.speed[-1]
        form["grey"] = settings.targets == "grey" if grey is None else grey
        train = MovingMNIST(train_digits, **form, seed=settings.seed, split="train")
        test = MovingMNIST(test_digits, **form, seed=0, split="test")
        if settings.train_sequences_file:
            train = self._recorded("train_sequences_file", "train_sequences", n_frames, form["grey"])
        if settings.sequences_file:
            test = self._recorded("sequences_file", "test_sequences", n_frames, form["grey"])
        return train, test

    def _recorded(self, setting, count, n_frames, grey):
        """Return the sequences of a file, of which there must be as many as are asked for."""
        data = SequenceFile(getattr(self.settings, setting), n_frames, grey, self.settings.time_axis)
        side = self.settings.size
        if data.size != (side, side):
            raise ValueError(
                f"{data.path} has frames of {data.size[0]}x{data.size[1]}, the model takes {side}x{side}"
            )
        if len(data) < getattr(self.settings, count):
            asked = f"--{count.replace('_', '-')} {getattr(self.settings, count)}"
            raise ValueError(f"{data.path} holds {len(data)} sequences, fewer than {asked}")
        return data

    @property
    def seen(self):
        """Those before the first prediction that is fed back."""
        return self.settings.seen

    @property
    def criterion(self):
        return nn.BCECriterion(size_average=False)

    def build_model(self, device):
        settings = self.settings
        nn.manual_seed(settings.seed)
        options = {"height": settings.size, "width": settings.size} | settings.model_options
        if settings.model == "ae_conv":
            options["n_frames"] = settings.seen
        model = models.build(settings.model, **options)
        if settings.steps_ahead > 1:
            model = FEEDBACK[settings.feedback](model, settings.steps_ahead - 1)
        return model.type(device=device)

    def evaluated_model(self, model):
        return model.video if isinstance(model, Feedback) else model

    def start(self, model):
        where = self.settings.weights
        if where == PRETRAINED:
            where = models.pretrained_path(self.settings.model)
        return start_with(self, model, where) if where else {}

    def weights_from(self, saved, model):
        return as_weights_of(model, self.settings, saved)

    def continues_curve(self, earlier):
        return same_curve(self.settings, earlier)

    curve = staticmethod(learning_curve)
    published = staticmethod(anonymised_result)

    def describe(self, model):
        return (
            f"{self.settings.model} ({models.count_parameters(model):,} parameters) on the {model.device}: "
            f"{describe_data(self.settings.kept('experiment'))}"
        )

    def make_batch(self, step, indices, share=WHOLE):
        frames = self.data[0].batch(indices[share]).frames
        return frames[: self.settings.seen], frames[1:]

    def evaluate(self, model):
        settings = self.settings
        count = evaluation.validation_subset(settings.test_sequences)
        scores = evaluation.evaluate(model, self.scored[1], count, self._batch)
        if settings.steps_ahead > 1:
            named, of = {"": model}, (settings.seen, settings.steps_ahead, count)
            scores["bce_ahead"] = rollout.errors(named, self.data[1], *of)[""]
        return scores

    def score(self, model):
        (train, test), count = self.scored, self.settings.test_sequences
        scores = evaluation.evaluate(model, test, count, self._batch)
        reference = evaluation.score_baselines(train, test, count)
        result = {
            "experiment": self.settings.kept("experiment"),
            "parameters": models.count_parameters(model),
            "scores": scores,
            "baselines": reference,
            "ratios": evaluation.ratios(scores, reference),
            "hardware": provenance.hardware(model.device),
        }
        if self.settings.steps_ahead > 1:
            result["ahead"] = ahead.table({self.settings.model: (self, model)}, count)
        return result

    @property
    def _batch(self):
        """How many sequences are scored at once: the training batch size, but at least 8."""
        return max(self.settings.batch, 8)

    def format_result(self, result):
        frames = frames_scored(result["experiment"])
        model = result["experiment"]["model"]
        text = evaluation.format_scores(model, result["scores"], result["baselines"], frames)
        return text + ("\n\n" + ahead.format_page(result["ahead"]) if "ahead" in result else "")

    def draw(self, folder, model, result):
        rows = min(6, self.settings.test_sequences)
        evaluation.draw_predictions(folder / "predictions.png", {"prediction": model}, self.scored[1], rows)
        if "ahead" in result:
            found = {self.settings.model: (self, model)}
            ahead.draw(folder / "ahead.png", folder / "rollout.png", found, result["ahead"])

    def draw_run(self, folder, model, result, log):
        evaluation.draw_curves(folder / "curves.png", log, result["baselines"])
        self.draw(folder, model, result)
        page_of_run(folder, self)

    def completed(self, result, metadata, log):
        result |= {
            "curve": self.curve(log),
            "watched": evaluation.validation_subset(self.settings.test_sequences),
        }
        return with_earlier(result, metadata.get("earlier"))

    def test_sequence(self, number, n_frames=None):
        n_frames = n_frames or self.seen + 1
        _, test = self.sequences(n_frames)
        if self.settings.sequences_file:
            if number >= len(test):
                raise ValueError(f"--sequence: {test.path} holds {len(test)} sequences, got {number}")
            return Sequence(test.batch([number]).frames, f"sequence {number} of {test.path.name}")
        kind = "drawn digits" if self.settings.data == DRAWN else "MNIST digits"
        description = f"test sequence {number}, {test.n_digits} moving {kind}"
        if self.settings.steps_ahead > 1:
            description += "; one step ahead, without the predictions that training fed back"
        return Sequence(test.batch([number]).frames, description)

    @staticmethod
    def write_comparison(folder, results):
        table1.save(folder, table1.build(results))

    @staticmethod
    def show_comparison(folder, results):
        print("\n" + table1.format_table(table1.build(results)))
        print(
            f"\nAll is in {folder}. For the figures\n"
            f"  {command.invocation('moving_mnist')} --figures {Path(folder)}"
        )


@lru_cache(maxsize=1)
def digits(data):
    """Load digits as `load_digits` does, once for all runs of a group."""
    return load_digits(data)
