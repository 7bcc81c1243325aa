"""Layers that rearrange, pad or crop: recorded vectors, NumPy's own functions, gradients, bad input."""

import numpy as np
import pytest

import nnlite as nn
from nnlite.gradcheck import check_module, worst
from tests import golden_cases as golden


def reshape(*args):
    """Build Reshape from recorded arguments, whose last may be the batch mode."""
    if isinstance(args[-1], bool):
        return nn.Reshape(*args[:-1], batch_mode=args[-1])
    return nn.Reshape(*args)


def transpose(*swaps):
    """Build Transpose from recorded 1-based dimensions."""
    return nn.Transpose(*((a - 1, b - 1) for a, b in swaps))


CASES = {
    "Reshape_12": reshape,
    "Reshape_1_H_W": reshape,
    "Reshape_ambiguous_first_dim_1": reshape,
    "Reshape_batch": reshape,
    "Reshape_batchMode_false": reshape,
    "Reshape_batchMode_true": reshape,
    "SpatialZeroPadding_1_2_3_4": nn.SpatialZeroPadding,
    "SpatialZeroPadding_batch": nn.SpatialZeroPadding,
    "SpatialZeroPadding_crop": nn.SpatialZeroPadding,
    "Transpose_13_12": transpose,
    "Transpose_13_23": transpose,
    "View_-1": nn.View,
    "View_12": nn.View,
    "View_12_batch": lambda *sizes: nn.View(*sizes).set_num_input_dims(2),
    "View_12_batch_auto": nn.View,
}
GOLDEN = list(CASES)

LAYERS = {
    "Reshape": (lambda: nn.Reshape(2, 3), (6,)),
    "Reshape batch": (lambda: nn.Reshape(2, 3), (2, 6)),
    "View": (lambda: nn.View(-1, 2), (3, 4)),
    "View batch": (lambda: nn.View(-1).set_num_input_dims(3), (2, 3, 2, 2)),
    "Transpose": (lambda: nn.Transpose((0, 2), (0, 1)), (2, 3, 4)),
    "SpatialZeroPadding": (lambda: nn.SpatialZeroPadding(1, 2, 0, 3), (2, 3, 2)),
    "SpatialZeroPadding mixed batch": (lambda: nn.SpatialZeroPadding(2, -1, -1, 1), (2, 2, 3, 4)),
}


def noise(*shape):
    """Return standard normal float64 numbers."""
    return np.random.default_rng(3).standard_normal(shape)


@pytest.mark.parametrize("case", GOLDEN)
def test_matches_torch7(case):
    layer = golden.check_layer("a_nn_layers", case, CASES[case], rtol=0)
    assert repr(layer) == golden.load("a_nn_layers", case)["attrs"]["tostring"]


@pytest.mark.parametrize("label", LAYERS)
def test_gradients(label):
    build, shape = LAYERS[label]
    checks = check_module(build(), noise(*shape))
    assert worst(checks).error < 1e-6, worst(checks)


@pytest.mark.parametrize("label", LAYERS)
def test_float32_stays_float32(label):
    build, shape = LAYERS[label]
    layer, x = build(), noise(*shape).astype(np.float32)
    y = layer.forward(x)
    assert y.dtype == layer.backward(x, y).dtype == np.float32
    np.testing.assert_array_equal(y, layer.double().forward(x.astype(np.float64)))


@pytest.mark.parametrize(
    "sizes, batch_mode, shape, want",
    [
        ((4, 3), None, (12,), (4, 3)),
        ((4, 3), None, (2, 12), (2, 4, 3)),
        ((4, 3), None, (1, 12), (1, 4, 3)),
        ((4, 3), False, (1, 12), (4, 3)),
        ((4, 3), True, (2, 6, 2), (2, 4, 3)),
    ],
)
def test_reshape_and_its_batches(sizes, batch_mode, shape, want):
    x = noise(*shape)
    y = nn.Reshape(*sizes, batch_mode=batch_mode).double().forward(x)
    np.testing.assert_array_equal(y, x.reshape(want), strict=True)


