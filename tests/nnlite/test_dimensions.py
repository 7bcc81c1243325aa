"""Reductions of a dimension, and layers that add, drop, lengthen or cut one."""

import numpy as np
import pytest

import nnlite as nn
from tests.layer_checks import assert_float32_agrees, assert_gradients, assert_inputs_left_alone, run

X = np.random.default_rng(1).standard_normal((2, 3, 4))
ONES = np.random.default_rng(2).standard_normal((1, 3, 1, 2))


def rows(x):
    """Return the rows of a matrix as lists."""
    return [list(row) for row in x]


#: Layer, input, and what comes out, computed without the operation in question.
CASES = {
    "Sum": (lambda: nn.Sum(1), X, X[:, 0] + X[:, 1] + X[:, 2]),
    "Sum by default": (nn.Sum, X, X[0] + X[1]),
    "Sum of a vector": (nn.Sum, X[0, 0], np.array([sum(X[0, 0])])),
    "Sum of a batch": (lambda: nn.Sum(0, 2), X, X[:, 0] + X[:, 1] + X[:, 2]),
    "Sum from the end of a batch": (lambda: nn.Sum(-2, 2), X, X[:, 0] + X[:, 1] + X[:, 2]),
    "Sum, mean": (lambda: nn.Sum(0, None, True), X, (X[0] + X[1]) / 2),
    "Sum, not squeezed": (lambda: nn.Sum(0, squeeze=False), X, (X[0] + X[1])[None]),
    "Mean": (lambda: nn.Mean(2), X, sum(X[:, :, i] for i in range(4)) / 4),
    "Mean of a vector": (nn.Mean, X[0, 0], np.array([sum(X[0, 0]) / 4])),
    "Max": (lambda: nn.Max(2), X, np.array([[max(row) for row in rows(x)] for x in X])),
    "Max of a vector": (nn.Max, X[0, 0], np.array([max(X[0, 0])])),
    "Max of a batch": (lambda: nn.Max(1, 2), X, np.array([[max(row) for row in rows(x)] for x in X])),
    "Min": (lambda: nn.Min(-1), X, np.array([[min(row) for row in rows(x)] for x in X])),
    "Replicate": (lambda: nn.Replicate(3), X, np.array([X, X, X])),
    "Replicate at 2": (lambda: nn.Replicate(2, 2), X, np.array([[rows([r, r]) for r in x] for x in X])),
    "Replicate in a batch": (lambda: nn.Replicate(2, 0, 2), X, np.array([[x, x] for x in X])),
    "Replicate no batch": (lambda: nn.Replicate(2, 0, 3), X, np.array([X, X])),
    "Squeeze": (nn.Squeeze, ONES, ONES.ravel().reshape(3, 2)),
    "Squeeze one": (lambda: nn.Squeeze(2), ONES, ONES[:, :, 0]),
    "Squeeze one that is not 1": (lambda: nn.Squeeze(1), ONES, ONES),
    "Squeeze in a batch": (lambda: nn.Squeeze(1, 3), ONES, ONES[:, :, 0]),
    "Squeeze keeps a batch of one": (lambda: nn.Squeeze(None, 3), ONES, ONES.ravel().reshape(1, 3, 2)),
    "Squeeze no batch": (lambda: nn.Squeeze(None, 4), ONES, ONES.ravel().reshape(3, 2)),
    "Squeeze a single number": (nn.Squeeze, ONES[:, :1, :, :1], ONES[0, 0, 0, :1]),
    "Squeeze a vector of one": (lambda: nn.Squeeze(0), X[0, 0, :1], X[0, 0, :1]),
    "Unsqueeze": (lambda: nn.Unsqueeze(1), X, X[:, None]),
    "Unsqueeze at the end": (lambda: nn.Unsqueeze(3), X, X[..., None]),
    "Unsqueeze in a batch": (lambda: nn.Unsqueeze(0, 2), X, X[:, None]),
    "Padding after": (lambda: nn.Padding(0, 1), X[0], np.vstack([X[0], np.zeros((1, 4))])),
    "Padding before": (lambda: nn.Padding(0, -2, None, 7), X[0], np.vstack([np.full((2, 4), 7), X[0]])),
    "Padding after the first": (
        lambda: nn.Padding(0, -1, None, 0, 1),
        X[0],
        np.vstack([X[0][:1], np.zeros((1, 4)), X[0][1:]]),
    ),
    "Padding before the last": (
        lambda: nn.Padding(0, 1, None, 0, 1),
        X[0],
        np.vstack([X[0][:2], np.zeros((1, 4)), X[0][2:]]),
    ),
    "Padding in a batch": (lambda: nn.Padding(0, 1, 1), X[0], np.hstack([X[0], np.zeros((3, 1))])),
    "Narrow": (lambda: nn.Narrow(1, 1, 2), X, X[:, [1, 2]]),
    "Narrow by default": (lambda: nn.Narrow(1, 1), X, X[:, [1]]),
    "Narrow to the end": (lambda: nn.Narrow(2, 1, -1), X, X[:, :, [1, 2, 3]]),
    "Narrow to the last but one": (lambda: nn.Narrow(-1, 1, -2), X, X[:, :, [1, 2]]),
    "Narrow from the end": (lambda: nn.Narrow(2, -2, 2), X, X[:, :, [2, 3]]),
    "Select": (lambda: nn.Select(1, 2), X, X[:, 2]),
    "Select from the end": (lambda: nn.Select(-1, -1), X, X[:, :, 3]),
    "Select of a vector": (lambda: nn.Select(0, 1), X[0, 0], X[0, 0, 1:2]),
}


