"""The least error of the next frame, beside simulated digits and cases that can be worked out by hand."""

import numpy as np
import pytest

from nnlite.data.drawn_digits import draw_digits
from nnlite.data.moving_mnist import MovingMNIST
from nnlite.train.moving_mnist.bayes_bound import least_errors, next_motion

DIGITS = draw_digits(30, split="test")[0]


def simulated(span, speed, frames, count):
    """Return `count` paths (count, frames, 2) of digits as `MovingMNIST` moves them."""
    rule = MovingMNIST(DIGITS, size=(28 + span, 28 + span), n_digits=1, speed=speed, n_frames=frames)
    rng = np.random.default_rng(5)
    corners = rule._corners(rng.random((count, 1, 2)), rng.random((count, 1)), rng.random((count, 1)))
    return corners[:, :, 0].transpose(1, 0, 2)


@pytest.mark.parametrize("span, speed", [(5, 1.3), (7, 3.6), (9, 0.4), (7, (0, 3.6)), (5, (2, 5))])
@pytest.mark.parametrize("seen", [1, 2, 4])
def test_probabilities_are_those_of_simulated_digits(span, speed, seen):
    """Beside the relative frequencies of what follows on the three most frequent paths, borders included."""
    paths = simulated(span, speed, seen + 1, 400_000)
    codes = paths[:, :seen].reshape(len(paths), -1) @ (span + 1) ** np.arange(2 * seen)  # one for each path
    found, counts = np.unique(codes, return_counts=True)
    slow, fast = np.broadcast_to(speed, 2)
    reach = int(np.ceil(fast))
    for code in found[np.argsort(-counts)[:3]]:
        same = paths[codes == code]
        count = len(same)
        assert count > 500 and (same[:, :seen] == same[0, :seen]).all()
        motion = same[:, seen] - same[:, seen - 1] + reach
        expected = np.zeros((2 * reach + 1, 2 * reach + 1))
        np.add.at(expected, tuple(motion.T), 1 / count)
        found = next_motion(same[0], (span, span), slow, fast)[seen - 1]
        assert found.sum() == pytest.approx(1)
        np.testing.assert_allclose(found, expected, atol=4 * 0.5 / np.sqrt(count))


@pytest.mark.parametrize("corner", [0, 36])
def test_a_digit_set_onto_the_border_turns_round(corner):
    """The far border is a pixel of its own: who is seen there has just been set onto it."""
    path = np.array([[20, 33 if corner else 2], [20, corner], [20, 33 if corner else 3]])
    chances = next_motion(path, (36, 36), 3.6, 3.6)[1]
    inwards = chances[:, 4:].sum() if corner == 0 else chances[:, :5].sum()
    assert inwards == pytest.approx(1, abs=1e-3)


def test_error_of_a_motion_that_is_known():
    """Digits that keep still: all pixels are known, but for the doubt that is kept of everything."""
    data = MovingMNIST(DIGITS, size=(40, 40), n_digits=2, speed=0.0, n_frames=4, split="test")
    assert (least_errors(data, 5) < 1e-6).all()


def test_error_falls_with_the_frames_seen():
    data = MovingMNIST(DIGITS, size=(64, 64), n_digits=1, speed=3.6, n_frames=11, split="test")
    found = least_errors(data, 40)
    assert found.shape == (10,) and (np.diff(found[::3]) < 0).all()
    assert found[0] > 5 * found[-1] > 0


def test_error_of_a_first_step_by_hand():
    """Of one frame all directions are left: what follows is the mean over the circle."""
    data = MovingMNIST(DIGITS, size=(64, 64), n_digits=1, speed=3.6, n_frames=2, split="test")
    index = next(i for i in range(100) if ((c := data.batch([i]).corners) > 8).all() and (c < 28).all())

    class Only(MovingMNIST):
        def batch(self, indices):
            return super().batch([index])

    sequence = data.batch([index])
    shape, (y, x) = sequence.digits[0, 0], sequence.corners[0, 0, 0]
    rng = np.random.default_rng(0)
    turn, place = 2 * np.pi * rng.random(20_000), rng.random((2, 20_000))
    lit = np.zeros((64, 64))
    for dy, dx in np.floor(place + 3.6 * np.stack([np.sin(turn), np.cos(turn)])).astype(int).T:
        lit[y + dy : y + dy + 28, x + dx : x + dx + 28] += shape / 20_000
    truth = sequence.frames[1, 0, 0] > 0
    expected = -np.log(np.where(truth, lit, 1 - lit)).mean()
    found = least_errors(Only(DIGITS, size=(64, 64), n_digits=1, speed=3.6, n_frames=2, split="test"), 1)
    assert found[0] == pytest.approx(expected, rel=0.02)


def test_impossible_paths(monkeypatch):
    monkeypatch.setattr("nnlite.train.moving_mnist.bayes_bound.DENSEST", 4096)
    with pytest.raises(ValueError, match=r"no digit moves like this at 2 pixels a frame: \[\[5, 5\], "):
        next_motion(np.array([[5, 5], [9, 5], [9, 5]]), (36, 36), 2.0, 2.0)
    with pytest.raises(ValueError, match=r"no digit moves like this at 1 to 2 pixels a frame"):
        next_motion(np.array([[5, 5], [9, 5], [9, 5]]), (36, 36), 1.0, 2.0)


def test_unknown_positions_or_values():
    assert least_errors(MovingMNIST(DIGITS, grey=True), 2) is None
    assert least_errors([1, 2, 3], 2) is None
