"""Normalisation over neighbourhoods: recorded vectors, SciPy's correlation, gradients, types, bad input."""

import numpy as np
import pytest
from scipy.signal import correlate2d

import nnlite as nn
from nnlite.gradcheck import check_module, worst
from nnlite.ops import stencils
from tests import golden_cases as golden


def recorded_kernel():
    """Return the Gaussian kernel of the recorded contrastive normalisations."""
    return golden.load("a_nn_layers", "SpatialContrastiveNormalization_gauss7")["kernel"]


CASES = {
    "SpatialContrastiveNormalization_box5": lambda: nn.SpatialContrastiveNormalization(2, np.ones((5, 5))),
    "SpatialContrastiveNormalization_gauss7": lambda: nn.SpatialContrastiveNormalization(
        1, recorded_kernel()
    ),
    "SpatialContrastiveNormalization_gauss7_batch": lambda: nn.SpatialContrastiveNormalization(
        1, recorded_kernel()
    ),
    "SpatialDivisiveNormalization_box5": lambda: nn.SpatialDivisiveNormalization(2, np.ones((5, 5))),
    "SpatialSubtractiveNormalization_box5": lambda: nn.SpatialSubtractiveNormalization(2, np.ones((5, 5))),
}
GOLDEN = list(CASES)

KERNEL = np.random.default_rng(7).uniform(0.1, 1.0, (3, 5))
LAYERS = {
    "SpatialSubtractiveNormalization": (lambda: nn.SpatialSubtractiveNormalization(2, KERNEL), (2, 4, 6)),
    "SpatialDivisiveNormalization": (lambda: nn.SpatialDivisiveNormalization(2, KERNEL), (2, 2, 4, 6)),
    "SpatialDivisiveNormalization threshold": (
        lambda: nn.SpatialDivisiveNormalization(2, KERNEL, 1.0, 0.8),
        (2, 2, 4, 6),
    ),
    "SpatialContrastiveNormalization": (
        lambda: nn.SpatialContrastiveNormalization(2, KERNEL),
        (2, 2, 4, 6),
    ),
    "SpatialContrastiveNormalization 1-D": (
        lambda: nn.SpatialContrastiveNormalization(2, KERNEL[0]),
        (2, 4, 6),
    ),
}


def noise(*shape):
    """Return standard normal float64 numbers, others than the gradient check draws."""
    return np.random.default_rng(3).standard_normal(shape)


@pytest.mark.parametrize("case", CASES)
def test_local_normalization_matches_torch7(case):
    golden.check_layer("a_nn_layers", case, CASES[case])


@pytest.mark.parametrize("kernel_shape", [(1, 1), (3, 3), (1, 5), (3, 7), (9, 9)])
def test_correlation_is_scipys_and_its_backward_the_transpose(kernel_shape):
    x, g = noise(2, 3, 5, 6), np.random.default_rng(1).standard_normal((2, 3, 5, 6))
    kernel = np.random.default_rng(2).standard_normal(kernel_shape)
    y = stencils.correlate(x, kernel)
    # SciPy's "same" is relative to the larger array, so that 9 × 9 is cut out of "full".
    top, left = kernel_shape[0] // 2, kernel_shape[1] // 2
    for maps, got in zip(x.reshape(-1, 5, 6), y.reshape(-1, 5, 6)):
        full = correlate2d(maps, kernel, mode="full")
        np.testing.assert_allclose(got, full[top : top + 5, left : left + 6], atol=1e-12)
    np.testing.assert_allclose((y * g).sum(), (x * stencils.correlate_backward(g, kernel)).sum())


@pytest.mark.parametrize("kernel", [KERNEL, KERNEL[0]], ids=["2-D", "1-D"])
@pytest.mark.parametrize("shape", [(2, 6, 7), (3, 2, 6, 7)], ids=["single", "batch"])
def test_local_normalization_is_its_definition(kernel, shape):
    x = noise(*shape)
    weights = kernel if kernel.ndim == 2 else np.outer(kernel, kernel)
    weights = weights / weights.sum() / 2

    def mean(maps):
        entries = maps.reshape(-1, 2, 6, 7)
        summed = [correlate2d(entry.sum(0), weights, mode="same") for entry in entries]
        return np.stack(summed).reshape(*maps.shape[:-3], 1, 6, 7)

    border = mean(np.ones((2, 6, 7)))
    subtracted = x - mean(x) / border
    deviation = np.sqrt(mean(x * x)) / border
    kept = deviation > 1.05
    assert 0 < kept.sum() < kept.size
    divided = x / np.where(kept, deviation, 0.9)

    layer = nn.SpatialSubtractiveNormalization(2, kernel).double()
    np.testing.assert_allclose(layer.forward(x), subtracted, atol=1e-12)
    layer = nn.SpatialDivisiveNormalization(2, kernel, 1.05, 0.9).double()
    np.testing.assert_allclose(layer.forward(x), divided, atol=1e-12)
    layer = nn.SpatialContrastiveNormalization(2, kernel).double()
    want = subtracted / (np.sqrt(mean(subtracted**2)) / border)
    np.testing.assert_allclose(layer.forward(x), want, atol=1e-12)


