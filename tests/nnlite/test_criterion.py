"""Criteria: recorded vectors, definitions, gradients, both dtypes."""

import numpy as np
import pytest
from scipy.special import log_softmax, xlogy

import nnlite as nn
from nnlite.gradcheck import check_criterion, worst
from nnlite.ops import cross_entropy
from tests import golden_cases as golden

CRITERIA = golden.names("b_criteria")
SEQUENCES = {
    "SequencerCriterion_BCE": lambda: nn.SequencerCriterion(nn.BCECriterion()),
    "SequencerCriterion_ClassNLL": lambda: nn.SequencerCriterion(nn.ClassNLLCriterion()),
    "SequencerCriterion_MSE": lambda: nn.SequencerCriterion(nn.MSECriterion()),
    "SequencerCriterion_MSE_sizeAverage": lambda: nn.SequencerCriterion(nn.MSECriterion(), True),
}
GOLDEN = [*CRITERIA, *SEQUENCES]


def labels_of(target):
    """Return recorded labels, which are 1-based floats, as they are here."""
    return [labels_of(t) for t in target] if isinstance(target, list) else target.astype(int) - 1


@pytest.mark.parametrize("case", CRITERIA)
def test_matches_torch7(case):
    recorded = golden.load("b_criteria", case)
    attrs, args = recorded["attrs"], recorded["attrs"]["args"]
    args = args if isinstance(args, list) else []
    cls, target = getattr(nn, attrs["module"].removeprefix("nn.")), recorded["target"]
    options = {"size_average": bool(attrs["sizeAverage"])}
    if "weights" in recorded:
        options["weights"] = recorded["weights"]
    if len(args) == 3:
        options["ignore_index"] = args[2] - 1
    if case.endswith("set_after"):
        criterion = cls()
        criterion.size_average = options["size_average"]
    else:
        criterion = cls(**options)
    if issubclass(cls, nn.ClassNLLCriterion):
        target = labels_of(target)

    rtol = 1e-6 if "float" in case else 1e-12
    loss = criterion.forward(recorded["input"], target)
    assert type(loss) is float
    golden.assert_close(loss, recorded["output"], rtol, "output")
    grad_input = criterion.backward(recorded["input"], target)
    assert grad_input.dtype == recorded["input"].dtype
    golden.assert_close(grad_input, recorded["gradInput"], rtol, "gradInput")
    if "total_weight" in recorded:
        assert criterion.total_weight == recorded["total_weight"]


@pytest.mark.parametrize("case", SEQUENCES)
@pytest.mark.parametrize("form", [list, np.stack], ids=["lists", "arrays"])
def test_sequences_match_torch7(case, form):
    recorded = golden.load("c_rnn", case)
    target = labels_of(recorded["target"]) if "ClassNLL" in case else recorded["target"]
    criterion, input = SEQUENCES[case](), form(recorded["input"])
    golden.assert_close(criterion.forward(input, form(target)), recorded["output"], 1e-12)
    grads = criterion.backward(input, form(target))
    assert type(grads) is type(input)
    golden.assert_close(list(grads), recorded["gradInput"], 1e-12)


RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((2, 6, 5))
P, T = RNG.uniform(0.05, 0.95, (2, 6, 5))
LABELS = np.array([0, 4, -1, 2, 2, 3])
WEIGHTS = np.array([0.5, 1.0, 0.0, 2.0, 4.0])
MAPS, PIXELS = RNG.standard_normal((2, 5, 3, 4)), RNG.integers(-1, 5, (2, 3, 4))

