"""Tables of learnt vectors, picked entries, and convolution and pooling over time."""

import numpy as np
import pytest

import nnlite as nn
from tests.layer_checks import assert_float32_agrees, assert_gradients, assert_inputs_left_alone, run

WORDS = np.array([[0, 3, 3, 1], [2, 0, 3, 0]])
FRAMES = np.random.default_rng(5).standard_normal((2, 7, 3))


@pytest.mark.parametrize("words", [WORDS, WORDS[0], WORDS.astype(float), WORDS.astype(np.uint8)])
def test_lookup_takes_rows_and_gives_their_gradients_back(words):
    layer = nn.LookupTable(5, 3).double()
    y, grad = run(layer, words, scale=2.0)
    want, g = np.zeros((5, 3)), 1.0 + np.arange(y.size).reshape(y.shape)
    for place in np.ndindex(words.shape):
        np.testing.assert_array_equal(y[place], layer.weight[int(words[place])])
        want[int(words[place])] += 2 * g[place]
    np.testing.assert_array_equal(layer.grad_weight, want)
    np.testing.assert_array_equal(grad, np.zeros(words.shape))
    assert grad.dtype == words.dtype
    assert_gradients(nn.LookupTable(5, 3), WORDS)
    assert_float32_agrees(nn.LookupTable(5, 3), WORDS)
    assert_inputs_left_alone(nn.LookupTable(5, 3), WORDS)


def test_lookup_starts_from_torch7s_normal_numbers():
    nn.manual_seed(11)
    layer = nn.LookupTable(4, 3).double()
    nn.manual_seed(11)
    np.testing.assert_allclose(layer.weight, nn.random.default_generator.normal(0, 1, (4, 3)), rtol=1e-6)
    nn.manual_seed(11)
    before = layer.weight.copy()
    layer.reset(0.1)
    np.testing.assert_allclose(layer.weight, before / 10, rtol=1e-6)


def test_padding_gets_no_gradient_and_frequency_divides_it():
    layer = nn.LookupTable(5, 2, padding_value=3).double()
    run(layer, WORDS, np.ones((2, 4, 2)))
    np.testing.assert_array_equal(layer.grad_weight[:, 0], [3, 1, 1, 0, 0])
    layer.set_padding(-1).scale_grad_by_freq()
    run(layer, WORDS, np.ones((2, 4, 2)), 0.5)
    np.testing.assert_allclose(layer.grad_weight[:, 0], [0.5, 0.5, 0.5, 0.5, 0])


@pytest.mark.parametrize("norm_type", [None, 1, 2, 3])
def test_rows_in_use_are_kept_short(norm_type):
    layer = nn.LookupTable(3, 2, max_norm=1.0, norm_type=norm_type).double()
    layer.weight[...] = rows = np.array([[3.0, -4.0], [0.3, 0.1], [6.0, 8.0]])
    p = norm_type or 2
    norm = (3.0**p + 4.0**p) ** (1 / p)
    y = layer.forward(np.array([0, 1, 0]))
    np.testing.assert_allclose(layer.weight[0], rows[0] / (norm + 1e-7))
    np.testing.assert_array_equal(layer.weight[1:], rows[1:])  # short enough, and not in use
    np.testing.assert_array_equal(y, layer.weight[[0, 1, 0]])
    layer.set_max_norm(None).forward(np.array([2]))
    np.testing.assert_array_equal(layer.weight[2], [6, 8])
    layer.set_max_norm(5).set_norm_type(1).forward(np.array([2]))
    np.testing.assert_allclose(layer.weight[2], np.array([6, 8]) * 5 / (14 + 1e-7))


def test_masked_lookup():
    layer = nn.LookupTableMaskZero(4, 3).double()
    words = WORDS - 1  # with -1, which is masked
    y, _ = run(layer, words, np.ones((2, 4, 3)))
    assert layer.weight.shape == (5, 3) and not layer.weight[0].any()
    np.testing.assert_array_equal(y, np.where(words[..., None] < 0, 0, layer.weight[words + 1]))
    np.testing.assert_array_equal(layer.grad_weight[:, 0], [3, 1, 1, 3, 0])
    assert_gradients(nn.LookupTableMaskZero(4, 3), WORDS)


def test_index():
    x, index = FRAMES, np.array([2, 0, 2])
    y, (grad, zero) = run(nn.Index(1), [x, index], np.ones((2, 3, 3)))
    np.testing.assert_array_equal(y, np.stack([x[:, 2], x[:, 0], x[:, 2]], 1))
    np.testing.assert_array_equal(grad[0, :, 0], [1, 0, 2, 0, 0, 0, 0])
    assert not zero.any() and zero.dtype == index.dtype
    assert_gradients(nn.Index(-1), [x.copy(), index])
    assert_float32_agrees(nn.Index(0), [x, np.array([1, 1])])


