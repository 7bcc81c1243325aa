"""Losses with margins, of sums over entries, and of pairs."""

import copy
import math

import numpy as np
import pytest

import nnlite as nn
from nnlite.gradcheck import check_criterion, worst
from tests.golden_cases import assert_close

RNG = np.random.default_rng(6)
X, Y = RNG.standard_normal((2, 5, 4))
SIGNS = np.where(RNG.random((5, 4)) > 0.5, 1.0, -1.0)
P = RNG.dirichlet(np.ones(4), 5)
SOME = (RNG.random((5, 4)) > 0.5).astype(float)
WEIGHTS = np.array([0.5, 1.0, 2.0, 4.0])
LABELS = np.array([3, 0, 2, 1, 3])
SETS = np.array([[2, 0, -1, 1], [1, 1, 3, -1], [-1, 0, 0, 0], [0, 1, 2, 3], [3, -1, -1, -1]])
SIMILAR = np.array([1.0, -1, 1, -1, -1])


def entries(*arrays):
    return zip(*(a.ravel().tolist() for a in arrays), strict=True)


def multi_margin(x, labels, p=1, weights=None, margin=1.0):
    """The sum over samples and classes, term by term."""
    total = 0.0
    for row, label in zip(x, labels, strict=True):
        for k, score in enumerate(row):
            if k != label:
                z = max(0.0, margin - row[label] + score)
                total += (z if p == 1 else z * z) * (1 if weights is None else weights[label])
    return total / x.shape[1]


def multi_label_margin(x, sets):
    total = 0.0
    for row, labels in zip(x, sets, strict=True):
        there = []
        for label in labels:
            if label < 0:
                break
            there.append(label)
        total += sum(max(0.0, 1 - row[t] + row[k]) for t in there for k in range(len(row)) if k not in there)
    return total / x.shape[1]


def cosine(a, b):
    return sum(a * b) / math.sqrt(sum(a * a) * sum(b * b))


def cosine_embedding(a, b, labels, margin):
    c = [cosine(p, q) for p, q in zip(a, b, strict=True)]
    return sum(1 - v if t == 1 else max(0, v - margin) for v, t in zip(c, labels, strict=True))


