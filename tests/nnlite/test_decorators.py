"""Modules around one other module."""

import numpy as np
import pytest

import nnlite as nn
from nnlite.gradcheck import check_module
from tests.layer_checks import assert_float32_agrees, assert_gradients, run

X = np.random.default_rng(7).standard_normal((4, 3))
MASKED = X * [[1], [0], [1], [0]]
G = np.random.default_rng(8).standard_normal((4, 2))


@pytest.mark.parametrize("cls", [nn.Decorator, nn.Serial, nn.DontCast, nn.NaN])
def test_does_what_its_module_does(cls):
    inner = nn.Linear(3, 2)
    decorated = cls(inner)
    want = run(inner.clone(), X, G, 0.5)
    for got, expected in zip(run(decorated, X, G, 0.5), want, strict=True):
        np.testing.assert_array_equal(got, expected)
    np.testing.assert_allclose(inner.grad_bias, 0.5 * G.sum(0))
    assert [name for name, _, _ in decorated.named_parameters()] == ["module.weight", "module.bias"]
    before = inner.weight.copy()
    decorated.reset()
    assert not np.array_equal(inner.weight, before)
    assert_gradients(decorated, X.copy())
    assert_float32_agrees(decorated, X)
    with pytest.raises(TypeError, match=rf"nn\.{cls.__name__} takes a module, got int"):
        cls(3)


def test_nan_is_found_where_it_comes_from():
    layer = nn.NaN(nn.Linear(3, 2).double(), 5).double()
    assert repr(layer) == "nn.NaN(5) @ nn.Linear(3 -> 2)"
    with pytest.raises(ValueError, match=r"nn\.NaN\(5\) @ nn\.Linear.*: NaN in input"):
        layer.forward(X * np.nan)
    layer.forward(X)
    with pytest.raises(ValueError, match="NaN in grad_output"):
        layer.update_grad_input(X, G * np.nan)
    with pytest.raises(ValueError, match="NaN in the gradient of a parameter"):
        layer.acc_grad_parameters(X, G * np.nan)
    layer.module.weight[0, 0] = np.nan
    with pytest.raises(ValueError, match="NaN in a parameter"):
        layer.forward(X)
    division = nn.NaN(nn.CDivTable()).double()
    with np.errstate(invalid="ignore"), pytest.raises(ValueError, match="NaN in output"):
        division.forward([0 * X, 0 * X])
    squares = nn.NaN(nn.Sequential(nn.Square(), nn.Log())).double()
    zero = np.zeros(2)
    with np.errstate(divide="ignore", invalid="ignore"):
        squares.forward(zero)
        with pytest.raises(ValueError, match="NaN in grad_input"):
            squares.backward(zero, np.ones(2))


def test_masked_rows_are_passed_over():
    layer = nn.MaskZero(nn.Linear(3, 2), 1)
    inner = layer.module.clone()
    (y, grad), (whole, _) = run(layer, MASKED, G, 0.5), run(inner, MASKED, G, 0.5)
    np.testing.assert_array_equal(y, whole * [[1], [0], [1], [0]])
    np.testing.assert_array_equal(grad, (G * [[1], [0], [1], [0]]) @ layer.module.weight)
    np.testing.assert_allclose(layer.module.grad_bias, 0.5 * (G[0] + G[2]))
    np.testing.assert_allclose(layer.module.grad_weight, inner.grad_weight)
    assert_float32_agrees(layer, MASKED)


def test_the_published_form_counts_masked_rows_for_the_bias():
    layer = nn.MaskZero(nn.Linear(3, 2), 1, published=True)
    _, grad = run(layer, MASKED, G)
    np.testing.assert_allclose(layer.module.grad_bias, G.sum(0))
    np.testing.assert_array_equal(grad, (G * [[1], [0], [1], [0]]) @ layer.module.weight)


def test_masked_parameters_have_right_gradients():
    """Parameters alone: where the input is zero the output jumps, and there is no derivative by the input."""
    layer = nn.MaskZero(nn.Linear(3, 2), 1)
    errors = [check.error for check in check_module(layer, MASKED.copy()) if check.what.startswith("module")]
    assert len(errors) == 4 and max(errors) < 1e-6


def test_masks_of_one_row_of_maps_and_of_tables():
    single = nn.MaskZero(nn.Add(3), 1)
    assert not run(single, 0 * X[0])[0].any() and run(single, X[0])[0].all()
    maps = np.ones((2, 1, 2, 2))
    maps[1] = 0
    y, _ = run(nn.MaskZero(nn.AddConstant(3), 3), maps)
    np.testing.assert_array_equal(y, 4 * maps)
    pair = nn.MaskZero(nn.Identity(), 1)
    y, grads = pair.double().forward([MASKED, [X, maps[[0, 1, 0, 1]]]]), None
    np.testing.assert_array_equal(y[1][0], MASKED)
    np.testing.assert_array_equal(y[1][1], maps[[0, 1, 0, 1]])
    grads = pair.update_grad_input(None, [X, [X, X]])
    np.testing.assert_array_equal(grads[1][1], MASKED)


def test_mask_zero_bad_input():
    with pytest.raises(ValueError, match=r"nn\.MaskZero: input must have 2 or 3 dimensions"):
        nn.MaskZero(nn.Tanh(), 2).double().forward(X[0])
    with pytest.raises(ValueError, match="n_input_dim must be an integer >= 1, got 0"):
        nn.MaskZero(nn.Tanh(), 0)
    with pytest.raises(RuntimeError, match="call forward before backward"):
        nn.MaskZero(nn.Tanh(), 1).double().backward(X, X)
