"""Losses made of other losses: sums, one for each entry of a table, repeated targets, masked rows."""

import numpy as np
import pytest

import nnlite as nn
from nnlite.gradcheck import check_criterion
from tests.golden_cases import assert_close

RNG = np.random.default_rng(6)
X, Y = RNG.standard_normal((2, 5, 4))
SIGNS = np.where(RNG.random((5, 4)) > 0.5, 1.0, -1.0)
P, SOME = RNG.random((2, 5, 4))
LABELS = np.array([3, 0, 2, 1, 3])


def test_multi_criterion():
    criterion = nn.MultiCriterion().add(nn.MSECriterion(), 0.5).add(nn.AbsCriterion())
    mse, mae = ((X - Y) ** 2).mean(), abs(X - Y).mean()
    assert criterion.forward(X, Y) == pytest.approx(0.5 * mse + mae)
    np.testing.assert_allclose(criterion.backward(X, Y), (X - Y) / 20 + np.sign(X - Y) / 20)
    pairs = nn.MultiCriterion().add(nn.MarginRankingCriterion()).add(nn.MarginRankingCriterion(2), 3)
    apart = [nn.MarginRankingCriterion(m).backward([X, Y], SIGNS) for m in (1, 2)]
    assert_close(pairs.backward([X, Y], SIGNS), [a + 3 * b for a, b in zip(*apart)], 1e-14)


@pytest.mark.parametrize("repeat", [False, True])
def test_parallel_criterion(repeat):
    criterion = nn.ParallelCriterion(repeat).add(nn.MSECriterion(), 2).add(nn.AbsCriterion())
    target = Y if repeat else [Y, X]
    want = 2 * ((X - Y) ** 2).mean() + abs(P - (Y if repeat else X)).mean()
    assert criterion.forward([X, P, SOME], target) == pytest.approx(want)
    grads = criterion.backward([X, P, SOME], target)
    np.testing.assert_allclose(grads[0], 4 * (X - Y) / 20)
    np.testing.assert_allclose(grads[1], np.sign(P - (Y if repeat else X)) / 20)
    np.testing.assert_array_equal(grads[2], np.zeros((5, 4)))


@pytest.mark.parametrize("form", [list, np.stack], ids=["list", "array"])
def test_repeater_criterion(form):
    criterion = nn.RepeaterCriterion(nn.MSECriterion())
    steps = [X, 2 * X, P]
    want = sum(((x - Y) ** 2).mean() for x in steps)
    assert criterion.forward(form(steps), Y) == pytest.approx(want)
    grads = criterion.backward(form(steps), Y)
    assert type(grads) is type(form(steps))
    assert_close(list(grads), [2 * (x - Y) / 20 for x in steps], 1e-12)


def test_mask_zero_criterion():
    x = X.copy()
    x[[1, 3]] = 0
    criterion = nn.MaskZeroCriterion(nn.CrossEntropyCriterion(), 1)
    rest = nn.CrossEntropyCriterion()
    kept = [0, 2, 4]
    assert criterion.forward(x, LABELS) == pytest.approx(rest.forward(X[kept], LABELS[kept]))
    grad = criterion.backward(x, LABELS)
    np.testing.assert_allclose(grad[kept], rest.backward(X[kept], LABELS[kept]))
    assert not grad[[1, 3]].any()
    assert criterion.forward(0 * X, LABELS) == 0 and not criterion.backward(0 * X, LABELS).any()
    ranked = nn.MaskZeroCriterion(nn.MarginRankingCriterion(), 1)
    grads = ranked.backward([x, Y], SIGNS)
    assert_close(
        [g[kept] for g in grads], nn.MarginRankingCriterion().backward([X[kept], Y[kept]], SIGNS[kept]), 0
    )
    assert not grads[1][[1, 3]].any()


@pytest.mark.parametrize(
    "criterion, x, t, error, message",
    [
        (nn.MultiCriterion(), X, Y, ValueError, "there is no criterion; add"),
        (
            nn.ParallelCriterion().add(nn.MSECriterion()),
            [],
            [],
            ValueError,
            "1 criteria, but 0 entries of input",
        ),
        (nn.ParallelCriterion(), X, [Y], TypeError, "input must be a list or tuple"),
        (nn.RepeaterCriterion(nn.MSECriterion()), [], Y, ValueError, "must have at least one step"),
        (nn.MaskZeroCriterion(nn.MSECriterion(), 2), X, Y, ValueError, "must have 3 dimensions, the first"),
    ],
)
def test_bad_input(criterion, x, t, error, message):
    with pytest.raises(error, match=message):
        criterion.forward(x, t)


def test_bad_arguments():
    for build in (nn.RepeaterCriterion, lambda c: nn.MaskZeroCriterion(c, 1), nn.MultiCriterion().add):
        with pytest.raises(TypeError, match="takes a criterion, got Tanh"):
            build(nn.Tanh())
    with pytest.raises(RuntimeError, match="call forward with these 5 steps before backward"):
        nn.RepeaterCriterion(nn.MSECriterion()).backward(X, Y[0])


def test_module_criterion():
    layer = nn.Linear(4, 2).double()
    criterion = nn.ModuleCriterion(nn.MSECriterion(), layer, nn.Narrow(1, 0, 2).double())
    goal = Y[:, :2]
    seen = X @ layer.weight.T + layer.bias
    assert criterion.forward(X, Y) == pytest.approx(((seen - goal) ** 2).mean())
    g = 2 * (seen - goal) / 10
    layer.zero_grad_parameters()
    np.testing.assert_allclose(criterion.backward(X, Y), g @ layer.weight)
    np.testing.assert_allclose(layer.grad_weight, g.T @ X)
    plain = nn.ModuleCriterion(nn.MSECriterion())
    with pytest.raises(RuntimeError, match="call forward before backward"):
        plain.backward(X, Y)
    assert plain.forward(X, Y) == nn.MSECriterion().forward(X, Y)
    np.testing.assert_array_equal(plain.backward(X, Y), nn.MSECriterion().backward(X, Y))


def test_module_criterion_goes_back_through_the_pass_that_made_the_loss():
    layer = nn.Sequential(nn.BatchNormalization(4), nn.Dropout(0.5)).double()
    criterion = nn.ModuleCriterion(nn.MSECriterion(), layer)
    criterion.forward(X, Y)
    mean, y = layer.modules[0].running_mean.copy(), layer.output.copy()
    grad = criterion.backward(X, Y)
    np.testing.assert_array_equal(layer.modules[0].running_mean, mean)
    np.testing.assert_array_equal(grad, layer.backward(X, nn.MSECriterion().backward(y, Y)))


def test_module_criterion_refuses_gradients_of_a_module_that_sees_both():
    layer = nn.Tanh().double()
    criterion = nn.ModuleCriterion(nn.MSECriterion(), nn.Sequential(layer).double(), layer)
    assert criterion.forward(X, Y) == pytest.approx(((np.tanh(X) - np.tanh(Y)) ** 2).mean())
    with pytest.raises(ValueError, match=r"the same nn\.Tanh is in input_module and in .*shared_clone"):
        criterion.backward(X, Y)
    criterion = nn.ModuleCriterion(nn.MSECriterion(), layer, layer.shared_clone())
    checks = check_criterion(criterion, X, Y)
    assert max(check.error for check in checks) < 1e-6
