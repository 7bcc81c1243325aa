"""The smoothness penalty: recorded vectors, the three forms, gradients and bad input."""

import numpy as np
import pytest

import nnlite as nn
from nnlite.gradcheck import check_module, worst
from nnlite.ops.differences import central_difference, central_difference_adjoint
from nnlite.ops.huber import huber, huber_derivative
from tests import golden_cases as golden

PENALTY = [
    "SmoothHuberPenalty_constant_flow",
    "SmoothHuberPenalty_default",
    "SmoothHuberPenalty_smallflow_avg_false",
    "SmoothHuberPenalty_smallflow_avg_true",
    "SmoothHuberPenalty_w0",
    "SmoothHuberPenalty_w0.001",
    "SmoothHuberPenalty_w1_thr0.001_avg_ctor_false",
    "SmoothHuberPenalty_w1_thr0.001_avg_set_false",
    "SmoothHuberPenalty_w1_thr0.001_avg_true",
    "SmoothHuberPenalty_zero_flow",
    "SmoothHuberPenalty_zero_gradOutput",
]
INTENDED = [
    "SmoothHuberPenaltyIntended_constant_flow",
    "SmoothHuberPenaltyIntended_smallflow_w1_thr0.001_avg_false",
    "SmoothHuberPenaltyIntended_smallflow_w1_thr0.001_avg_true",
    "SmoothHuberPenaltyIntended_w0.001_thr0.01_avg_true",
    "SmoothHuberPenaltyIntended_w1_thr0.001_avg_false",
    "SmoothHuberPenaltyIntended_w1_thr0.001_avg_true",
    "SmoothHuberPenaltyIntended_zero_flow",
]
HUBER = "Huber_tensor_op"
GOLDEN = [*PENALTY, *INTENDED, HUBER]


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


@pytest.mark.parametrize("case", [*PENALTY, *INTENDED])
def test_penalty_matches_torch7(case):
    recorded = golden.load("d_parts", case)
    attrs = recorded["attrs"]
    penalty = nn.SmoothHuberPenalty(
        attrs["effective_l1weight"],
        attrs["effective_threshold"],
        "isotropic" if case in INTENDED else "published",
        bool(attrs["effective_sizeAverage"]),
    ).double()
    golden.assert_close(penalty.forward(recorded["input"]), recorded["output"], 0)
    grad_input = penalty.backward(recorded["input"], recorded["gradOutput"])
    golden.assert_close(grad_input, recorded["gradInput"], 1e-12)
    gy, gx = (central_difference(recorded["input"], axis) for axis in (-2, -1))
    golden.assert_close(np.hypot(gy, gx), recorded["gradient_magnitude"], 1e-12)


@pytest.mark.parametrize("case", [HUBER])
def test_huber_derivative_matches_torch7(case):
    recorded = golden.load("d_parts", case)
    golden.assert_close(huber_derivative(recorded["input"], 1e-3), recorded["output"], 0)


def test_huber_is_equation_2():
    a = np.array([-3.0, -0.5, -0.1, 0.0, 0.5, 0.6])
    np.testing.assert_allclose(huber(a, 0.5), [1.375, 0.125, 0.005, 0.0, 0.125, 0.175])
    np.testing.assert_array_equal(huber_derivative(a, 0.5), [-0.5, -0.5, -0.1, 0.0, 0.5, 0.5])


@pytest.mark.parametrize("axis", [-2, -1])
@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_central_difference_is_a_convolution_and_its_adjoint_the_transpose(axis, size):
    x = np.moveaxis(noise(3, 4, size), -1, axis)
    want = np.apply_along_axis(np.convolve, axis, np.pad(x, 1), [0.5, 0, -0.5], "same")[1:-1, 1:-1, 1:-1]
    np.testing.assert_allclose(central_difference(x, axis), want, atol=1e-15)
    y = np.moveaxis(noise(3, 4, size, seed=1), -1, axis)
    left, right = (central_difference(x, axis) * y).sum(), (x * central_difference_adjoint(y, axis)).sum()
    assert left == pytest.approx(right, rel=1e-12)


