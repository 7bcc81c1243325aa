"""Scores of predictors whose errors are known beforehand."""

import re

import numpy as np
import pytest

import nnlite as nn
from nnlite.data.drawn_digits import draw_digits
from nnlite.data.moving_mnist import MovingMNIST
from nnlite.data.video_dataset import VideoBatch
from nnlite.train.moving_mnist import evaluation

DATA = MovingMNIST(draw_digits(40)[0], size=(40, 40), n_digits=2, speed=2.5, n_frames=5)
COUNT = 10


class Oracle(nn.Module):
    """Knows the sequences: predicts `probability` for lit pixels and the true flow plus an offset."""

    def __init__(self, probability, offset):
        super().__init__()
        self.probability, self.offset = probability, offset
        self.place = 0

    def update_output(self, input):
        count = input.shape[1]
        sequences = DATA.batch(range(self.place, self.place + count))
        self.place = (self.place + count) % COUNT
        target = sequences.frames[1:]
        self.flow = sequences.true_flow("target")[0] + np.array(self.offset, np.float32)[:, None, None]
        right = target * self.probability + (1 - target) * (1 - self.probability)
        return right.astype(np.float32)


@pytest.mark.parametrize("batch", [10, 4])
def test_scores(batch):
    scores = evaluation.evaluate(Oracle(0.8, (3.0, 4.0)), DATA, COUNT, batch)
    for steps in ("last", "all"):
        assert scores["bce"][steps] == pytest.approx(-np.log(0.8), rel=1e-6)
        assert scores["flow_arriving"][steps] == pytest.approx(5.0, rel=1e-6)
        assert scores["roughness"][steps] > 0
    sequences = DATA.batch(range(COUNT))
    for place, at in (("arriving", "target"), ("leaving", "source")):
        flow, known = sequences.true_flow(at)
        length = np.hypot(flow[:, :, 0], flow[:, :, 1])
        assert scores[f"zero_{place}"]["all"] == pytest.approx(length[known].mean())
        assert scores[f"zero_{place}"]["last"] == pytest.approx(length[-1][known[-1]].mean())


def test_roughness():
    """Of a flow whose gradient is known: u = 0.3 x - 0.4 y, v = 0.1 x in half of the steps, else none."""

    class Sheared(nn.Module):
        def update_output(self, input):
            y, x = np.mgrid[:40, :40].astype(np.float32)
            self.flow = np.zeros((4, input.shape[1], 2, 40, 40), np.float32)
            self.flow[2:, :, 0], self.flow[2:, :, 1] = 0.3 * x - 0.4 * y, 0.1 * x
            return np.full((4, input.shape[1], 1, 40, 40), 0.5, np.float32)

    roughness = evaluation.evaluate(Sheared(), DATA, 3, 2)["roughness"]
    assert roughness["last"] == pytest.approx(np.sqrt(0.3**2 + 0.4**2 + 0.1**2), rel=1e-5)
    assert roughness["all"] == pytest.approx(roughness["last"] / 2)


def test_true_motion_is_not_always_known():
    class Recorded:
        def batch(self, indices):
            return VideoBatch(DATA.batch(indices).frames)

        def __len__(self):
            return 12

    scores = evaluation.evaluate(Oracle(0.8, (3.0, 4.0)), Recorded(), COUNT, 5)
    assert set(scores) == {"bce", "roughness"}
    assert set(evaluation.ratios(scores, evaluation.score_baselines(DATA, DATA, 5))) == {"bce_to_copy"}
    assert evaluation.calibration_size(Recorded()) == 12
    assert evaluation.calibration_size(DATA) == evaluation.CALIBRATION


def test_a_predictor_of_the_last_frame_only_without_flow():
    class Blurry(nn.Module):
        def update_output(self, input):
            return np.full((1, *input.shape[1:]), 0.5, np.float32)

    scores = evaluation.evaluate(Blurry(), DATA, COUNT, 5)
    assert set(scores) == {"bce"}
    assert scores["bce"]["last"] == pytest.approx(np.log(2)) and scores["bce"]["all"] == scores["bce"]["last"]


def test_sequence_without_motion_or_digit_does_not_break_the_mean():
    blank = MovingMNIST(np.zeros((1, 28, 28), np.uint8), size=(40, 40), n_frames=5)

    class Zero(nn.Module):
        def update_output(self, input):
            self.flow = np.zeros((4, input.shape[1], 2, 40, 40), np.float32)
            return np.full((4, input.shape[1], 1, 40, 40), 0.5, np.float32)

    scores = evaluation.evaluate(Zero(), blank, 3, 2)
    assert scores["bce"]["all"] == pytest.approx(np.log(2))
    assert np.isnan(scores["flow_arriving"]["all"])


def test_digits_that_stand_still():
    """Zero flow has no error then, and nothing can be set in relation to it."""
    still = MovingMNIST(draw_digits(40)[0], size=(40, 40), n_digits=1, speed=0, n_frames=5)

    class Zero(nn.Module):
        def update_output(self, input):
            self.flow = np.zeros((4, input.shape[1], 2, 40, 40), np.float32)
            return np.full((4, input.shape[1], 1, 40, 40), 0.5, np.float32)

    scores = evaluation.evaluate(Zero(), still, 3, 2)
    reference = evaluation.score_baselines(still, still, 3)
    ratios = evaluation.ratios(scores, reference)
    assert ratios["flow_to_zero_arriving"] == ratios["flow_to_zero_leaving"] == {"last": None, "all": None}
    assert ratios["bce_to_copy"]["all"] > 1
    text = evaluation.format_scores("some_model", scores, reference, 5)
    assert len(re.findall(r"model / zero flow +\| +- \| +- \|$", text, re.MULTILINE)) == 2


def test_baselines_are_estimated_for_the_steps_that_they_are_scored_on():
    reference = evaluation.score_baselines(DATA, DATA, COUNT)
    assert set(reference) == {"copy", "copy_per_pixel", "constant"}
    for scores in reference.values():
        assert 0 < scores["last"] < 0.7 and 0 < scores["all"] < 0.7
    assert reference["copy"]["all"] < reference["constant"]["all"]


def test_table_and_ratios():
    scores = {
        "bce": {"last": 0.1, "all": 0.2},
        **{name: {"last": 1.0, "all": 3.0} for name in ("flow_arriving", "flow_leaving")},
        **{name: {"last": 2.0, "all": 4.0} for name in ("zero_arriving", "zero_leaving")},
    }
    reference = {name: {"last": 0.4, "all": 0.5} for name in ("copy", "copy_per_pixel", "constant")}
    ratios = evaluation.ratios(scores, reference)
    assert ratios["bce_to_copy"] == {"last": 0.25, "all": 0.4}
    assert ratios["flow_to_zero_arriving"] == {"last": 0.5, "all": 0.75}
    text = evaluation.format_scores("some_model", scores, reference, 11)
    assert "| frame 11 | all steps |" in text
    assert re.search(r"\| model / calibrated copy +\|   0.2500 \|    0.4000 \|", text)
    assert len(re.findall(r"\| model / zero flow +\|   0.5000 \|    0.7500 \|", text)) == 2
    del scores["flow_arriving"], scores["flow_leaving"], scores["zero_arriving"], scores["zero_leaving"]
    assert "End-point" not in evaluation.format_scores("still", scores, reference, 11)
