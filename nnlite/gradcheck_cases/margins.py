"""Cases of `nnlite/elementwise_`, `margin_` and `embedding_criterion.py`, and of `criterion_table.py`."""

import numpy as np

import nnlite as nn

from .inputs import criterion, noise, spread


def cases():
    """Return (label, function) pairs."""
    rng = np.random.default_rng(5)
    x, y = noise(3, 4), noise(3, 4, seed=2)
    signs, some = np.sign(noise(3, 4, seed=3)), (y > 0).astype(float)
    p, weights = rng.dirichlet(np.ones(4), 3), np.array([0.5, 1.0, 2.0, 4.0])
    p[0, 1] = 0  # what has no probability counts for nothing
    labels, sets = np.array([3, 0, 2]), np.array([[2, 0, -1, 1], [1, 1, 3, -1], [-1, 0, 0, 0]])
    apart, similar, distances = spread(3, 4, gap=0.23), np.array([1.0, -1, 1]), np.abs(x)
    return [
        criterion("WeightedMSECriterion", lambda: nn.WeightedMSECriterion(np.abs(y)), x, y),
        criterion("WeightedMSECriterion of a batch", lambda: nn.WeightedMSECriterion(weights), x, y),
        criterion("DistKLDivCriterion", nn.DistKLDivCriterion, x, p),
        criterion("MarginCriterion", lambda: nn.MarginCriterion(0.7), apart, signs),
        criterion("SoftMarginCriterion", nn.SoftMarginCriterion, x, signs),
        criterion("MultiLabelSoftMarginCriterion", nn.MultiLabelSoftMarginCriterion, x, some),
        criterion(
            "MultiLabelSoftMarginCriterion weights",
            lambda: nn.MultiLabelSoftMarginCriterion(weights),
            x,
            some,
        ),
        criterion("ClassSimplexCriterion", lambda: nn.ClassSimplexCriterion(4), x, labels),
        criterion("ClassSimplexCriterion single", lambda: nn.ClassSimplexCriterion(4), x[0], 2),
        criterion("L1Cost", nn.L1Cost, apart, None),
        criterion("MultiMarginCriterion", nn.MultiMarginCriterion, apart, labels),
        criterion(
            "MultiMarginCriterion squared", lambda: nn.MultiMarginCriterion(2, weights, 0.5), x, labels
        ),
        criterion("MultiMarginCriterion single", nn.MultiMarginCriterion, apart[0], 2),
        criterion("MultiLabelMarginCriterion", nn.MultiLabelMarginCriterion, apart, sets),
        criterion("MultiLabelMarginCriterion single", nn.MultiLabelMarginCriterion, apart[1], sets[1]),
        criterion("MarginRankingCriterion", nn.MarginRankingCriterion, [apart, y], signs),
        criterion("MarginRankingCriterion of numbers", nn.MarginRankingCriterion, [x[0, :1], y[0, :1]], -1),
        criterion("HingeEmbeddingCriterion", nn.HingeEmbeddingCriterion, distances, signs),
        criterion("L1HingeEmbeddingCriterion similar", nn.L1HingeEmbeddingCriterion, [x, y], 1),
        criterion("L1HingeEmbeddingCriterion apart", lambda: nn.L1HingeEmbeddingCriterion(99), [x, y], -1),
        criterion("CosineEmbeddingCriterion", nn.CosineEmbeddingCriterion, [x, y], similar),
        criterion(
            "CosineEmbeddingCriterion single", lambda: nn.CosineEmbeddingCriterion(-2), [x[0], y[0]], -1
        ),
        criterion("DistanceRatioCriterion", nn.DistanceRatioCriterion, [x, y], None),
        criterion("MultiCriterion", _two_losses, x, y),
        criterion("ModuleCriterion", _of_modules, [noise(2), x], [y, labels]),
        criterion("ParallelCriterion", _two_targets, [x, x + y, noise(2)], [y, labels]),
        criterion("RepeaterCriterion", lambda: nn.RepeaterCriterion(nn.MSECriterion()), noise(2, 3, 4), y),
        criterion(
            "RepeaterCriterion of a list", lambda: nn.RepeaterCriterion(nn.MSECriterion()), [x, 2 * x], y
        ),
        criterion("MaskZeroCriterion", lambda: nn.MaskZeroCriterion(nn.MSECriterion(), 1), x, y),
    ]


def _two_losses():
    return nn.MultiCriterion().add(nn.MSECriterion(), 0.5).add(nn.SmoothL1Criterion())


def _of_modules():
    return nn.ModuleCriterion(nn.MSECriterion(), nn.SelectTable(1), nn.SelectTable(0))


def _two_targets():
    return nn.ParallelCriterion().add(nn.MSECriterion(), 2).add(nn.CrossEntropyCriterion(), 0.5)
