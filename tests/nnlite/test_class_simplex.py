"""Classes as the corners of a simplex."""

import numpy as np
import pytest

import nnlite as nn
from nnlite.gradcheck import check_criterion, worst

X, LABELS = np.random.default_rng(1).standard_normal((3, 4)), np.array([3, 0, 2])


@pytest.mark.parametrize("n", [2, 3, 7])
def test_corners_have_length_one_and_equal_angles(n):
    simplex = nn.ClassSimplexCriterion(n).simplex
    np.testing.assert_allclose(simplex @ simplex.T, (np.eye(n) * n - 1) / (n - 1), atol=1e-12)
    assert not simplex[:, -1].any() and simplex[0, 0] == 1


def test_loss_gradient_and_prediction():
    criterion = nn.ClassSimplexCriterion(4)
    corners = criterion.simplex[LABELS]
    assert criterion.forward(X, LABELS) == pytest.approx(((X - corners) ** 2).mean())
    np.testing.assert_allclose(criterion.backward(X, LABELS), 2 * (X - corners) / 12)
    assert criterion.forward(X[0], 3) == pytest.approx(((X[0] - corners[0]) ** 2).mean())
    assert worst(check_criterion(criterion, X.copy(), LABELS)).error < 1e-6
    assert nn.ClassSimplexCriterion(4, False).forward(X, LABELS) == pytest.approx(((X - corners) ** 2).sum())
    np.testing.assert_array_equal(criterion.get_top_prediction(corners), LABELS)
    np.testing.assert_allclose(criterion.get_predictions(X), X @ criterion.simplex.T)
    single = X.astype(np.float32)
    assert criterion.backward(single, LABELS).dtype == np.float32


@pytest.mark.parametrize(
    "x, t, message",
    [
        (X, LABELS + 1, r"label 4 is not in 0\.\.3"),
        (X[:, :3], LABELS, r"input must have shape \(N, 4\) or \(4,\), got \(3, 3\)"),
        (X, LABELS[:2], r"target must have shape \(3,\), got \(2,\)"),
    ],
)
def test_bad_input(x, t, message):
    with pytest.raises(ValueError, match=rf"nn\.ClassSimplexCriterion: {message}"):
        nn.ClassSimplexCriterion(4).forward(x, t)
    with pytest.raises(ValueError, match="n_classes must be an integer >= 2, got 1"):
        nn.ClassSimplexCriterion(1)
