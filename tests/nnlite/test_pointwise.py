"""Rectifiers, shrinkage, smooth functions, number by number and against finite differences."""

import math

import numpy as np
import pytest

import nnlite as nn
from tests.layer_checks import assert_float32_agrees, assert_gradients, assert_inputs_left_alone, run

#: Both sides of every threshold, the thresholds themselves, and zero.
X = np.array([-30.0, -6.0, -2.0, -0.5, -0.25, 0.0, 0.25, 0.5, 1.0, 3.0, 6.0, 30.0])
SMOOTH = np.random.default_rng(1).standard_normal((2, 4, 3, 5))
SIGMA = 0.7310585786300049  # σ(1)


def threshold(x):
    return (x, 1) if x > 0.5 else (-3, 0)


def relu6(x):
    return min(max(x, 0), 6), float(0 < x < 6)


def leaky(x):
    return (x, 1) if x > 0 else (0.25 * x, 0.25)


def elu(x):
    return (x, 1) if x > 0 else (2 * (math.exp(x) - 1), 2 * math.exp(x))


def hard_shrink(x):
    return (x, 1) if abs(x) > 0.5 else (0, 0)


def soft_shrink(x):
    return (x - 0.5, 1) if x > 0.5 else (x + 0.5, 1) if x < -0.5 else (0, 0)


def tanh_shrink(x):
    return x - math.tanh(x), math.tanh(x) ** 2


def soft_plus(x):
    if 2 * x > 20:
        return x, 1
    return math.log1p(math.exp(2 * x)) / 2, 1 / (1 + math.exp(-2 * x))


def soft_sign(x):
    return x / (1 + abs(x)), 1 / (1 + abs(x)) ** 2


#: Layer, and output and slope of one number, as Torch7's C code branches.
DEFINITIONS = {
    "Threshold": (lambda: nn.Threshold(0.5, -3), threshold),
    "ReLU6": (nn.ReLU6, relu6),
    "LeakyReLU": (lambda: nn.LeakyReLU(0.25), leaky),
    "PReLU": (nn.PReLU, leaky),
    "ELU": (lambda: nn.ELU(2), elu),
    "HardShrink": (nn.HardShrink, hard_shrink),
    "SoftShrink": (nn.SoftShrink, soft_shrink),
    "TanhShrink": (nn.TanhShrink, tanh_shrink),
    "Exp": (nn.Exp, lambda x: (math.exp(x), math.exp(x))),
    "Power": (lambda: nn.Power(3), lambda x: (x**3, 3 * x * x)),
    "SoftPlus": (lambda: nn.SoftPlus(2), soft_plus),
    "SoftSign": (nn.SoftSign, soft_sign),
    "Copy": (nn.Copy, lambda x: (x, 1)),
    "Contiguous": (nn.Contiguous, lambda x: (x, 1)),
    "GradientReversal": (lambda: nn.GradientReversal(0.5), lambda x: (x, -0.5)),
    "ZeroGrad": (nn.ZeroGrad, lambda x: (x, 0)),
}
NO_DERIVATIVE = ("GradientReversal", "ZeroGrad")


