"""Criteria of class labels: what is ignored does not count, and a single vector takes one label."""

import numpy as np
import pytest

import nnlite as nn

RNG = np.random.default_rng(0)
X = RNG.standard_normal((6, 5))
LABELS = np.array([0, 4, -1, 2, 2, 3])
WEIGHTS = np.array([0.5, 1.0, 0.0, 2.0, 4.0])
MAPS = RNG.standard_normal((2, 5, 3, 4))


@pytest.mark.parametrize("size_average", [True, False])
def test_nothing_counts_when_all_is_ignored(size_average):
    criterion = nn.ClassNLLCriterion(size_average=size_average)
    none = np.full(6, -1)
    assert criterion.forward(X, none) == 0 and criterion.total_weight == 0
    np.testing.assert_array_equal(criterion.backward(X, none), 0)
    weightless = nn.SpatialClassNLLCriterion(np.zeros(5), size_average)
    assert weightless.forward(MAPS, np.zeros((2, 3, 4), int)) == 0
    np.testing.assert_array_equal(weightless.backward(MAPS, np.zeros((2, 3, 4), int)), 0)


def test_ignored_positions_do_not_count():
    kept = LABELS >= 0
    criterion, rest = nn.ClassNLLCriterion(WEIGHTS), nn.ClassNLLCriterion(WEIGHTS)
    hopeless = X.copy()
    hopeless[~kept] = -np.inf
    assert criterion.forward(hopeless, LABELS) == pytest.approx(rest.forward(X[kept], LABELS[kept]))
    grad = criterion.backward(hopeless, LABELS)
    np.testing.assert_array_equal(grad[kept], rest.backward(X[kept], LABELS[kept]))
    np.testing.assert_array_equal(grad[~kept], 0)
    other = nn.ClassNLLCriterion(WEIGHTS, ignore_index=255)
    byte_labels = LABELS.astype(np.uint8)  # -1 becomes 255
    assert other.forward(X, byte_labels) == pytest.approx(rest.output)


@pytest.mark.parametrize("target", [3, np.int64(3), np.array(3), np.array([3])], ids=repr)
def test_single_vector_takes_one_label(target):
    for cls in (nn.ClassNLLCriterion, nn.CrossEntropyCriterion):
        criterion, batch = cls(), cls()
        assert criterion.forward(X[0], target) == pytest.approx(batch.forward(X[:1], np.array([3])))
        np.testing.assert_allclose(criterion.backward(X[0], target), batch.backward(X[:1], np.array([3]))[0])
