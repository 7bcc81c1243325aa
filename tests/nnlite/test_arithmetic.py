"""Sums and products with parameters or constants: recorded vectors, gradients, initial values, bad input."""

import numpy as np
import pytest

import nnlite as nn
from nnlite.gradcheck import check_module, worst
from tests import golden_cases as golden

ELEMENTWISE = {"AddConstant": nn.AddConstant, "MulConstant": nn.MulConstant}
WITH_PARAMETERS = {
    "CMul_1d": nn.CMul,
    "CMul_1d_batch": nn.CMul,
    "CMul_3d_batch": nn.CMul,
    "CMul_3d_nonbatch": nn.CMul,
    "CMul_4d_channel": nn.CMul,
    "Mul": nn.Mul,
    "Mul_const": nn.Mul,
}
GOLDEN = [*ELEMENTWISE, *WITH_PARAMETERS]

LAYERS = {
    "Add": (lambda: nn.Add(4), (4,)),
    "Add batch": (lambda: nn.Add(4), (3, 4)),
    "Add batch of images": (lambda: nn.Add(12), (3, 2, 2, 3)),
    "Add scalar": (lambda: nn.Add(4, scalar=True), (3, 4)),
    "Add one component": (lambda: nn.Add(1), (3, 1)),
    "AddConstant": (lambda: nn.AddConstant(0.3), (2, 3)),
    "CMul": (lambda: nn.CMul(3, 4), (3, 4)),
    "CMul batch": (lambda: nn.CMul(3, 4), (2, 3, 4)),
    "CMul flat": (lambda: nn.CMul(12), (2, 3, 4)),
    "CMul channels": (lambda: nn.CMul(1, 3, 1, 1), (2, 3, 2, 2)),
    "CMul one value": (lambda: nn.CMul(1), (3, 1)),
    "Mul": (nn.Mul, (2, 3)),
    "MulConstant": (lambda: nn.MulConstant(0.3), (2, 3)),
}


@pytest.mark.parametrize("case", GOLDEN)
def test_matches_torch7(case):
    rtol = 1e-12 if case in ELEMENTWISE else 1e-10
    layer = golden.check_layer("a_nn_layers", case, {**ELEMENTWISE, **WITH_PARAMETERS}[case], rtol)
    assert repr(layer) == golden.load("a_nn_layers", case)["attrs"]["tostring"]


@pytest.mark.parametrize("label", LAYERS)
def test_gradients(label):
    build, shape = LAYERS[label]
    checks = check_module(build(), np.random.default_rng(3).standard_normal(shape))
    assert worst(checks).error < 1e-6, worst(checks)


@pytest.mark.parametrize("label", LAYERS)
def test_float32_agrees_with_float64(label):
    build, shape = LAYERS[label]
    layer, rng = build(), np.random.default_rng(0)
    x, g = rng.standard_normal(shape), rng.standard_normal(shape)
    x32, g32 = x.astype(np.float32), g.astype(np.float32)

    def run(x, g):
        layer.zero_grad_parameters()
        return [layer.forward(x).copy(), layer.backward(x, g).copy(), *map(np.copy, layer.parameters()[1])]

    single = run(x32, g32)
    assert {y.dtype for y in single} == {np.dtype(np.float32)}
    layer.double()
    for got, want in zip(single, run(x, g)):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-6)


def test_add_adds_its_bias_to_each_entry():
    layer = nn.Add(6).double()
    x = np.random.default_rng(0).standard_normal((4, 2, 3))
    np.testing.assert_array_equal(layer.forward(x), x + layer.bias.reshape(1, 2, 3))
    np.testing.assert_array_equal(layer.forward(x[0].ravel()), x[0].ravel() + layer.bias)


def test_scalar_add_has_one_number():
    layer = nn.Add(6, scalar=True).double()
    x = np.random.default_rng(0).standard_normal((4, 2, 3))
    np.testing.assert_array_equal(layer.forward(x), x + layer.bias[0])
    layer.backward(x, np.ones_like(x))
    np.testing.assert_allclose(layer.grad_bias, [24.0])


@pytest.mark.parametrize(
    "build, draws, bound",
    [(nn.Mul, 1, 1.0), (lambda: nn.CMul(4, 25), 100, 0.1), (lambda: nn.Add(100), 100, 0.1)],
    ids=["Mul", "CMul", "Add"],
)
def test_initial_values_are_torch7s_draws(build, draws, bound):
    nn.manual_seed(3)
    drawn = nn.random.default_generator.uniform(-bound, bound, draws)
    nn.manual_seed(3)
    layer = build()
    (values,), _ = layer.parameters()
    np.testing.assert_allclose(values.ravel(), drawn, rtol=1e-6)
    nn.manual_seed(3)
    layer.reset(0.5)
    np.testing.assert_allclose(layer.parameters()[0][0].ravel(), drawn / bound * 0.5 * np.sqrt(3), rtol=1e-6)


@pytest.mark.parametrize(
    "layer, shape, message",
    [
        (nn.CMul(3, 4), (2, 3), r"nn\.CMul: input must have shape \(3, 4\), be a batch of that"),
        (nn.CMul(3, 4), (2, 3, 5), r"got \(2, 3, 5\)"),
        (nn.CMul(1, 3), (2, 4), r"got \(2, 4\)"),
        (nn.Add(4), (5,), r"nn\.Add: input must have shape \(4,\) or be a batch"),
        (nn.Add(4), (2, 5), "4 components each"),
    ],
)
def test_bad_shape(layer, shape, message):
    with pytest.raises(ValueError, match=message):
        layer.forward(np.zeros(shape, np.float32))


@pytest.mark.parametrize("label", LAYERS)
def test_bad_type_and_grad_output(label):
    build, shape = LAYERS[label]
    layer, x = build(), np.zeros(shape, np.float32)
    with pytest.raises(TypeError, match=rf"{layer.name}: input must be float32, got float64"):
        layer.forward(np.zeros(shape))
    with pytest.raises(RuntimeError, match="call forward before backward"):
        layer.backward(x, x)
    layer.forward(x)
    with pytest.raises(ValueError, match=rf"{layer.name}: grad_output must have shape"):
        layer.backward(x, x[1:])