@pytest.mark.parametrize("name", DEFINITIONS)
def test_definition_number_by_number(name):
    build, function = DEFINITIONS[name]
    y, slope = np.array([function(x) for x in X]).T
    got, grad = run(build(), X, np.full(X.shape, 3.0))
    np.testing.assert_allclose(got, y, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(grad, 3 * slope, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("name", DEFINITIONS)
def test_dtypes_shapes_and_ownership(name):
    layer = DEFINITIONS[name][0]()
    if name not in NO_DERIVATIVE:
        assert_gradients(layer, SMOOTH)
    assert_float32_agrees(layer, SMOOTH)
    assert_inputs_left_alone(layer, SMOOTH)
    with pytest.raises(TypeError, match=rf"nn\.{name}: input must be float64, got float32"):
        layer.double().forward(SMOOTH.astype(np.float32))
    with pytest.raises(ValueError, match=rf"nn\.{name}: grad_output must have shape"):
        layer.forward(SMOOTH)
        layer.backward(SMOOTH, SMOOTH[0])


def test_log():
    y, grad = run(nn.Log(), np.array([1.0, math.e, 0.5]), np.ones(3))
    np.testing.assert_allclose(y, [0, 1, -math.log(2)], atol=1e-15)
    np.testing.assert_allclose(grad, [1, 1 / math.e, 2])
    assert_gradients(nn.Log(), np.abs(SMOOTH) + 0.1)
    with np.errstate(divide="ignore", invalid="ignore"):
        np.testing.assert_array_equal(nn.Log().double().forward(np.array([0.0, -1.0])), [-np.inf, np.nan])


def test_defaults_are_those_of_torch7():
    x = np.array([-1.0, 0.0, 1e-7, 0.3])
    np.testing.assert_array_equal(run(nn.Threshold(), x)[0], [0, 0, 0, 0.3])
    np.testing.assert_allclose(run(nn.LeakyReLU(), x)[0], [-0.01, 0, 1e-7, 0.3])
    np.testing.assert_allclose(run(nn.LeakyReLU(True), x)[0], [-0.01, 0, 1e-7, 0.3])
    np.testing.assert_allclose(run(nn.ELU(), x)[0], [math.exp(-1) - 1, 0, 1e-7, 0.3])
    np.testing.assert_allclose(run(nn.SoftPlus(), x)[0], np.log1p(np.exp(x)))
    np.testing.assert_array_equal(run(nn.GradientReversal(), x, np.ones(4))[1], [-1] * 4)
    assert nn.RReLU().lower == 1 / 8 and nn.RReLU().upper == 1 / 3


def test_not_a_number():
    x = np.array([np.nan])
    assert run(nn.Threshold(0, 7), x)[0] == 7
    assert run(nn.HardShrink(), x)[0] == 0
    assert np.isnan(run(nn.LeakyReLU(), x)[0])


@pytest.mark.parametrize("layer", [nn.HardShrink, nn.SoftShrink])
def test_shrinkage_of_infinity(layer):
    x = np.array([-np.inf, np.inf])
    np.testing.assert_array_equal(layer().double().forward(x), x)


def test_large_numbers_do_not_overflow():
    x = np.array([-1e4, 1e4])
    with np.errstate(over="raise", invalid="raise"):
        assert np.isfinite(run(nn.ELU(), x)[0]).all()
        np.testing.assert_array_equal(run(nn.SoftPlus(), x, np.ones(2)), [[0, 1e4], [0, 1]])


@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 3, 4), (2, 3, 4, 5)], ids=str)
def test_prelu_has_a_slope_for_each_channel(shape):
    x = np.random.default_rng(2).standard_normal(shape)
    layer = nn.PReLU(3).double()
    layer.weight[...] = slopes = [0.1, 0.2, 0.3]
    y, grad = run(layer, x, np.ones(shape), 0.5)
    want = np.zeros(3)
    for place in np.ndindex(shape):
        c = place[min(1, len(shape) - 1)]
        assert y[place] == pytest.approx(x[place] * (1 if x[place] > 0 else slopes[c]))
        assert grad[place] == (1 if x[place] > 0 else slopes[c])
        want[c] += 0.5 * min(x[place], 0)
    np.testing.assert_allclose(layer.grad_weight, want)
    assert_gradients(layer, x)


def test_prelu_refuses_other_channels():
    with pytest.raises(ValueError, match=r"nn\.PReLU: input must have shape \(4,\) or \(N, 4, ...\), got"):
        nn.PReLU(4).double().forward(np.zeros((4, 3, 2)))
    with pytest.raises(ValueError, match="n_output_plane must be an integer"):
        nn.PReLU(-1)


def test_rrelu_draws_one_slope_for_each_element_below_zero():
    x = np.array([[-1.0, 2.0, 0.0], [-3.0, -4.0, 5.0]])
    layer = nn.RReLU(0.2, 0.6).double()
    nn.manual_seed(7)
    y, g = layer.forward(x), np.arange(1.0, 7).reshape(2, 3)
    grad = layer.backward(x, g)
    nn.manual_seed(7)
    drawn = [nn.random.default_generator.uniform(0.2, 0.6) for _ in range(4)]
    slopes = np.array([[drawn[0], 1, drawn[1]], [drawn[2], drawn[3], 1]])
    np.testing.assert_allclose(y, x * slopes)
    np.testing.assert_allclose(grad, g * slopes)
    layer.evaluate()
    np.testing.assert_allclose(layer.forward(x), np.where(x > 0, x, 0.4 * x))
    np.testing.assert_allclose(layer.backward(x, g), np.where(x > 0, g, 0.4 * g))
    assert_float32_agrees(layer, x)
    with pytest.raises(ValueError, match=r"needs 0 <= lower <= upper, got 0\.5 and 0\.1"):
        nn.RReLU(0.5, 0.1)