@pytest.mark.parametrize("kw, dw", [(1, 1), (2, 1), (3, 2), (2, 3)])
@pytest.mark.parametrize("x", [FRAMES, FRAMES[0]], ids=["batch", "single"])
def test_temporal_convolution(kw, dw, x):
    layer = nn.TemporalConvolution(3, 2, kw, dw).double()
    y, grad = run(layer, x, scale=0.5)
    frames = (7 - kw) // dw + 1
    assert y.shape == (*x.shape[:-2], frames, 2) and layer.weight.shape == (2, kw * 3)
    g = 1.0 + np.arange(y.size).reshape(y.shape)
    want, wants, dw_want = np.zeros(x.shape), np.zeros(y.shape), np.zeros((2, kw * 3))
    for place in np.ndindex(x.shape[:-2]):
        for p in range(frames):
            window = x[place][p * dw : p * dw + kw].ravel()
            wants[place][p] = layer.bias + [window @ w for w in layer.weight]
            want[place][p * dw : p * dw + kw] += (g[place][p] @ layer.weight).reshape(kw, 3)
            dw_want += 0.5 * np.outer(g[place][p], window)
    np.testing.assert_allclose(y, wants, rtol=1e-12)
    np.testing.assert_allclose(grad, want, rtol=1e-12)
    np.testing.assert_allclose(layer.grad_weight, dw_want, rtol=1e-12)
    np.testing.assert_allclose(layer.grad_bias, 0.5 * g.reshape(-1, 2).sum(0))
    assert_gradients(layer, x.copy())
    assert_float32_agrees(layer, x)
    assert_inputs_left_alone(layer, x)


def test_temporal_convolution_starts_from_torch7s_numbers():
    nn.manual_seed(2)
    layer = nn.TemporalConvolution(3, 2, 4)
    nn.manual_seed(2)
    drawn = nn.random.default_generator.uniform(-1, 1, 24 + 2) / np.sqrt(12)
    np.testing.assert_allclose(np.concatenate([layer.weight.ravel(), layer.bias]), drawn, rtol=1e-6)


@pytest.mark.parametrize("kw, dw", [(2, None), (3, 1), (2, 3)])
@pytest.mark.parametrize("x", [FRAMES, FRAMES[0]], ids=["batch", "single"])
def test_temporal_max_pooling(kw, dw, x):
    layer = nn.TemporalMaxPooling(kw, dw)
    y, grad = run(layer, x)
    step = dw or kw
    frames = (7 - kw) // step + 1
    windows = [x[..., p * step : p * step + kw, :] for p in range(frames)]
    np.testing.assert_array_equal(y, np.stack([window.max(-2) for window in windows], -2))
    assert grad.sum() == y.size * (y.size + 1) / 2
    assert_gradients(layer, x.copy())
    assert_float32_agrees(layer, x)


def test_pooling_of_equal_frames_and_nan():
    x = np.array([[1.0, np.nan], [1.0, 2.0], [0.0, np.nan]])
    y, grad = run(nn.TemporalMaxPooling(3), x, np.ones((1, 2)))
    np.testing.assert_array_equal(y, [[1, 2]])
    np.testing.assert_array_equal(grad, [[1, 0], [0, 1], [0, 0]])


def test_the_masked_row_collects_a_gradient_without_effect():
    layer, words = nn.LookupTableMaskZero(4, 2).double(), np.array([[-1, 2], [0, -1]])
    layer.zero_grad_parameters()
    y = layer.forward(words)
    g = np.arange(1.0, 9).reshape(2, 2, 2)
    layer.backward(words, g)
    np.testing.assert_array_equal(layer.grad_weight, [g[0, 0] + g[1, 1], g[1, 0], [0, 0], g[0, 1], [0, 0]])
    layer.update_parameters(1.0)
    assert layer.weight[0].all()
    again = layer.forward(words)
    assert not again[words < 0].any() and not layer.weight[0].any()
    np.testing.assert_allclose(again[words >= 0], (y - g)[words >= 0])


@pytest.mark.parametrize(
    "layer, x, error, message",
    [
        (nn.LookupTable(3, 2), WORDS, ValueError, r"nn\.LookupTable: index 3 is not in 0\.\.2"),
        (nn.LookupTable(9, 2), -WORDS, ValueError, r"index -3 is not in 0\.\.8"),
        (nn.LookupTable(9, 2), WORDS + 0.5, ValueError, r"index 0\.5 is not in 0\.\.8"),
        (nn.LookupTable(9, 2), WORDS[None], ValueError, "must have 1 or 2 dimensions"),
        (nn.LookupTable(9, 2), [1, 2], TypeError, "input must be an array, got list"),
        (nn.LookupTableMaskZero(3, 2), WORDS - 2, ValueError, r"index -2 is not in -1\.\.2"),
        (nn.Index(3), [FRAMES, WORDS[0]], ValueError, r"nn\.Index: no dimension 3"),
        (nn.Index(2), [FRAMES, WORDS[0]], ValueError, r"nn\.Index: index 3 is not in 0\.\.2"),
        (nn.Index(1), [FRAMES, WORDS], TypeError, r"input\[1\] must be a vector of integers"),
        (nn.TemporalConvolution(2, 2, 2), FRAMES, ValueError, "must have size 2 in dimension -1"),
        (nn.TemporalConvolution(3, 2, 8), FRAMES, ValueError, "must have at least 8 frames, got shape"),
        (nn.TemporalMaxPooling(8), FRAMES, ValueError, "must have at least 8 frames, got shape"),
    ],
)
def test_bad_input(layer, x, error, message):
    with pytest.raises(error, match=message):
        layer.double().forward(x)


def test_bad_arguments():
    for build in (
        lambda: nn.LookupTable(0, 2),
        lambda: nn.TemporalConvolution(2, 2, 0),
        lambda: nn.TemporalMaxPooling(0),
    ):
        with pytest.raises(ValueError, match="must be an integer >= 1, got 0"):
            build()
    with pytest.raises(ValueError, match="norm_type must be above 0, got -1"):
        nn.LookupTable(3, 2, norm_type=-1)