def test_paper_form_is_equation_4():
    flow, grad = noise(2, 4, 5), noise(2, 4, 5, seed=1)
    penalty = nn.SmoothHuberPenalty(0.01, 0.3).double()
    np.testing.assert_array_equal(penalty.forward(flow), flow)
    total, padded = 0.0, np.pad(flow, ((0, 0), (1, 1), (1, 1)))
    for c, y, x in np.ndindex(flow.shape):
        window = padded[c, y : y + 3, x : x + 3]
        for a in ((window[2, 1] - window[0, 1]) / 2, (window[1, 2] - window[1, 0]) / 2):
            total += 0.5 * a * a if abs(a) <= 0.3 else 0.3 * (abs(a) - 0.15)
    assert float(penalty.value) == pytest.approx(0.01 * total, rel=1e-12)
    assert np.abs(penalty.backward(flow, grad) - grad).max() <= 0.01 * 4 * 0.3 / 2 + 1e-12


@pytest.mark.parametrize("form", ["paper", "isotropic", "published"])
def test_value_of_every_form(form):
    flow = noise(2, 2, 4, 5)
    gy, gx = (central_difference(flow, axis) for axis in (-2, -1))
    want = {
        "paper": 2.0 * (huber(gy, 0.3).sum() + huber(gx, 0.3).sum()),
        "isotropic": 2.0 * huber(np.hypot(gy, gx), 0.3).mean(),
        "published": 0.5 * (gy**2 + gx**2).sum(),
    }[form]
    penalty = nn.SmoothHuberPenalty(2.0, 0.3, form).double()
    assert float(penalty.value) == 0.0
    penalty.forward(flow)
    assert float(penalty.value) == pytest.approx(want, rel=1e-12)
    assert float(penalty.clear_state().value) == 0.0


@pytest.mark.parametrize("form", ["paper", "isotropic", "published"])
@pytest.mark.parametrize("shape", [(2, 4, 5), (3, 2, 4, 5), (2, 1, 6)])
def test_penalty_gradients(form, shape):
    checks = check_module(nn.SmoothHuberPenalty(3.0, 0.2, form), 0.3 * noise(*shape))
    assert worst(checks).error < 1e-6, worst(checks)


@pytest.mark.parametrize("form", ["paper", "isotropic", "published"])
def test_batch_is_each_flow_alone(form):
    flow, grad = noise(3, 2, 4, 5), noise(3, 2, 4, 5, seed=1)
    penalty = nn.SmoothHuberPenalty(0.5, 0.1, form, size_average=False).double()
    together = penalty.forward(flow), penalty.backward(flow, grad), float(penalty.value)
    values = []
    for i in range(3):
        np.testing.assert_array_equal(penalty.forward(flow[i]), together[0][i])
        np.testing.assert_allclose(penalty.backward(flow[i], grad[i]), together[1][i], rtol=1e-14)
        values.append(float(penalty.value))
    assert sum(values) == pytest.approx(together[2], rel=1e-12)


@pytest.mark.parametrize("form", ["paper", "isotropic", "published"])
@pytest.mark.parametrize("level", [0.0, 1e-30, 0.7])
def test_no_nan_on_constant_flow(form, level):
    flow = np.full((2, 2, 4, 5), level, np.float32)
    penalty = nn.SmoothHuberPenalty(form=form)
    with np.errstate(all="raise", under="ignore"):
        penalty.forward(flow)
        grad_input = penalty.backward(flow, np.zeros_like(flow))
    assert np.isfinite(grad_input).all() and np.isfinite(float(penalty.value))
    inner = grad_input[..., 2:-2, 2:-2]
    assert not inner.any() and (level < 0.1 or grad_input.any())


def test_penalty_does_not_keep_the_callers_array():
    flow = noise(2, 4, 5)
    penalty = nn.SmoothHuberPenalty().double()
    output, kept = penalty.forward(flow), flow.copy()
    flow[...] = 0
    np.testing.assert_array_equal(output, kept)


def test_bad_penalty():
    with pytest.raises(ValueError, match=r"nn\.SmoothHuberPenalty: form must be one of paper, isotropic"):
        nn.SmoothHuberPenalty(form="huber")
    with pytest.raises(ValueError, match="delta above 0"):
        nn.SmoothHuberPenalty(delta=0.0)
    with pytest.raises(ValueError, match="3 or 4 dimensions"):
        nn.SmoothHuberPenalty().forward(np.zeros((4, 5), np.float32))
