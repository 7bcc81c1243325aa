"""Errors of the next frame by the number of frames seen."""

import numpy as np
import pytest

from nnlite import models
from nnlite.data.drawn_digits import draw_digits
from nnlite.data.moving_mnist import MovingMNIST
from nnlite.train.moving_mnist import evaluation, frames_seen
from nnlite.train.moving_mnist.bayes_bound import least_errors

DATA = MovingMNIST(draw_digits(30)[0], size=(32, 32), n_digits=1, n_frames=6)
SMALL = {"height": 32, "width": 32, "n_features": 3, "n_memory": 4, "kernel": 3}


def test_errors_are_of_each_step():
    """More sequences than go at once; AE-Conv predicts the last frame only."""
    convolutional = {"height": 32, "width": 32, "n_frames": 5}
    trained = {"conv": models.build("ae_conv", **convolutional), "lstm": models.build("ae_convlstm", **SMALL)}
    count = frames_seen.BATCH + 5
    found = frames_seen.errors(trained, DATA, count)
    frames = DATA.batch(range(count)).frames
    for name, model in trained.items():
        p = model.forward(frames[:-1])
        truth = frames[len(frames) - len(p) :]
        expected = -np.log(np.where(truth > 0, p, 1 - p)).mean(axis=(1, 2, 3, 4))
        np.testing.assert_allclose(found[name], expected, rtol=1e-4)
    assert len(found["conv"]) == 1 and len(found["lstm"]) == 5


def test_references_have_the_mean_of_the_table():
    """To a few percent: there they are calibrated on all steps together, here on each one."""
    test = MovingMNIST(draw_digits(30, split="test")[0], size=(32, 32), n_digits=1, n_frames=6, split="test")
    counts = (
        evaluation.transition_counts(DATA, evaluation.CALIBRATION),
        evaluation.transition_counts(test, 20),
    )
    found = frames_seen.reference_errors(*counts, test, 20)
    table = evaluation.score_baselines(DATA, test, 20)
    assert {len(values) for values in found.values()} == {5}
    for name in ("copy", "constant"):
        assert np.mean(found[name]) == pytest.approx(table[name]["all"], rel=0.05)
        assert found[name][-1] == pytest.approx(table[name]["last"])
    np.testing.assert_array_equal(found["least"], least_errors(test, 20))
    assert (np.array(found["least"]) < found["copy"]).all()
    grey = MovingMNIST(draw_digits(30)[0], size=(32, 32), n_digits=1, n_frames=6, grey=True)
    assert "least" not in frames_seen.reference_errors(*counts, grey, 20)