CASES = {
    "MSE": (nn.MSECriterion(), X, Y),
    "Abs": (nn.AbsCriterion(), X, Y),
    "SmoothL1": (nn.SmoothL1Criterion(), 2 * X, Y),
    "Charbonnier": (nn.CharbonnierCriterion(), X, Y),
    "Charbonnier, sum": (nn.CharbonnierCriterion(False, 0.7), X, Y),
    "BCE": (nn.BCECriterion(), P, T),
    "BCE, weights": (nn.BCECriterion(WEIGHTS, False), P, T),
    "ClassNLL": (nn.ClassNLLCriterion(), X, LABELS),
    "ClassNLL, weights": (nn.ClassNLLCriterion(WEIGHTS, False), X, LABELS),
    "CrossEntropy": (nn.CrossEntropyCriterion(), X, LABELS),
    "CrossEntropy, weights": (nn.CrossEntropyCriterion(WEIGHTS), X, LABELS),
    "CrossEntropy, 1x1 maps": (nn.CrossEntropyCriterion(), X[:, :, None, None], LABELS),
    "SpatialClassNLL": (nn.SpatialClassNLLCriterion(WEIGHTS), MAPS, PIXELS),
    "SpatialClassNLL, single": (nn.SpatialClassNLLCriterion(None, False), MAPS[0], PIXELS[0]),
    "Sequencer": (nn.SequencerCriterion(nn.BCECriterion()), P, T),
    "Sequencer, list": (nn.SequencerCriterion(nn.CrossEntropyCriterion(), True), [X, Y], [LABELS, LABELS]),
}


@pytest.mark.parametrize("case", CASES)
def test_gradients(case):
    bad = worst(check_criterion(*CASES[case]))
    assert bad.error < 1e-6, bad


@pytest.mark.parametrize("case", CASES)
def test_float32_agrees_with_float64(case):
    criterion, x, t = CASES[case]
    single = [cast(a) for a in (x, t)]
    loss, grad = criterion.forward(x, t), criterion.backward(x, t)
    assert criterion.forward(*single) == pytest.approx(loss, rel=1e-5)
    assert type(criterion.output) is float
    grad32 = criterion.backward(*single)
    golden.assert_close(grad32, grad, 1e-5)
    assert (grad32[0] if isinstance(grad32, list) else grad32).dtype == np.float32


def cast(x):
    """Return the float arrays of `x` in float32, labels as they are."""
    if isinstance(x, list):
        return [cast(entry) for entry in x]
    return x.astype(np.float32) if x.dtype == np.float64 else x


def test_backward_needs_no_forward():
    for criterion, x, t in CASES.values():
        if not isinstance(criterion, nn.SequencerCriterion):
            fresh = type(criterion)()
            expected = type(criterion)()
            expected.forward(x, t)
            golden.assert_close(fresh.backward(x, t), expected.backward(x, t), 0)


def test_definitions():
    assert nn.MSECriterion().forward(X, Y) == pytest.approx(np.mean((X - Y) ** 2))
    assert nn.AbsCriterion(False).forward(X, Y) == pytest.approx(np.sum(np.abs(X - Y)))
    assert nn.BCECriterion().forward(P, T) == pytest.approx(-np.mean(xlogy(T, P) + xlogy(1 - T, 1 - P)))
    log_p = log_softmax(X, axis=1)
    kept = LABELS >= 0
    picked = log_p[kept, LABELS[kept]]
    assert nn.CrossEntropyCriterion().forward(X, LABELS) == pytest.approx(-picked.mean())
    w = WEIGHTS[LABELS[kept]]
    assert nn.CrossEntropyCriterion(WEIGHTS).forward(X, LABELS) == pytest.approx(-(w @ picked) / w.sum())


def test_charbonnier_is_square_near_zero_and_absolute_far_away():
    loss, zero = nn.CharbonnierCriterion(False, 0.01), np.zeros(1)
    for d in (3.0, -3.0):
        assert loss.forward(np.array([d]), zero) == pytest.approx(3 - 0.01, abs=2e-5)
        np.testing.assert_allclose(loss.backward(np.array([d]), zero), [np.sign(d)], rtol=1e-5)
    for d in (1e-5, -1e-5, 1e-9):
        assert loss.forward(np.array([d]), zero) == pytest.approx(d * d / 0.02, rel=1e-5)
        np.testing.assert_allclose(loss.backward(np.array([d]), zero), [d / 0.01], rtol=1e-5)
    assert loss.forward(zero, zero) == 0 and loss.backward(zero, zero) == 0
    np.testing.assert_allclose(loss.backward(np.array([0.01]), zero), [np.sqrt(0.5)])


