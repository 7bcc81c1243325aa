"""Activations: recorded vectors, independent definitions, gradients, types, tails and bad input."""

import numpy as np
import pytest
from scipy import special

import nnlite as nn
from nnlite.gradcheck import check_module, worst
from tests import golden_cases as golden

ELEMENTWISE = {
    "Abs": nn.Abs,
    "Clamp_-0.5_0.5": nn.Clamp,
    "HardTanh": nn.HardTanh,
    "HardTanh_nan": nn.HardTanh,
    "LogSigmoid": nn.LogSigmoid,
    "ReLU": nn.ReLU,
    "ReLU_inplace": nn.ReLU,
    "Sigmoid": nn.Sigmoid,
    "Sigmoid_large": nn.Sigmoid,
    "Sqrt_negative_zero": nn.Sqrt,
    "Sqrt_with_zero": nn.Sqrt,
    "Square": nn.Square,
    "Tanh": nn.Tanh,
    "Tanh_large": nn.Tanh,
}
OVER_CLASSES = {
    "LogSoftMax_1d": nn.LogSoftMax,
    "LogSoftMax_2d": nn.LogSoftMax,
    "LogSoftMax_3d": nn.LogSoftMax,
    "LogSoftMax_4d": nn.LogSoftMax,
    "SoftMax_2d": nn.SoftMax,
    "SpatialLogSoftMax_3d": nn.SpatialLogSoftMax,
    "SpatialLogSoftMax_4d": nn.SpatialLogSoftMax,
}
GOLDEN = [*ELEMENTWISE, *OVER_CLASSES]

# SciPy's or NumPy's own function, and inputs inside its domain and away from kinks.
DEFINITIONS = {
    "Abs": (nn.Abs(), np.abs),
    "Clamp": (nn.Clamp(-0.6, 0.4), lambda x: np.clip(x, -0.6, 0.4)),
    "HardTanh": (nn.HardTanh(), lambda x: np.clip(x, -1, 1)),
    "LogSigmoid": (nn.LogSigmoid(), special.log_expit),
    "LogSoftMax": (nn.LogSoftMax(), lambda x: special.log_softmax(x, axis=-3)),
    "ReLU": (nn.ReLU(), lambda x: np.maximum(x, 0)),
    "Sigmoid": (nn.Sigmoid(), special.expit),
    "SoftMax": (nn.SoftMax(), lambda x: special.softmax(x, axis=-3)),
    "SpatialLogSoftMax": (nn.SpatialLogSoftMax(), lambda x: special.log_softmax(x, axis=-3)),
    "Sqrt": (nn.Sqrt(), np.sqrt),
    "Square": (nn.Square(), np.square),
    "Tanh": (nn.Tanh(), np.tanh),
}


def example(name, shape=(2, 3, 4, 5)):
    """Return float64 noise in the domain of the layer `name`."""
    x = np.random.default_rng(3).standard_normal(shape)
    return np.abs(x) + 0.1 if name == "Sqrt" else x


@pytest.mark.parametrize("case", ELEMENTWISE)
@pytest.mark.filterwarnings("ignore:invalid value encountered in sqrt")
def test_elementwise_matches_torch7(case):
    layer = golden.check_layer("a_nn_layers", case, ELEMENTWISE[case], rtol=1e-12)
    # The same again for each element on its own, however small.
    recorded = golden.load("a_nn_layers", case)
    np.testing.assert_allclose(layer.output, recorded["output"], rtol=1e-12)
    np.testing.assert_allclose(layer.grad_input, recorded["gradInput"], rtol=1e-12)
    assert repr(layer) == recorded["attrs"]["tostring"]


@pytest.mark.parametrize("case", OVER_CLASSES)
def test_over_classes_matches_torch7(case):
    layer = golden.check_layer("a_nn_layers", case, OVER_CLASSES[case])
    assert repr(layer) == golden.load("a_nn_layers", case)["attrs"]["tostring"]


