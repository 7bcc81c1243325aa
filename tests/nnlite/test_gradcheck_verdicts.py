"""No false alarm: what rounding hides is in doubt, what has no derivative is at a kink, the rest agrees."""

import warnings

import numpy as np
import pytest

import nnlite as nn
from nnlite.finite_differences import judge, numeric_gradient
from nnlite.gradcheck import TOLERANCE, check_criterion, check_module, worst


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def by_name(checks):
    return {check.what: check for check in checks}


def normalised():
    """The bias in front of a batch normalisation has no effect: its gradient is zero but for rounding."""
    return nn.Sequential(nn.Linear(3, 5), nn.BatchNormalization(5))


def saturated_gates():
    memory = nn.Sequencer(nn.LSTM(3, 4))
    memory.module.init_bias(forget=-20)
    return memory


def saturated_sigmoid():
    net = nn.Sequential(nn.Linear(3, 4), nn.Sigmoid())
    net[0].bias.fill(20)
    return net


@pytest.mark.parametrize(
    "build, input, doubtful",
    [
        (normalised, noise(4, 3), "0.bias"),
        (saturated_gates, noise(4, 2, 3), "module.forget_gate.input2gate.bias"),
        (saturated_sigmoid, noise(4, 3), "0.bias"),
    ],
)
@pytest.mark.parametrize("seed", range(2))
def test_what_rounding_hides_is_in_doubt(build, input, doubtful, seed):
    nn.manual_seed(seed)
    checks = check_module(build(), input, seed=seed)
    assert worst(checks).error < TOLERANCE
    check = by_name(checks)[doubtful]
    assert check.doubtful > 0 and f"{check.doubtful} in doubt" in str(check)


class OffByAFactor(nn.Sigmoid):
    def update_grad_input(self, input, grad_output):
        self.grad_input = 1.5 * super().update_grad_input(input, grad_output)
        return self.grad_input


def test_doubt_is_no_excuse_for_what_larger_steps_show():
    """Derivatives of 1e-9, which the usual step measures to 10%, larger ones to 0.1%."""
    bad = worst(check_module(OffByAFactor(), 20 + noise(4, 3)))
    assert bad.what == "input" and bad.error > 0.1
    assert not any(check.doubtful for check in check_module(OffByAFactor(), noise(4, 3)))


@pytest.mark.parametrize(
    "module, input",
    [
        (nn.ReLU(), np.zeros((2, 3))),
        (nn.Abs(), np.zeros((2, 3))),
        (nn.HardTanh(), np.array([-1.0, 0.5, 1.0])),
        (nn.SpatialMaxPooling(2, 2), np.zeros((1, 2, 2))),
        (nn.Sqrt(), np.array([0.0, 1.0])),
        (nn.BilinearSamplerBHWD(), [noise(3, 3, 1), np.zeros((1, 1, 2))]),
    ],
)
def test_kinks_are_said_to_be_kinks(module, input):
    checks = check_module(module, input)
    assert worst(checks).error < TOLERANCE
    assert any(check.kinks and "at a kink" in str(check) for check in checks)


@pytest.mark.parametrize("entries", [3, 300])
def test_steps_outside_the_domain_are_judged_without_a_warning(entries):
    x = np.linspace(1, 2, entries)
    x[-1] = 1e-7
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        checks = check_module(nn.Log(), x, max_entries=3 * (entries == 3))
        assert worst(checks).error < TOLERANCE and by_name(checks)["input"].kinks == 1
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        check_module(nn.Log(), np.zeros(1))  # at the point itself


@pytest.mark.parametrize("distance", [1e-6, 1e-7, -1e-7])
def test_close_to_a_kink_the_slope_at_the_point_counts(distance):
    check = by_name(check_module(nn.ReLU(), np.array([distance, 1.0])))["input"]
    assert check.error < TOLERANCE and check.kinks == 1


class WrongSide(nn.ReLU):
    def update_grad_input(self, input, grad_output):
        self.grad_input = grad_output * (input <= 0)
        return self.grad_input


class BeyondBothSides(nn.ReLU):
    def update_grad_input(self, input, grad_output):
        self.grad_input = 1.01 * grad_output
        return self.grad_input


@pytest.mark.parametrize(
    "planted, x", [(WrongSide, 1e-6), (WrongSide, -1e-6), (BeyondBothSides, 0.0), (BeyondBothSides, -1e-7)]
)
def test_a_kink_is_no_excuse_for_a_slope_of_neither_side(planted, x):
    assert worst(check_module(planted(), np.array([x]))).error > 1e-3


def test_a_whole_array_with_kinks_nearby():
    x = noise(40, 30)
    x.flat[::7] *= 1e-6
    checks = check_module(nn.ReLU(), x)
    assert worst(checks).error < TOLERANCE and sum(check.kinks for check in checks) > 3


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_float32_is_checked_in_float64(dtype):
    x = noise(4, 3).astype(dtype)
    checks = check_module(nn.Linear(3, 2), x)
    assert worst(checks).error < 1e-8 and x.dtype == dtype
    hint = " (float32, checked as float64)" if dtype == np.float32 else ""
    assert [check.what for check in checks][1] == "input" + hint
    target = noise(4, 3, seed=1).astype(dtype)
    (check,) = check_criterion(nn.MSECriterion(), x, target)
    assert check.error < 1e-8 and check.what == "input" + hint


def test_steep_curvature_is_no_kink():
    (check,) = check_criterion(nn.BCECriterion(), np.full(4, 1e-4), np.array([0.0, 1, 0, 1]))
    assert check.error < TOLERANCE and not check.kinks


def test_at_the_border_of_the_domain_there_is_no_derivative():
    """BCE refuses probabilities below 0 and above 1, by which the step leaves them."""
    (check,) = check_criterion(nn.BCECriterion(), np.array([0.0, 0.5, 1.0]), np.array([0.0, 1.0, 1.0]))
    assert check.error < TOLERANCE and check.kinks == 2


def test_a_large_step_may_leave_the_domain():
    """Derivatives of 1e-12 need larger steps than the distance to the border."""
    criterion = nn.BCECriterion(weights=np.array([1e-12, 1.0]))
    (check,) = check_criterion(criterion, np.full((1, 2), 0.02), np.array([[0.0, 1.0]]))
    assert check.error < TOLERANCE


@pytest.mark.parametrize("analytic, status", [(2.0, "agrees"), (2.0 + 1e-4, "wrong"), (np.nan, "wrong")])
def test_judge_of_a_smooth_function(analytic, status):
    verdict = judge(lambda t: np.sin(2 * t), analytic, 2.0, 1e-6, 1e-16)
    assert verdict.status == status
    assert np.isnan(analytic) or verdict.numeric == pytest.approx(2, rel=1e-7)


def test_judge_refuses_a_loss_that_is_no_number():
    assert judge(lambda t: np.nan, 0.0, 1.0, 1e-6, 1e-16).status == "wrong"


def test_numeric_gradient_of_one_entry_and_of_all():
    x = np.array([[1.0, -2.0], [0.5, 3.0]])
    before = x.copy()

    def loss():
        return float((x**3).sum())

    np.testing.assert_allclose(numeric_gradient(loss, x), 3 * x**2, rtol=1e-9)
    assert numeric_gradient(loss, x, (1, 0)) == pytest.approx(0.75, rel=1e-9)
    np.testing.assert_array_equal(x, before)


def test_an_error_in_the_loss_puts_the_entry_back():
    x = np.ones(2)

    def loss():
        raise ValueError

    with pytest.raises(ValueError):
        numeric_gradient(loss, x, 0)
    np.testing.assert_array_equal(x, [1, 1])