@pytest.mark.parametrize("case", CASES)
def test_definition(case):
    build, x, want = CASES[case]
    got = build().double().forward(x)
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=1e-14)


@pytest.mark.parametrize("case", CASES)
def test_gradients_dtypes_and_ownership(case):
    build, x, _ = CASES[case]
    assert_gradients(build(), x.copy())
    assert_float32_agrees(build(), x)
    assert_inputs_left_alone(build(), x.copy())


def test_equal_entries_and_nan():
    x = np.array([[1.0, 5, 5], [2, 2, 2], [3, np.nan, 4]])
    for layer, y, first_row in (
        (nn.Max(1), [5, 2, np.nan], [0, 1, 0]),
        (nn.Min(1), [1, 2, np.nan], [1, 0, 0]),
    ):
        got, grad = run(layer, x, np.array([1.0, 2, 3]))
        np.testing.assert_array_equal(got, y)
        np.testing.assert_array_equal(grad, [first_row, [2, 0, 0], [0, 3, 0]])


@pytest.mark.parametrize(
    "layer, x, message",
    [
        (nn.Sum(3), X, r"nn\.Sum: no dimension 3 in an input of shape \(2, 3, 4\)"),
        (nn.Max(-4), X, r"nn\.Max: no dimension -4"),
        (nn.Replicate(2, 4), X, r"nn\.Replicate: no place 4 for a dimension"),
        (nn.Squeeze(3), X, r"nn\.Squeeze: no dimension 3"),
        (nn.Unsqueeze(4), X, r"nn\.Unsqueeze: no place 4 for a dimension"),
        (nn.Unsqueeze(0, 4), X, r"nn\.Unsqueeze: no place 0 .* num_input_dims = 4"),
        (nn.Padding(3, 1), X, r"nn\.Padding: no dimension 3"),
        (nn.Padding(0, 1, None, 0, 3), X, r"index must be in 0\.\.2 for input of shape \(2, 3, 4\), got 3"),
        (nn.Narrow(1, 2, 2), X, r"nn\.Narrow: no 2 entries from 2 on in dimension 1"),
        (nn.Narrow(1, -4), X, r"nn\.Narrow: no 1 entries from -4"),
        (nn.Select(1, 3), X, r"nn\.Select: no entry 3 in dimension 1"),
    ],
)
def test_bad_input(layer, x, message):
    with pytest.raises(ValueError, match=message):
        layer.double().forward(x)


@pytest.mark.parametrize(
    "build, message",
    [
        (lambda: nn.Replicate(0), "nf must be an integer >= 1, got 0"),
        (lambda: nn.Replicate(2, -1), "dim must be at least 0, got -1"),
        (lambda: nn.Squeeze(-1), "dim must be at least 0, got -1"),
        (lambda: nn.Unsqueeze(-1), "pos must be at least 0, got -1"),
    ],
)
def test_bad_arguments(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_input_dims_can_be_set():
    assert nn.Squeeze().set_num_input_dims(3).double().forward(ONES).shape == (1, 3, 2)
    assert nn.Unsqueeze(0).set_num_input_dims(2).double().forward(X).shape == (2, 1, 3, 4)
    assert repr(nn.Squeeze(1)) == "nn.Squeeze(dim 1)" and repr(nn.Squeeze()) == "nn.Squeeze"
    assert repr(nn.Unsqueeze(1)) == "nn.Unsqueeze(dim 1)"


# ---- borders made of the maps ------------------------------------------------------------------------


@pytest.mark.parametrize("single", [False, True], ids=["batch", "single"])
@pytest.mark.parametrize(
    "cls, mode", [(nn.SpatialReplicationPadding, "edge"), (nn.SpatialReflectionPadding, "reflect")]
)
def test_borders(cls, mode, single):
    x = np.random.default_rng(3).standard_normal((2, 2, 4, 5))
    x = x[0] if single else x
    widths = [(0, 0)] * (x.ndim - 2) + [(3, 0), (1, 2)]
    layer = cls(1, 2, 3, 0)
    np.testing.assert_array_equal(layer.double().forward(x), np.pad(x, widths, mode=mode))
    cropped = cls(-1, 2, -2, 1).double().forward(x)
    inner = np.pad(x[..., 2:, 1:], [(0, 0)] * (x.ndim - 2) + [(0, 1), (0, 2)], mode=mode)
    np.testing.assert_array_equal(cropped, inner)
    assert cls(2).double().forward(x).shape[-2:] == (8, 9)
    assert_gradients(layer, x.copy())
    assert_float32_agrees(layer, x)
    assert_inputs_left_alone(layer, x)
    assert repr(layer) == f"nn.{cls.__name__}(l=1, r=2, t=3, b=0)"


def test_borders_that_do_not_fit():
    x = np.zeros((1, 3, 4))
    with pytest.raises(ValueError, match="cropping leaves nothing of an input of shape"):
        nn.SpatialReplicationPadding(-2).double().forward(x)
    with pytest.raises(ValueError, match="input must be larger than the border, got shape"):
        nn.SpatialReflectionPadding(3).double().forward(x)
    with pytest.raises(ValueError, match="input must have 3 or 4 dimensions"):
        nn.SpatialReflectionPadding(1).double().forward(x[0])
