"""Layers that hand their input on: penalties, reversal, copies and noise."""

import numpy as np
import pytest

import nnlite as nn
from tests.layer_checks import assert_float32_agrees, run

X = np.random.default_rng(1).standard_normal((2, 4, 3, 5))


def test_l1_penalty():
    x = np.array([[-2.0, 0.0], [3.0, 0.5]])
    layer = nn.L1Penalty(0.1)
    y, grad = run(layer, x, np.ones((2, 2)))
    assert layer.loss == layer.value == pytest.approx(0.55)
    np.testing.assert_array_equal(y, x)
    np.testing.assert_allclose(grad, [[0.9, 1], [1.1, 1.1]])
    alone = nn.L1Penalty(0.1, True, False)
    np.testing.assert_allclose(run(alone, x)[1], np.sign(x) * 0.025)
    assert alone.value == pytest.approx(0.55 / 4)
    assert nn.L1Penalty(1).value == 0
    assert_float32_agrees(layer, x)


def test_reversal_can_be_changed():
    layer = nn.GradientReversal()
    assert layer.set_lambda(3) is layer
    np.testing.assert_array_equal(run(layer, X, np.ones(X.shape))[1], np.full(X.shape, -3))


def test_copy_takes_torch7s_types():
    layer = nn.Copy("torch.FloatTensor", "torch.DoubleTensor").double()
    np.testing.assert_array_equal(layer.forward(X), X)


def test_contiguous_copies_only_what_has_gaps():
    whole, turned = X, X.swapaxes(0, 1)
    layer = nn.Contiguous().double()
    assert np.shares_memory(layer.forward(whole), whole)
    assert layer.forward(turned).flags.c_contiguous and not np.shares_memory(layer.output, turned)
    assert layer.backward(turned, turned).flags.c_contiguous
    assert not np.shares_memory(nn.Copy().double().forward(whole), whole)


def test_white_noise():
    layer = nn.WhiteNoise(0.5, 2).double()
    nn.manual_seed(6)
    y = layer.forward(X)
    nn.manual_seed(6)
    np.testing.assert_allclose(y, X + nn.random.default_generator.normal(0.5, 2, X.shape))
    np.testing.assert_array_equal(layer.backward(X, X), X)
    layer.evaluate()
    np.testing.assert_array_equal(layer.forward(X), X + 0.5)
    with pytest.raises(RuntimeError, match=r"nn\.WhiteNoise: backward needs training mode"):
        layer.backward(X, X)
    assert repr(layer) == "nn.WhiteNoise mean: 0.500000, std: 2.000000"
    assert layer.float().forward(X.astype(np.float32)).dtype == np.float32
