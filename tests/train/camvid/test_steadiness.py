"""How steady labels are: what moves with the motion has not changed."""

import numpy as np
import pytest

from nnlite.train.camvid.steadiness import Steadiness, motion_between

HEIGHT, WIDTH = 48, 64


def motion_of(u, v):
    return np.broadcast_to(np.array([u, v], float), (HEIGHT, WIDTH, 2)).copy()


def test_labels_that_move_with_the_motion_are_steady():
    before = np.random.default_rng(0).integers(5, size=(HEIGHT, WIDTH))
    after = np.roll(before, (2, 3), axis=(0, 1))  # down and to the right
    steady, still = Steadiness(), Steadiness()
    steady.add(before, after, motion_of(3.3, 1.8))
    assert steady.share == 0 and steady.counted == (HEIGHT - 2) * (WIDTH - 3)
    still.add(before, after, motion_of(0, 0))
    assert still.share == pytest.approx(0.8, abs=0.05)


def test_what_is_not_counted():
    """What comes from outside, what is hidden, and what is not known; over pairs the pixels add up."""
    before, after = np.zeros((2, HEIGHT, WIDTH), int)
    after[:10] = 1
    motion, visible = motion_of(0, 0), np.ones((HEIGHT, WIDTH), bool)
    motion[:5], visible[5:8] = np.nan, False
    steady = Steadiness()
    assert steady.share is None
    steady.add(before, after, motion, visible)
    assert (steady.changed, steady.counted) == (2 * WIDTH, 40 * WIDTH)
    steady.add(before, before, motion_of(WIDTH, 0))
    steady.add(before, before, motion_of(0, 0))
    assert steady.share == 2 / (40 + HEIGHT)


def test_the_motion_between_frames():
    y, x = np.mgrid[:HEIGHT, :WIDTH]

    def frame(u, v):
        level = 0.5 + 0.2 * np.sin((x - u) / 3) * np.cos((y - v) / 4) + 0.1 * np.sin((x - u + y - v) / 5)
        return np.stack([level] * 3).astype(np.float32)

    after = frame(1.5, -1)
    after[:, 20:30, 40:50] = 1  # something new
    motion = motion_between(frame(0, 0), after)
    middle = motion[8:18, 8:32]
    np.testing.assert_allclose(middle, np.broadcast_to([1.5, -1], middle.shape), atol=0.25)
    assert np.isnan(motion[22:28, 42:48]).mean() > 0.9