@pytest.mark.parametrize(
    "sizes, dims, shape, want",
    [
        ((12,), None, (3, 4), (12,)),
        ((12,), None, (1, 3, 4), (12,)),
        ((12,), 2, (1, 3, 4), (1, 12)),
        ((12,), 2, (3, 4), (12,)),
        ((12,), None, (2, 3, 4), (2, 12)),
        ((12,), None, (2, 2, 3, 4), (4, 12)),
        ((6,), 2, (2, 3, 4), (4, 6)),
        ((-1,), 3, (2, 3, 4), (24,)),
        ((-1,), 2, (2, 3, 4), (2, 12)),
        ((3, -1), None, (2, 3, 4), (3, 8)),
    ],
)
def test_view_and_its_batches(sizes, dims, shape, want):
    x = noise(*shape)
    y = nn.View(*sizes).set_num_input_dims(dims).double().forward(x)
    np.testing.assert_array_equal(y, x.reshape(want), strict=True)


@pytest.mark.parametrize("swaps", [(), ((0, 1),), ((0, 2), (0, 1)), ((1, 2), (0, 2), (0, 1)), ((-1, 0),)])
def test_transpose_swaps_in_order(swaps):
    x = noise(2, 3, 4)
    want = x
    for a, b in swaps:
        want = np.swapaxes(want, a, b)
    layer = nn.Transpose(*swaps).double()
    y = layer.forward(x)
    np.testing.assert_array_equal(y, want, strict=True)
    assert y.flags.c_contiguous
    np.testing.assert_array_equal(layer.backward(x, y), x, strict=True)


@pytest.mark.parametrize("pads", [(0, 0, 0, 0), (1, 2, 3, 4), (-1, -2, 0, 1), (2, -3, -3, 2)])
def test_padding_is_numpys_and_slicing(pads):
    x = noise(2, 3, 5, 6)
    left, right, top, bottom = pads
    wide = np.pad(x, ((0, 0), (0, 0), (max(top, 0), max(bottom, 0)), (max(left, 0), max(right, 0))))
    rows = slice(max(-top, 0), wide.shape[2] - max(-bottom, 0))
    columns = slice(max(-left, 0), wide.shape[3] - max(-right, 0))
    layer = nn.SpatialZeroPadding(*pads).double()
    np.testing.assert_array_equal(layer.forward(x), wide[:, :, rows, columns], strict=True)


@pytest.mark.parametrize(
    "layer, shape, message",
    [
        (nn.Reshape(12), (3, 5), r"nn\.Reshape: input of shape \(3, 5\) does not fit into \(3, 12\)"),
        (nn.Reshape(12, batch_mode=False), (2, 12), r"does not fit into \(12,\)"),
        (nn.View(12), (3, 5), r"nn\.View: input of shape \(3, 5\) does not fit into \(12,\)"),
        (nn.View(5, -1).set_num_input_dims(1), (5, 4), "does not fit"),
        (nn.Transpose((0, 3)), (2, 3, 4), r"nn\.Transpose: input must have all dimensions of the swaps"),
        (nn.SpatialZeroPadding(1), (3, 4), r"nn\.SpatialZeroPadding: input must have 3 or 4 dimensions"),
        (nn.SpatialZeroPadding(-2, 5, 0, 0), (1, 3, 2), "cropping leaves nothing"),
        (nn.SpatialZeroPadding(0, 0, -2, -2), (1, 3, 2), "cropping leaves nothing"),
    ],
)
def test_bad_shape(layer, shape, message):
    with pytest.raises(ValueError, match=message):
        layer.forward(np.zeros(shape, np.float32))


@pytest.mark.parametrize(
    "build, message",
    [
        (lambda: nn.Reshape(12, True), r"nn\.Reshape: sizes must be positive integers, got True"),
        (lambda: nn.Reshape(-1, 2), "got -1"),
        (lambda: nn.View(0), r"nn\.View: sizes must be positive integers, got 0"),
        (lambda: nn.View(-1, -1), "only one size can be -1"),
    ],
)
def test_bad_sizes(build, message):
    with pytest.raises(ValueError, match=message):
        build()


@pytest.mark.parametrize("label", LAYERS)
def test_bad_type_and_grad_output(label):
    build, shape = LAYERS[label]
    layer, x = build(), np.zeros(shape, np.float32)
    with pytest.raises(TypeError, match=rf"{layer.name}: input must be float32, got float64"):
        layer.forward(np.zeros(shape))
    with pytest.raises(RuntimeError, match="call forward before backward"):
        layer.backward(x, x)
    y = layer.forward(x)
    with pytest.raises(ValueError, match=rf"{layer.name}: grad_output must have shape"):
        layer.backward(x, y[1:])