@pytest.mark.parametrize("name", DEFINITIONS)
@pytest.mark.parametrize("shape", [(3, 4, 5), (2, 3, 4, 5)], ids=["single", "batch"])
def test_matches_the_definition(name, shape):
    layer, function = DEFINITIONS[name]
    x = example(name, shape)
    np.testing.assert_allclose(layer.double().forward(x), function(x), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", DEFINITIONS)
def test_gradients(name):
    checks = check_module(DEFINITIONS[name][0], example(name))
    assert worst(checks).error < 1e-6, worst(checks)


@pytest.mark.parametrize("name", DEFINITIONS)
def test_float32_agrees_with_float64(name):
    layer = DEFINITIONS[name][0].float()
    x = example(name)
    g = np.random.default_rng(1).standard_normal(x.shape)
    single = layer.forward(x.astype(np.float32)), layer.backward(x.astype(np.float32), g.astype(np.float32))
    assert [y.dtype for y in single] == [np.float32, np.float32]
    layer.double()
    for got, want in zip(single, (layer.forward(x), layer.backward(x, g))):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("layer", [nn.SoftMax(), nn.LogSoftMax()], ids=["SoftMax", "LogSoftMax"])
@pytest.mark.parametrize("shape, axis", [((5,), 0), ((2, 5), 1), ((5, 2, 3), 0), ((2, 5, 2, 3), 1)])
def test_classes_are_the_channels_of_images(layer, shape, axis):
    y = layer.double().forward(example("SoftMax", shape))
    total = (np.exp(y) if isinstance(layer, nn.LogSoftMax) else y).sum(axis)
    np.testing.assert_allclose(total, np.ones(total.shape), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sigmoid_keeps_its_digits_in_the_tail(dtype):
    # Below -17 (float32) and -37 (float64) the form with tanh is zero; exp(-x) overflows at -89 and -710.
    x = np.array([-1e4, -80, -40, -20, 0, 20, 1e4], dtype)
    with np.errstate(all="raise", under="ignore"):
        y = nn.Sigmoid().type(dtype).forward(x)
    np.testing.assert_allclose(y, special.expit(x), rtol=1e-6 if dtype == np.float32 else 1e-14)
    assert y[1] > 0


@pytest.mark.parametrize("layer", [nn.LogSigmoid(), nn.LogSoftMax(), nn.SoftMax()])
def test_large_scores_stay_finite(layer):
    x = np.array([[-1e4, 0.0, 1e4]])
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        y = layer.double().forward(x)
        assert np.isfinite(y).all()
        assert np.isfinite(layer.backward(x, np.ones((1, 3)))).all()


def test_gradients_at_the_kinks():
    g = np.array([2.0, 3.0, 5.0])
    for layer, x, want in [
        (nn.ReLU(), [0.0, 1.0, -1.0], [0, 3, 0]),
        (nn.Abs(), [0.0, 1.0, -1.0], [2, 3, -5]),
        (nn.HardTanh(-2, 1), [-2.0, 1.0, 0.5], [0, 0, 5]),
        (nn.Sqrt(), [0.0, 4.0, 1.0], [0, 0.75, 2.5]),
    ]:
        x = np.array(x)
        layer.double().forward(x)
        np.testing.assert_array_equal(layer.backward(x, g), want, err_msg=layer.name)


def test_relu_of_nan_is_zero():
    np.testing.assert_array_equal(nn.ReLU().double().forward(np.array([np.nan, 1.0])), [0, 1])


def test_inplace_relu_leaves_its_input_alone():
    layer, x, g = nn.ReLU(True).double(), np.array([-1.0, 1.0]), np.array([1.0, 1.0])
    layer.forward(x)
    layer.backward(x, g)
    np.testing.assert_array_equal(x, [-1, 1])
    np.testing.assert_array_equal(g, [1, 1])


@pytest.mark.parametrize(
    "layer, x, error, message",
    [
        (nn.Tanh(), np.zeros(3), TypeError, r"nn\.Tanh: input must be float32, got float64"),
        (nn.ReLU(), [1.0], TypeError, r"nn\.ReLU: input must be an array, got list"),
        (nn.SoftMax(), np.zeros((1,) * 5, np.float32), ValueError, r"nn\.SoftMax: input must have 1 or 2"),
        (nn.SpatialLogSoftMax(), np.zeros((2, 3), np.float32), ValueError, "3 or 4 dimensions"),
    ],
)
def test_bad_input(layer, x, error, message):
    with pytest.raises(error, match=message):
        layer.forward(x)


@pytest.mark.parametrize("name", DEFINITIONS)
def test_bad_grad_output(name):
    layer = DEFINITIONS[name][0].double().clear_state()
    x = example(name)
    with pytest.raises(RuntimeError, match="call forward before backward"):
        layer.backward(x, x)
    layer.forward(x)
    with pytest.raises(ValueError, match=rf"nn\.{name}: grad_output must have shape"):
        layer.backward(x, x[1:])


def test_bounds_in_the_wrong_order():
    with pytest.raises(ValueError, match=r"nn\.Clamp: min_val must be below max_val, got 1 and -1"):
        nn.Clamp(1, -1)