def test_abs_gradient_at_zero_is_plus_one():
    grad = nn.AbsCriterion(False).backward(np.array([1.0, 2.0, 3.0]), np.array([2.0, 2.0, 2.0]))
    np.testing.assert_array_equal(grad, [-1, 1, 1])


def test_size_average_can_be_set_after_construction():
    for build in (
        nn.MSECriterion,
        nn.AbsCriterion,
        nn.SmoothL1Criterion,
        nn.CharbonnierCriterion,
        nn.BCECriterion,
    ):
        criterion = build()
        mean, grad = criterion.forward(P, T), criterion.backward(P, T)
        criterion.size_average = False
        assert criterion.forward(P, T) == pytest.approx(mean * P.size)
        np.testing.assert_allclose(criterion.backward(P, T), grad * P.size)


def test_losses_are_summed_in_float64():
    x = np.full(100_003, 1e-4, np.float32)
    for criterion, one in ((nn.MSECriterion(), x[0] * x[0]), (nn.AbsCriterion(), x[0])):
        assert criterion.forward(x, np.zeros_like(x)) == pytest.approx(float(one), rel=1e-12)
    # log(1 - x) itself is all rounding error in float32.
    exact = -np.log1p(-float(x[0]))
    assert nn.BCECriterion().forward(x, np.zeros_like(x)) == pytest.approx(exact, rel=1e-7)


def test_large_binary_cross_entropy_takes_several_blocks():
    rng = np.random.default_rng(0)
    x, t, w = rng.uniform(0.01, 0.99, (3, 5 * cross_entropy.BLOCK // 2)).astype(np.float32)
    criterion = nn.BCECriterion(w)
    x64, t64 = x.astype(float), t.astype(float)
    losses = -w * (xlogy(t64, x64) + xlogy(1 - t64, 1 - x64))
    assert criterion.forward(x, t) == pytest.approx(losses.mean(), rel=1e-9)
    slopes = w * (x64 - t64) / (x64 * (1 - x64))
    np.testing.assert_allclose(criterion.backward(x, t), slopes / x.size, rtol=1e-4, atol=1e-9)


def test_transposed_arrays():
    assert nn.BCECriterion().forward(P.T, T.T) == pytest.approx(nn.BCECriterion().forward(P, T))
    np.testing.assert_allclose(nn.BCECriterion().backward(P.T, T.T), nn.BCECriterion().backward(P, T).T)
    last = np.moveaxis(np.ascontiguousarray(np.moveaxis(MAPS, 1, -1)), -1, 1)
    expected = nn.SpatialClassNLLCriterion().backward(MAPS, PIXELS)
    np.testing.assert_array_equal(nn.SpatialClassNLLCriterion().backward(last, PIXELS), expected)


def test_inputs_are_left_alone():
    for criterion, x, t in CASES.values():
        before = [a.copy() for a in (*x, *t)]
        criterion.forward(x, t)
        criterion.backward(x, t)
        golden.assert_close([*x, *t], before, 0)


class Remembering(nn.Criterion):
    """Takes from its forward pass what its backward pass returns."""

    def update_output(self, input, target):
        self.seen = input * target
        self.output = float(self.seen.sum())
        return self.output

    def update_grad_input(self, input, target):
        return self.seen


def test_every_step_has_its_own_criterion():
    criterion = nn.SequencerCriterion(Remembering())
    criterion.forward(X, Y)
    np.testing.assert_array_equal(criterion.backward(X, Y), X * Y)


def test_repr():
    assert repr(nn.BCECriterion()) == "nn.BCECriterion"