def test_default_kernel_is_a_box_of_nine():
    x = noise(2, 1, 12, 11)
    default = nn.SpatialContrastiveNormalization().double().forward(x).copy()
    box = nn.SpatialContrastiveNormalization(1, np.ones((9, 9), np.float32)).double()
    np.testing.assert_array_equal(default, box.forward(x))


def test_flat_maps_become_zero_and_pass_no_nan():
    x = np.full((1, 6, 6), 3.0)
    layer = nn.SpatialContrastiveNormalization(1, np.ones((3, 3))).double()
    np.testing.assert_allclose(layer.forward(x), 0, atol=1e-10)
    layer = nn.SpatialDivisiveNormalization(1, np.ones((3, 3))).double()
    np.testing.assert_array_equal(layer.forward(0 * x), 0)
    np.testing.assert_allclose(layer.backward(0 * x, x), 3.0 / 1e-4)


def test_kernel_is_not_written_to():
    kernel = KERNEL.copy()
    nn.SpatialContrastiveNormalization(2, kernel)
    np.testing.assert_array_equal(kernel, KERNEL)


def test_contrastive_normalization_passes_its_thresval_on():
    """Torch7's does not, because of a slip of the pen in its constructor."""
    x = noise(2, 4, 6)
    layer = nn.SpatialContrastiveNormalization(2, KERNEL, 1.0, 0.8).double()
    first = nn.SpatialSubtractiveNormalization(2, KERNEL).double()
    second = nn.SpatialDivisiveNormalization(2, KERNEL, 1.0, 0.8).double()
    np.testing.assert_array_equal(layer.forward(x), second.forward(first.forward(x)))
    assert (second.thresholdedstds == 0.8).any()


@pytest.mark.parametrize("label", LAYERS)
def test_gradients(label):
    build, shape = LAYERS[label]
    checks = check_module(build(), noise(*shape))
    assert worst(checks).error < 1e-6, worst(checks)


@pytest.mark.parametrize("label", LAYERS)
def test_float32_agrees_with_float64(label):
    build, shape = LAYERS[label]
    layer, x, g = build(), noise(*shape), np.random.default_rng(1).standard_normal(shape)

    def run(x, g):
        return layer.forward(x).copy(), layer.backward(x, g).copy()

    single = run(x.astype(np.float32), g.astype(np.float32))
    assert {y.dtype for y in single} == {np.dtype(np.float32)}
    layer.double()
    for got, want in zip(single, run(x, g)):
        np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    "layer, shape, message",
    [
        (nn.SpatialSubtractiveNormalization(2), (3, 4, 4), r"nn\.SpatialSubtractiveNormalization: .* size 2"),
        (nn.SpatialDivisiveNormalization(2), (4, 4), r"nn\.SpatialDivisiveNormalization: input must have 3"),
        (nn.SpatialContrastiveNormalization(2), (4, 4), r"nn\.SpatialSubtractiveNormalization: input"),
    ],
)
def test_bad_shape(layer, shape, message):
    with pytest.raises(ValueError, match=message):
        layer.forward(np.zeros(shape, np.float32))


@pytest.mark.parametrize(
    "build, message",
    [
        (
            lambda: nn.SpatialSubtractiveNormalization(1, np.ones((4, 3))),
            r"nn\.SpatialSubtractiveNormalization: kernel must be 1-D or 2-D with odd sizes, got shape \(4, ",
        ),
        (lambda: nn.SpatialDivisiveNormalization(1, np.ones((3, 3, 3))), r"nn\.SpatialDivisiveNormalization"),
        (lambda: nn.SpatialContrastiveNormalization(1, np.ones(2)), r"got shape \(2,\)"),
    ],
)
def test_bad_arguments(build, message):
    with pytest.raises(ValueError, match=message):
        build()


@pytest.mark.parametrize("label", LAYERS)
def test_bad_type_and_grad_output(label):
    build, shape = LAYERS[label]
    layer, x = build(), noise(*shape).astype(np.float32)
    with pytest.raises(TypeError, match="input must be float32, got float64"):
        layer.forward(x.astype(np.float64))
    with pytest.raises(RuntimeError, match="call forward before backward"):
        layer.backward(x, x)
    layer.forward(x)
    with pytest.raises(ValueError, match="grad_output must have shape"):
        layer.backward(x, x[1:])
