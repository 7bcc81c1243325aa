"""Baselines: transition counts, and the cross-entropies that follow from them."""

import numpy as np
import pytest

from nnlite.train.moving_mnist.baselines import best_constant, copy_last_frame, count_transitions


@pytest.fixture
def frames():
    return (np.random.default_rng(0).random((4, 50, 1, 3, 5)) < 0.3).astype(np.float32)


def test_counts(frames):
    counts = count_transitions(frames)
    assert counts.shape == (3, 2, 2, 3, 5) and (counts.sum(axis=(1, 2)) == 50).all()
    expected = sum(int(frames[1, n, 0, 2, 4] == 1 and frames[2, n, 0, 2, 4] == 0) for n in range(50))
    assert counts[1, 1, 0, 2, 4] == expected > 0


def cross_entropy(p, frames):
    return -np.mean(np.where(frames > 0, np.log(p), np.log(1 - p)))


def test_calibrated_copy_is_the_cross_entropy_of_its_probabilities(frames):
    train, test = frames[:, :30], frames[:, 30:]
    counts = count_transitions(train).sum(axis=0), count_transitions(test).sum(axis=0)
    before, after = train[:-1], train[1:]
    p = [(after[before == value].sum() + 0.5) / ((before == value).sum() + 1) for value in (0, 1)]
    expected = cross_entropy(np.where(test[:-1] > 0, p[1], p[0]), test[1:])
    assert copy_last_frame(*counts) == pytest.approx(expected, rel=1e-6)

    share = (after.sum() + 0.5 * 2) / (after.size + 2)
    assert best_constant(*counts) == pytest.approx(cross_entropy(share, test[1:]), rel=1e-3)


def test_grey_frames():
    """Targets count as much as they are lit, what is copied counts as lit above one half."""
    frames = np.random.default_rng(1).random((3, 40, 1, 3, 5)).astype(np.float32)
    counts = count_transitions(frames).sum(axis=0)
    before, after = frames[:-1] > 0.5, frames[1:]
    p = [(after[before == value].sum() + 0.5) / ((before == value).sum() + 1) for value in (0, 1)]
    p = np.where(before, p[1], p[0])
    expected = -np.mean(after * np.log(p) + (1 - after) * np.log(1 - p))
    assert copy_last_frame(counts, counts) == pytest.approx(expected, rel=1e-5)


def test_copy_at_each_position(frames):
    """A pixel that always flips is predicted when positions count, and not when all are pooled."""
    for t in range(4):
        frames[t, :, 0, 1, 1] = t % 2
    counts = count_transitions(frames).sum(axis=0)
    assert copy_last_frame(counts, counts, per_pixel=True) < copy_last_frame(counts, counts) - 0.01


def test_what_never_happened_in_training_is_not_impossible():
    still, flip = np.zeros((2, 10, 1, 2, 2)), np.zeros((2, 10, 1, 2, 2))
    flip[1] = 1
    counts = count_transitions(still)[0], count_transitions(flip)[0]
    assert 3 < copy_last_frame(*counts) < 5 and np.isfinite(best_constant(*counts))


def test_perfect_copy():
    frames = np.ones((2, 1000, 1, 4, 4))
    frames[:, :500] = 0
    counts = count_transitions(frames)[0]
    assert copy_last_frame(counts, counts) < 1e-3
    assert best_constant(counts, counts) == pytest.approx(np.log(2), rel=1e-6)
