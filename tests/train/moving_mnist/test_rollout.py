"""Predictions fed back: by models with and without memory, and the baselines beside them."""

import numpy as np
import pytest

import nnlite as nn
from nnlite import models
from nnlite.data.drawn_digits import draw_digits
from nnlite.data.moving_mnist import MovingMNIST
from nnlite.models.feedback import roll_out
from nnlite.train.moving_mnist import rollout

DATA = MovingMNIST(draw_digits(30)[0], size=(32, 32), n_digits=1, n_frames=9)
SMALL = {"height": 32, "width": 32, "n_features": 3, "n_memory": 4, "kernel": 3}


def lively(name, **options):
    """Return a small model that does not predict the same grey everywhere."""
    model = models.build(name, **SMALL, **options)
    for _, weight, _ in model.named_parameters():
        weight *= 3
    return model


@pytest.mark.parametrize(
    "name, options",
    [
        ("ae_fclstm", {}),
        ("ae_convlstm", {}),
        ("ae_convlstm", {"untied": True}),
        ("ae_convlstm_flow", {"flow_kernel": 3}),
    ],
)
def test_a_memory_goes_on_as_if_it_had_seen_the_whole_sequence(name, options):
    model = lively(name, **options)
    frames = DATA.batch(range(2)).frames[:5]
    found = roll_out(model, frames, 3)
    assert found.shape == (3, 2, 1, 32, 32)
    seen = frames
    model.evaluate()
    for step in range(3):
        expected = model.forward(seen)[-1:]
        np.testing.assert_allclose(found[step : step + 1], expected, atol=1e-5)
        seen = np.concatenate([seen, expected])
    assert found[2].std() > 0.01  # else it would not matter what was fed back
    model.training()
    assert len(model.forward(frames)) == 5  # and forgets, as before
    np.testing.assert_allclose(model.forward(frames)[-1:], found[:1], atol=1e-5)


def test_without_memory_the_window_moves():
    model = lively("ae_conv", n_frames=4)
    frames = DATA.batch(range(3)).frames[:4]
    found = roll_out(model, frames, 3)
    seen = frames
    for step in range(3):
        expected = model.forward(seen[-4:])
        np.testing.assert_array_equal(found[step], expected[0])
        seen = np.concatenate([seen, expected])
    np.testing.assert_array_equal(frames, DATA.batch(range(3)).frames[:4])


class Still(nn.Module):
    """Predicts with `probability` that every pixel stays what it is; remembers nothing."""

    def __init__(self, probability):
        super().__init__()
        self.probability = probability

    def update_output(self, input):
        last = input[-1:]
        self.output = last * self.probability + (1 - last) * (1 - self.probability)
        return self.output.astype(np.float32)


def test_errors_of_each_step():
    count, seen, steps = 25, 5, 4  # more than one batch
    found = rollout.errors({"still": Still(0.8)}, DATA, seen, steps, count)["still"]
    frames = DATA.batch(range(count)).frames
    p = 1.0
    for k in range(steps):
        p = 0.8 * p + 0.2 * (1 - p)  # the probability that a pixel has not changed, fed back
        kept = (frames[seen - 1] == frames[seen + k]).mean()
        assert found[k] == pytest.approx(-kept * np.log(p) - (1 - kept) * np.log(1 - p), rel=1e-5)


def test_baselines_of_each_step():
    test = MovingMNIST(draw_digits(30, split="test")[0], size=(32, 32), n_digits=1, n_frames=9, split="test")
    found = rollout.baseline_errors(DATA, test, 5, 4, 150, 120)
    learned, scored = DATA.batch(range(150)).frames, test.batch(range(120)).frames
    for k in range(4):
        before, after = learned[4] > 0, learned[5 + k] > 0
        p = [after[before == value].mean() for value in (False, True)]
        p = np.where(scored[4] > 0, p[1], p[0])
        expected = -np.mean(np.where(scored[5 + k] > 0, np.log(p), np.log(1 - p)))
        assert found["copy"][k] == pytest.approx(expected, rel=1e-3)
    assert found["copy"][0] < found["copy"][1] < found["constant"][1]


def test_pictures(tmp_path):
    frames = DATA.batch([0]).frames[:, 0, 0]
    rollout.draw_frames(tmp_path / "frames.png", frames, {"a": frames[7:], "b": frames[7:]}, 7)
    rollout.draw_frames(tmp_path / "short.png", frames[:2], {"a": frames[1:2]}, 1)
    for name in ("frames.png", "short.png"):
        assert (tmp_path / name).stat().st_size > 1000
