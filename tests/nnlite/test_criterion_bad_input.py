"""Criteria name what is wrong: shapes, dtypes, values outside the domain, weights, a missing forward pass."""

import numpy as np
import pytest

import nnlite as nn

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((2, 6, 5))
P, T = RNG.uniform(0.05, 0.95, (2, 6, 5))
LABELS = np.array([0, 4, -1, 2, 2, 3])
WEIGHTS = np.array([0.5, 1.0, 0.0, 2.0, 4.0])
MAPS, PIXELS = RNG.standard_normal((2, 5, 3, 4)), RNG.integers(-1, 5, (2, 3, 4))


@pytest.mark.parametrize(
    "criterion, x, t, error, message",
    [
        (nn.MSECriterion(), X, Y[:5], ValueError, r"nn\.MSECriterion: target must have shape \(6, 5\), got"),
        (
            nn.MSECriterion(),
            X,
            Y.astype(np.float32),
            TypeError,
            "must be float64 like the input, got float32",
        ),
        (nn.AbsCriterion(), X, 0.0, TypeError, r"nn\.AbsCriterion: target must be an array, got float"),
        (nn.AbsCriterion(), [1.0], Y, TypeError, "input must be an array, got list"),
        (nn.SmoothL1Criterion(), LABELS, LABELS, TypeError, "must be float32 or float64, got int64"),
        (nn.SmoothL1Criterion(), X[:0], Y[:0], ValueError, "must not be empty"),
        (nn.CharbonnierCriterion(), X, Y[:5], ValueError, r"Charbonnier.*: target must have shape \(6, 5\)"),
        (nn.BCECriterion(), P + 1, T, ValueError, r"nn\.BCECriterion: input must be in \[0, 1\], got 1\."),
        (nn.BCECriterion(), -P, T, ValueError, r"must be in \[0, 1\], got -0\."),
        (nn.BCECriterion(), np.where(P > 0.5, np.nan, P), T, ValueError, r"must be in \[0, 1\], got nan"),
        (nn.BCECriterion(WEIGHTS[:4]), P, T, ValueError, r"weights of shape \(4,\) do not broadcast"),
        (nn.ClassNLLCriterion(), X, LABELS + 1, ValueError, r"label 5 is neither in 0\.\.4 nor ignore_index"),
        (nn.ClassNLLCriterion(), X, LABELS - 1, ValueError, r"nn\.ClassNLLCriterion: label -2 is neither"),
        (nn.ClassNLLCriterion(ignore_index=0), X, LABELS, ValueError, r"label -1 .* ignore_index \(0\)"),
        (nn.ClassNLLCriterion(), X, LABELS * 1.0, TypeError, "must hold integer labels, got float64"),
        (nn.ClassNLLCriterion(), X, LABELS[:5], ValueError, r"target must have shape \(6,\), got \(5,\)"),
        (nn.ClassNLLCriterion(), X[0], LABELS, ValueError, r"target must have shape \(\), got \(6,\)"),
        (nn.ClassNLLCriterion(), MAPS, PIXELS, ValueError, "must have 1 or 2 dimensions"),
        (nn.ClassNLLCriterion(WEIGHTS[:3]), X, LABELS, ValueError, "3 weights, but 5 classes"),
        (nn.SpatialClassNLLCriterion(), X, LABELS, ValueError, "input must have 3 or 4 dimensions"),
        (nn.SpatialClassNLLCriterion(), MAPS, PIXELS[0], ValueError, r"must have shape \(2, 3, 4\)"),
        (nn.SpatialClassNLLCriterion(), MAPS, PIXELS + 3, ValueError, r"label \d is neither in 0\.\.4"),
        (nn.CrossEntropyCriterion(), X.tolist(), LABELS, TypeError, "input must be an array, got list"),
        (nn.CrossEntropyCriterion(), X, LABELS + 1, ValueError, r"nn\.CrossEntropyCriterion: label 5"),
        (nn.SequencerCriterion(nn.MSECriterion()), X, Y[:5], ValueError, "6 steps of input, 5 of target"),
        (nn.SequencerCriterion(nn.MSECriterion()), [], [], ValueError, "0 steps of input"),
    ],
)
def test_bad_input(criterion, x, t, error, message):
    with pytest.raises(error, match=message):
        criterion.forward(x, t)


@pytest.mark.parametrize("wrong, hint", [(np.nan, ""), (-0.5, ""), (2.0, "; divide pixels of 8 bits by 255")])
def test_binary_targets_that_are_no_probabilities(wrong, hint):
    target, criterion = T.copy(), nn.BCECriterion()
    target.flat[-1] = wrong
    for call in (criterion.forward, criterion.backward):
        with pytest.raises(ValueError, match=rf"target must be in \[0, 1\], got {wrong}{hint}$"):
            call(P, target)
    with pytest.raises(ValueError, match=r"nn\.BCECriterion: input must be in \[0, 1\], got 1\.5$"):
        criterion.backward(np.full_like(P, 1.5), T)


@pytest.mark.parametrize("weights", [-WEIGHTS, WEIGHTS[None], np.full(5, np.nan)])
def test_bad_weights(weights):
    with pytest.raises(ValueError, match=r"nn\.ClassNLLCriterion: weights must be a vector of numbers >= 0"):
        nn.ClassNLLCriterion(weights)


def test_sequence_backward_before_forward():
    with pytest.raises(RuntimeError, match="call forward with these 6 steps before backward"):
        nn.SequencerCriterion(nn.MSECriterion()).backward(X, Y)


@pytest.mark.parametrize("epsilon", [0, -1e-3, np.nan])
def test_charbonnier_refuses_a_width_of_zero(epsilon):
    with pytest.raises(ValueError, match=r"nn\.CharbonnierCriterion: epsilon must be above 0, got"):
        nn.CharbonnierCriterion(epsilon=epsilon)
