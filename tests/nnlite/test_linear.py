"""Linear layers: recorded vectors, gradients, types and bad input."""

import numpy as np
import pytest

import nnlite as nn
from nnlite.gradcheck import check_module, worst
from nnlite.ops import numpy_ops
from tests import golden_cases as golden

GOLDEN = ["Linear_1d", "Linear_2d", "Linear_noBias"]


@pytest.mark.parametrize("case", GOLDEN)
def test_matches_torch7(case):
    golden.check_layer("a_nn_layers", case, nn.Linear)


@pytest.mark.parametrize("shape", [(4,), (2, 4)], ids=["single", "batch"])
@pytest.mark.parametrize("bias", [True, False])
def test_gradients(shape, bias):
    checks = check_module(nn.Linear(4, 3, bias), np.random.default_rng(0).standard_normal(shape))
    assert worst(checks).error < 1e-6, worst(checks)


def test_float32_agrees_with_float64():
    layer = nn.Linear(4, 3)
    x = np.random.default_rng(0).standard_normal((2, 4)).astype(np.float32)
    single = layer.forward(x).copy()
    assert single.dtype == np.float32
    np.testing.assert_allclose(layer.double().forward(x.astype(np.float64)), single, rtol=1e-5)


@pytest.mark.parametrize(
    "x, error, message",
    [
        (np.zeros((2, 5), np.float32), ValueError, r"nn\.Linear: input must have size 4"),
        (np.zeros((1, 2, 4), np.float32), ValueError, "1 or 2 dimensions"),
        (np.zeros((2, 4)), TypeError, "must be float32, got float64"),
        ([1.0, 2.0], TypeError, "must be an array, got list"),
    ],
)
def test_bad_input(x, error, message):
    with pytest.raises(error, match=message):
        nn.Linear(4, 3).forward(x)


@pytest.mark.parametrize(
    "sizes, message",
    [
        ((0, 3), "n_in must be an integer >= 1, got 0"),
        ((4, -2), "n_out must be an integer >= 1, got -2"),
        ((4, 2.5), r"n_out must be an integer >= 1, got 2\.5"),
        ((True, 3), "n_in must be an integer >= 1, got True"),
    ],
)
def test_bad_sizes(sizes, message):
    with pytest.raises(ValueError, match=r"nn\.Linear: " + message):
        nn.Linear(*sizes)


def test_backward_before_forward():
    with pytest.raises(RuntimeError, match="call forward before backward"):
        nn.Linear(4, 3).backward(np.zeros((2, 4), np.float32), np.zeros((2, 3), np.float32))


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_weight_gradient_of_a_large_layer_in_pieces(scale, monkeypatch):
    """Some rows at a time, they are the same sums as all at once."""
    monkeypatch.setattr(numpy_ops, "PRODUCT_BYTES", 40 * 300 * 8)
    monkeypatch.setattr(numpy_ops, "LARGE_PRODUCT", 1000)
    rng = np.random.default_rng(0)
    layer, x, g = nn.Linear(300, 90).double(), rng.standard_normal((7, 300)), rng.standard_normal((7, 90))
    layer.grad_weight.fill(2)
    layer.acc_grad_parameters(x, g, scale)
    expected = 2 + scale * np.einsum("no,ni->oi", g, x)
    np.testing.assert_allclose(layer.grad_weight, expected, rtol=1e-12, atol=1e-12)