#: Criterion, input, target, the loss without `size_average`, and what that divides by.
CASES = {
    "WeightedMSE": (
        nn.WeightedMSECriterion(Y**2),
        X,
        Y,
        sum((x - y * y * y) ** 2 for x, y in entries(X, Y)),
        20,
    ),
    "WeightedMSE, batch": (
        nn.WeightedMSECriterion(WEIGHTS),
        X,
        Y,
        sum((X[i, k] - WEIGHTS[k] * Y[i, k]) ** 2 for i in range(5) for k in range(4)),
        20,
    ),
    "DistKLDiv": (nn.DistKLDivCriterion(), X, P, sum(p * (math.log(p) - x) for x, p in entries(X, P)), 20),
    "Margin": (nn.MarginCriterion(), X, SIGNS, sum(max(0, 1 - x * t) for x, t in entries(X, SIGNS)), 20),
    "Margin 0.2": (
        nn.MarginCriterion(0.2),
        X,
        SIGNS,
        sum(max(0, 0.2 - x * t) for x, t in entries(X, SIGNS)),
        20,
    ),
    "SoftMargin": (
        nn.SoftMarginCriterion(),
        X,
        SIGNS,
        sum(math.log(1 + math.exp(-x * t)) for x, t in entries(X, SIGNS)),
        20,
    ),
    "MultiLabelSoftMargin": (
        nn.MultiLabelSoftMarginCriterion(),
        X,
        SOME,
        sum(math.log(1 + math.exp(-x if t else x)) for x, t in entries(X, SOME)),
        20,
    ),
    "MultiLabelSoftMargin, weights": (
        nn.MultiLabelSoftMarginCriterion(WEIGHTS),
        X,
        SOME,
        sum(
            w * math.log(1 + math.exp(-x if t else x))
            for x, t, w in entries(X, SOME, np.tile(WEIGHTS, (5, 1)))
        ),
        20,
    ),
    "MultiMargin": (nn.MultiMarginCriterion(), X, LABELS, multi_margin(X, LABELS), 5),
    "MultiMargin squared": (
        nn.MultiMarginCriterion(2, WEIGHTS, 0.3),
        X,
        LABELS,
        multi_margin(X, LABELS, 2, WEIGHTS, 0.3),
        5,
    ),
    "MultiMargin single": (nn.MultiMarginCriterion(), X[0], 2, multi_margin(X[:1], [2]), 1),
    "MultiLabelMargin": (nn.MultiLabelMarginCriterion(), X, SETS, multi_label_margin(X, SETS), 5),
    "MultiLabelMargin single": (
        nn.MultiLabelMarginCriterion(),
        X[1],
        SETS[1],
        multi_label_margin(X[1:2], SETS[1:2]),
        1,
    ),
    "MarginRanking": (
        nn.MarginRankingCriterion(0.5),
        [X[:, 0], Y[:, 0]],
        SIMILAR,
        sum(max(0, 0.5 - t * (a - b)) for a, b, t in entries(X[:, 0], Y[:, 0], SIMILAR)),
        5,
    ),
    "MarginRanking of matrices": (
        nn.MarginRankingCriterion(),
        [X, Y],
        SIGNS,
        sum(max(0, 1 - t * (a - b)) for a, b, t in entries(X, Y, SIGNS)),
        5,
    ),
    "MarginRanking of numbers": (
        nn.MarginRankingCriterion(),
        [X[0, :1], Y[0, :1]],
        -1,
        max(0, 1 + X[0, 0] - Y[0, 0]),
        1,
    ),
    "HingeEmbedding": (
        nn.HingeEmbeddingCriterion(),
        X,
        SIGNS,
        sum(x if t == 1 else max(0, 1 - x) for x, t in entries(X, SIGNS)),
        20,
    ),
    "HingeEmbedding of a number": (nn.HingeEmbeddingCriterion(2), X[0, :1], -1, 2 - X[0, 0], 1),
    "CosineEmbedding": (
        nn.CosineEmbeddingCriterion(0.1),
        [X, Y],
        SIMILAR,
        cosine_embedding(X, Y, SIMILAR, 0.1),
        5,
    ),
    "CosineEmbedding single": (nn.CosineEmbeddingCriterion(), [X[0], Y[0]], 1, 1 - cosine(X[0], Y[0]), 1),
    "DistanceRatio": (
        nn.DistanceRatioCriterion(),
        [X, Y],
        None,
        sum(-math.log(math.exp(-a) / (math.exp(-a) + math.exp(-b))) for a, b in entries(X, Y)),
        5,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_loss_gradient_and_dtypes(case):
    criterion, x, t, total, count = CASES[case]
    assert criterion.forward(x, t) == pytest.approx(total / count, rel=1e-9)
    assert type(criterion.output) is float
    mean_grad = criterion.backward(x, t)
    bad = worst(check_criterion(criterion, copies(x), t))
    assert bad.error < 1e-6, bad
    criterion.size_average = False
    assert criterion.forward(x, t) == pytest.approx(total, rel=1e-9)
    assert_close(scaled(criterion.backward(x, t), 1 / count), mean_grad, 1e-12)
    criterion.size_average = True
    single, target = cast(x), cast(t)
    assert criterion.forward(single, target) == pytest.approx(total / count, rel=1e-4)
    grad = criterion.backward(single, target)
    assert_close(grad, mean_grad, 1e-4)
    assert {g.dtype for g in (grad if isinstance(grad, list) else [grad])} == {np.dtype(np.float32)}


def copies(x):
    return [e.copy() for e in x] if isinstance(x, list) else x.copy()


def scaled(x, factor):
    return [e * factor for e in x] if isinstance(x, list) else x * factor


def cast(x):
    """Return the float arrays of `x` in float32, labels as they are."""
    if isinstance(x, list):
        return [cast(entry) for entry in x]
    return x.astype(np.float32) if isinstance(x, np.ndarray) and x.dtype == np.float64 else x


def test_backward_needs_no_forward():
    for criterion, x, t, _, _ in CASES.values():
        expected = criterion.backward(x, t)
        assert_close(copy.deepcopy(criterion).backward(x, t), expected, 0)


@pytest.mark.parametrize("label", [1, -1])
@pytest.mark.parametrize("margin", [0.5, 100.0])
def test_l1_hinge_embedding(label, margin):
    criterion = nn.L1HingeEmbeddingCriterion(margin)
    d = sum(abs(a - b) for a, b in entries(X, Y))
    assert criterion.forward([X, Y], label) == pytest.approx(d if label == 1 else max(0, margin - d))
    a, b = criterion.backward([X, Y], label)
    sign = 1 if label == 1 else -1 if d <= margin else 0
    np.testing.assert_array_equal(a, sign * np.sign(X - Y))
    np.testing.assert_array_equal(b, -a)
    assert nn.L1HingeEmbeddingCriterion().margin == 1
    assert criterion.forward(cast([X, Y]), np.array([label])) == pytest.approx(criterion.output, rel=1e-5)


def test_l1_hinge_embedding_draws_signs_for_equal_numbers():
    nn.manual_seed(5)
    grad = nn.L1HingeEmbeddingCriterion().backward([X, X + np.eye(4)[1]], 1)[0]
    nn.manual_seed(5)
    drawn = 2 * nn.random.default_generator.integers(1, 2, 15) - 3
    np.testing.assert_array_equal(grad[:, [0, 2, 3]].ravel(), drawn)
    assert set(drawn) == {-1, 1} and (grad[:, 1] == -1).all()


def test_l1_cost():
    x = np.array([[-2.0, 0.0], [3.5, -1.0]])
    criterion = nn.L1Cost()
    assert criterion.forward(x) == criterion.forward(x, None) == 6.5
    np.testing.assert_array_equal(criterion.backward(x), [[-1, 0], [1, -1]])
    assert criterion.backward(x.astype(np.float32)).dtype == np.float32


def test_gradients_at_the_kinks():
    one, zero = np.array([1.0]), np.array([0.0])
    assert nn.MarginCriterion().backward(one, one) == 0  # x t = margin
    assert nn.HingeEmbeddingCriterion().backward(one, -one) == -1  # x = margin
    assert nn.MultiMarginCriterion().backward(np.array([1.0, 0.0]), 0).tolist() == [0, 0]
    assert nn.MarginRankingCriterion().backward([one, zero], 1)[0] == -1  # a - b = margin
    assert nn.MarginRankingCriterion().backward([one, zero], one)[1] == 1
    same = np.array([3.0, 4.0])
    assert not np.any(nn.CosineEmbeddingCriterion(1).backward([same, same], -1))


def test_large_scores():
    far = np.array([-1e4, 1e4])
    with np.errstate(over="raise", invalid="raise"):
        assert nn.SoftMarginCriterion().forward(far, np.array([1.0, 1.0])) == 5e3
        np.testing.assert_array_equal(nn.SoftMarginCriterion(False).backward(far, np.ones(2)), [-1, 0])
        assert nn.MultiLabelSoftMarginCriterion().forward(far, np.array([1.0, 1.0])) == 5e3
        assert nn.DistanceRatioCriterion().forward([far, -far]) == 1e4
    assert (
        nn.DistKLDivCriterion().forward(far, np.array([0.0, -1.0])) == 0
    )  # what has no weight counts for nothing
    assert not nn.DistKLDivCriterion().backward(far, np.zeros(2)).any()


def test_labels_after_the_end_do_not_count():
    criterion = nn.MultiLabelMarginCriterion()
    first = criterion.forward(X[0], np.array([2, -1, 0, 1]))
    assert criterion.forward(X[0], np.array([2, -1, -1, -1])) == first


@pytest.mark.parametrize(
    "criterion, x, t, error, message",
    [
        (nn.WeightedMSECriterion(WEIGHTS[:3]), X, Y, ValueError, r"weight of shape \(3,\) fits neither"),
        (nn.MarginCriterion(), X, SIGNS[:2], ValueError, r"nn\.MarginCriterion: target must have shape"),
        (nn.SoftMarginCriterion(), X, cast(SIGNS), TypeError, "must be float64 like the input"),
        (nn.MultiLabelSoftMarginCriterion(WEIGHTS[:3]), X, SOME, ValueError, "3 weights do not fit"),
        (nn.L1Cost(), X.tolist(), None, TypeError, r"nn\.L1Cost: input must be an array"),
        (nn.MultiMarginCriterion(), X, LABELS + 1, ValueError, r"label 4 is not in 0\.\.3"),
        (nn.MultiMarginCriterion(), X, LABELS[:2], ValueError, r"target must have shape \(5,\)"),
        (nn.MultiMarginCriterion(), X[None], LABELS, ValueError, "input must have 1 or 2 dimensions"),
        (nn.MultiMarginCriterion(1, WEIGHTS[:3]), X, LABELS, ValueError, "3 weights, but 4 classes"),
        (nn.MultiLabelMarginCriterion(), X, SETS - 1, ValueError, r"label -2 is not in -1\.\.3"),
        (nn.MultiLabelMarginCriterion(), X, SETS[0], ValueError, r"target must have shape \(5, 4\)"),
        (nn.MultiLabelMarginCriterion(), X, SOME, TypeError, "must hold integer labels"),
        (nn.MarginRankingCriterion(), [X, Y], 1, TypeError, "target must be an array, got int"),
        (nn.MarginRankingCriterion(), X, SIGNS, TypeError, "input must be a list of two arrays"),
        (nn.MarginRankingCriterion(), [X, Y[0]], SIGNS, ValueError, "the two inputs must be alike"),
        (nn.HingeEmbeddingCriterion(), X, SOME, ValueError, r"labels must be 1 or -1, got 0\.0"),
        (nn.HingeEmbeddingCriterion(), X, SIGNS[0], ValueError, r"target must have shape \(5, 4\)"),
        (nn.L1HingeEmbeddingCriterion(), [X, Y], SIGNS, ValueError, "target must be one label"),
        (nn.CosineEmbeddingCriterion(), [X, Y], 1, ValueError, "target must have 5 labels, got 1"),
        (nn.CosineEmbeddingCriterion(), [X[None], Y[None]], 1, ValueError, "must have 1 or 2 dimensions"),
    ],
)
def test_bad_input(criterion, x, t, error, message):
    with pytest.raises(error, match=message):
        criterion.forward(x, t)


def test_bad_arguments():
    with pytest.raises(ValueError, match="p must be 1 or 2, got 3"):
        nn.MultiMarginCriterion(3)
    for cls in (nn.MultiMarginCriterion, nn.MultiLabelSoftMarginCriterion):
        with pytest.raises(ValueError, match="weights must be a vector, got shape"):
            cls(weights=X)
