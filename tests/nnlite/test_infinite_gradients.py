"""Infinite gradients do not pass where the slope is zero: 0 · ∞ would be NaN."""

import numpy as np
import pytest

import nnlite as nn

FLAT = {
    "HardTanh": (nn.HardTanh, 2.0),
    "Clamp": (lambda: nn.Clamp(-1, 1), -2.0),
    "ReLU": (nn.ReLU, -1.0),
    "ReLU6": (nn.ReLU6, 7.0),
    "Threshold": (nn.Threshold, -1.0),
    "HardShrink": (nn.HardShrink, 0.1),
    "SoftShrink": (nn.SoftShrink, 0.1),
    "CReLU": (lambda: nn.CReLU(1), 0.0),
    "Sqrt": (lambda: nn.Sqrt(0), 0.0),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", FLAT)
def test_infinite_gradients_do_not_pass_where_the_slope_is_zero(name, dtype):
    build, place = FLAT[name]
    layer = build().type(dtype)
    for g in (np.inf, -np.inf, np.nan):
        x = np.full(3, place, dtype)
        grad = layer.backward(x, np.full_like(layer.forward(x), g))
        assert grad.dtype == dtype and not grad.any() and not np.isnan(grad).any()


def test_infinite_gradients_go_to_the_largest_alone():
    for layer in (nn.Max(0), nn.CMaxTable()):
        layer.double()
        x = np.array([1.0, 3.0, 2.0])
        x = x if isinstance(layer, nn.Max) else [x[:1], x[1:2], x[2:]]
        grad = layer.backward(x, np.full_like(layer.forward(x), np.inf))
        assert np.array_equal(np.ravel(grad), [0, np.inf, 0])


def test_prelu_learns_nothing_from_infinite_gradients_above_zero():
    layer = nn.PReLU().double()
    layer.zero_grad_parameters()
    x = np.array([1.0, -2.0])
    layer.forward(x)
    layer.backward(x, np.array([np.inf, 3.0]))
    assert layer.grad_weight[0] == -6
