"""Cases of `nnlite/criterion.py` and `nnlite/class_criterion.py`."""

import numpy as np

import nnlite as nn

from .inputs import criterion, noise, spread


def cases():
    """Return (label, function) pairs."""
    rng = np.random.default_rng(3)
    x, y = noise(3, 4), noise(3, 4, seed=2)
    apart = spread(3, 4, gap=0.3)  # differences that keep off the kinks at 0 and ±1
    zero = np.zeros((3, 4))
    p, soft = rng.uniform(0.1, 0.9, (3, 4)), rng.uniform(0, 1, (3, 4))
    weights, labels, one = np.array([0.5, 1.0, 2.0, 4.0]), np.array([3, 0, 3]), np.array([2])
    maps, pixels = noise(2, 4, 3, 2), rng.integers(-1, 4, (2, 3, 2))
    steps, goals = noise(5, 3, 4), noise(5, 3, 4, seed=2)
    return [
        criterion("MSECriterion", nn.MSECriterion, x, y),
        criterion("MSECriterion sum", lambda: nn.MSECriterion(False), x, y),
        criterion("AbsCriterion", nn.AbsCriterion, apart, zero),
        criterion("SmoothL1Criterion", nn.SmoothL1Criterion, apart, zero),
        criterion("CharbonnierCriterion", nn.CharbonnierCriterion, x, y),
        criterion("CharbonnierCriterion sum", lambda: nn.CharbonnierCriterion(False, 0.5), x, y),
        criterion("BCECriterion", nn.BCECriterion, p, (soft > 0.5).astype(float)),
        criterion("BCECriterion soft targets", lambda: nn.BCECriterion(None, False), p, soft),
        criterion("BCECriterion weights", lambda: nn.BCECriterion(weights), p, soft),
        criterion("ClassNLLCriterion", nn.ClassNLLCriterion, x, labels),
        criterion("ClassNLLCriterion weights", lambda: nn.ClassNLLCriterion(weights), x, labels),
        criterion("ClassNLLCriterion single", lambda: nn.ClassNLLCriterion(weights, False), x[0], one),
        criterion("CrossEntropyCriterion", nn.CrossEntropyCriterion, x, labels),
        criterion("CrossEntropyCriterion weights", lambda: nn.CrossEntropyCriterion(weights), x, labels),
        criterion("SpatialClassNLLCriterion", lambda: nn.SpatialClassNLLCriterion(weights), maps, pixels),
        criterion("SequencerCriterion", lambda: nn.SequencerCriterion(nn.MSECriterion()), steps, goals),
        criterion("SequencerCriterion of a list", _mean_steps, [x, y], [labels, labels]),
    ]


def _mean_steps():
    return nn.SequencerCriterion(nn.CrossEntropyCriterion(), True)
