"""What the tests of many layers share."""

import numpy as np

from nnlite.gradcheck import check_module, worst


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
        for a, b in zip(_leaves(got), _leaves(want), strict=True):
            assert a.dtype == (np.float32 if b.dtype == np.float64 else b.dtype)
            np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-5 * max(1.0, np.abs(b).max()))


def assert_inputs_left_alone(layer, x):
    """Check that neither pass writes to the input, and that the next call leaves arrays handed out alone."""
    before = [leaf.copy() for leaf in _leaves(x)]
    y, grad = run(layer, x)
    kept = [leaf.copy() for leaf in _leaves([y, grad])]
    layer.forward(_negated(x))
    for a, b in zip([*_leaves(x), *_leaves([y, grad])], [*before, *kept], strict=True):
        np.testing.assert_array_equal(a, b)


def _leaves(x):
    return [leaf for entry in x for leaf in _leaves(entry)] if isinstance(x, list | tuple) else [x]


def _cast(x):
    if isinstance(x, list | tuple):
        return [_cast(entry) for entry in x]
    return x.astype(np.float32) if x.dtype == np.float64 else x


def _negated(x):
    if isinstance(x, list | tuple):
        return [_negated(entry) for entry in x]
    return -x if x.dtype.kind == "f" else x
