"""What the tests of many layers share."""

import numpy as np

from nnlite import table
from nnlite.gradcheck import check_module, worst
from nnlite.table import leaves


def run(layer, x, g=None, scale=1.0):
    """Return output and grad_input of a layer in float64; g is 1, 2, 3, ... when not given."""
    layer.double().zero_grad_parameters()
    y = layer.forward(x)
    g = 1.0 + np.arange(y.size).reshape(y.shape) if g is None else g
    return y, layer.backward(x, g, scale)


def assert_gradients(layer, x):
    """Check all gradients of a layer by finite differences."""
    bad = worst(check_module(layer, x))
    assert bad.error < 1e-6, bad


def assert_float32_agrees(layer, x):
    """Check that a layer in float32 gives float32 arrays, equal to those in float64 up to rounding."""
    y, grad = run(layer, x)
    g = 1.0 + np.arange(y.size).reshape(y.shape)
    layer.float()
    single = _cast(x)
    y32 = layer.forward(single)
    grad32 = layer.backward(single, g.astype(np.float32))
    for got, want in ((y32, y), (grad32, grad)):
        for a, b in zip(leaves(got), leaves(want), strict=True):
            assert a.dtype == (np.float32 if b.dtype == np.float64 else b.dtype)
            np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-5 * max(1.0, np.abs(b).max()))


def assert_inputs_left_alone(layer, x):
    """Check that neither pass writes to the input, and that the next call leaves arrays handed out alone."""
    before = [leaf.copy() for leaf in leaves(x)]
    y, grad = run(layer, x)
    kept = [leaf.copy() for leaf in leaves([y, grad])]
    layer.forward(_negated(x))
    for a, b in zip([*leaves(x), *leaves([y, grad])], [*before, *kept], strict=True):
        np.testing.assert_array_equal(a, b)


def _cast(x):
    return table.map(lambda a: a.astype(np.float32) if a.dtype == np.float64 else a, x)


def _negated(x):
    return table.map(lambda a: -a if a.dtype.kind == "f" else a, x)