def test_threshold_in_place_refuses_what_torch7_refuses():
    nn.Threshold(1, 2)
    with pytest.raises(ValueError, match=r"nn\.Threshold: with inplace v must be at most th"):
        nn.Threshold(1, 2, True)


@pytest.mark.parametrize("x", [SMOOTH, SMOOTH[0]], ids=["batch", "single"])
def test_crelu_doubles_the_channels(x):
    y, grad = run(nn.CReLU(3), x)
    axis = x.ndim - 3
    np.testing.assert_array_equal(y, np.concatenate([np.maximum(x, 0), np.maximum(-x, 0)], axis))
    a, b = np.split(1.0 + np.arange(2 * x.size).reshape(y.shape), 2, axis)
    np.testing.assert_array_equal(grad, np.where(x > 0, a, -b))
    with pytest.raises(ValueError, match=r"nn\.CReLU: input must have 2 or 3 dimensions"):
        nn.CReLU(2).double().forward(SMOOTH)


@pytest.mark.parametrize("shape, axis", [((5,), 0), ((2, 5), 1), ((5, 2, 3), 0), ((2, 5, 2, 3), 1)])
def test_soft_min_prefers_small_numbers(shape, axis):
    x = np.random.default_rng(3).standard_normal(shape)
    e = np.exp(-x)
    np.testing.assert_allclose(run(nn.SoftMin(), x)[0], e / e.sum(axis, keepdims=True))
    assert_gradients(nn.SoftMin(), x)
    assert_float32_agrees(nn.SoftMin(), x)


def test_spatial_soft_max_takes_images_alone():
    np.testing.assert_array_equal(run(nn.SpatialSoftMax(), SMOOTH)[0], run(nn.SoftMax(), SMOOTH)[0])
    with pytest.raises(ValueError, match=r"nn\.SpatialSoftMax: input must have 3 or 4 dimensions"):
        nn.SpatialSoftMax().double().forward(SMOOTH[0, 0])


def test_gated_linear_unit():
    x = np.array([[2.0, 3.0, 1.0, 0.0], [4.0, -6.0, 0.0, -1.0]])
    y, grad = run(nn.GatedLinearUnit(), x, np.ones((2, 2)))
    np.testing.assert_allclose(y, [[2 * SIGMA, 1.5], [2, -6 * (1 - SIGMA)]])
    np.testing.assert_allclose(grad[0], [SIGMA, 0.5, 2 * SIGMA * (1 - SIGMA), 0.75])
    np.testing.assert_allclose(run(nn.GatedLinearUnit(1), SMOOTH)[0].shape, (2, 2, 3, 5))
    with pytest.raises(ValueError, match="must have an even size in dimension -1, got shape"):
        nn.GatedLinearUnit().double().forward(SMOOTH)


def test_repr():
    layers = [nn.LeakyReLU(0.2), nn.ELU(2), nn.RReLU()]
    want = ["nn.LeakyReLU(0.2)", "nn.ELU (alpha:2.000000)", "nn.RReLU (l:0.125000, u:0.333333)"]
    assert [repr(layer) for layer in layers] == want


@pytest.mark.parametrize(
    "sizes, shape", [((3, 2), (3, 2)), ((3, 2), (4, 3, 2)), ((1, 4, 1, 1), (2, 4, 3, 5)), ((6,), (2, 3))]
)
def test_componentwise_sum(sizes, shape):
    x = np.random.default_rng(2).standard_normal(shape)
    layer = nn.CAdd(*sizes)
    y, grad = run(layer, x, scale=0.5)
    bias = np.broadcast_to(layer.bias.reshape(shape) if layer.bias.size == x.size else layer.bias, shape)
    np.testing.assert_array_equal(y, x + bias)
    np.testing.assert_array_equal(grad, 1.0 + np.arange(x.size).reshape(shape))
    assert layer.grad_bias.sum() == pytest.approx(0.5 * grad.sum())
    assert_gradients(layer, x)
    assert_float32_agrees(layer, x)
    with pytest.raises(ValueError, match=r"nn\.CAdd: input must have shape .* wherever the bias has size 1"):
        layer.double().forward(np.zeros((7, 7)))


def test_componentwise_sum_starts_from_torch7s_numbers():
    nn.manual_seed(8)
    layer = nn.CAdd(2, 8)
    nn.manual_seed(8)
    np.testing.assert_allclose(
        layer.bias, nn.random.default_generator.uniform(-0.25, 0.25, (2, 8)), rtol=1e-6
    )
