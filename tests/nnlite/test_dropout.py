"""Dropout: recorded masks and vectors, statistics, gradients, modes, bad input."""

import numpy as np
import pytest

import nnlite as nn
from nnlite.gradcheck import check_module, worst
from tests import golden_cases as golden


def seeded(cls):
    """Return a builder that restarts the generator where the recording did, right before the forward pass."""

    def build(p):
        layer = cls(p)
        nn.manual_seed(6)
        return layer

    return build


CASES = {
    "Dropout_eval": nn.Dropout,
    "Dropout_train": seeded(nn.Dropout),
    "SpatialDropout_eval": nn.SpatialDropout,
    "SpatialDropout_train": seeded(nn.SpatialDropout),
}
GOLDEN = list(CASES)

LAYERS = {
    "Dropout": (nn.Dropout, (3, 4)),
    "SpatialDropout": (nn.SpatialDropout, (8, 2, 2)),
    "SpatialDropout batch": (nn.SpatialDropout, (2, 4, 2, 2)),
}


@pytest.mark.parametrize("case", GOLDEN)
def test_matches_torch7(case):
    layer = golden.check_layer("a_nn_layers", case, CASES[case], rtol=1e-12)
    recorded = golden.load("a_nn_layers", case)
    if "noise" in recorded:
        golden.assert_close(layer.noise, recorded["noise"], 1e-12, "noise")
    if "tostring" in recorded["attrs"]:
        assert repr(layer) == recorded["attrs"]["tostring"]


@pytest.mark.parametrize("label", LAYERS)
def test_gradients(label):
    cls, shape = LAYERS[label]
    checks = check_module(cls(0.4), np.random.default_rng(3).standard_normal(shape))
    assert worst(checks).error < 1e-6, worst(checks)


@pytest.mark.parametrize("label", LAYERS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_keeps_its_dtype_and_its_mask_for_backward(label, dtype):
    cls, shape = LAYERS[label]
    layer, x = cls(0.5).type(dtype), np.ones(shape, dtype)
    y = layer.forward(x)
    g = layer.backward(x, x)
    assert y.dtype == g.dtype == dtype
    np.testing.assert_array_equal(y, g)
    assert 0 < np.count_nonzero(y) < y.size


def test_keeps_the_expected_share():
    y = nn.Dropout(0.3).double().forward(np.ones((100, 1000)))
    assert set(np.unique(y)) == {0.0, 1 / 0.7}
    assert abs(np.mean(y == 0) - 0.3) < 5 * np.sqrt(0.21 / 1e5)


def test_spatial_dropout_drops_whole_maps():
    y = nn.SpatialDropout(0.3).double().forward(np.ones((100, 1000, 2, 2)))
    assert set(np.unique(y)) == {0.0, 1.0}
    np.testing.assert_array_equal(y, np.broadcast_to(y[..., :1, :1], y.shape))
    assert abs(np.mean(y == 0) - 0.3) < 5 * np.sqrt(0.21 / 1e5)


def test_every_pass_draws_a_new_mask():
    layer, x = nn.Dropout(0.5), np.ones((8, 8), np.float32)
    assert not np.array_equal(layer.forward(x).copy(), layer.forward(x))


@pytest.mark.parametrize("layer, factor", [(nn.Dropout(0.25), 1.0), (nn.SpatialDropout(0.25), 0.75)])
def test_evaluation_draws_nothing(layer, factor):
    x = np.ones((3, 4, 4), np.float32)
    nn.manual_seed(1)
    expected = nn.random.default_generator.uniform()
    layer.forward(x)
    nn.manual_seed(1)
    layer.evaluate()
    np.testing.assert_array_equal(layer.forward(x), factor * x)
    assert nn.random.default_generator.uniform() == expected


def test_spatial_dropout_has_no_backward_pass_while_evaluating():
    layer, x = nn.SpatialDropout(0.5), np.ones((3, 4, 4), np.float32)
    layer.forward(x)
    layer.evaluate()
    layer.forward(x)
    with pytest.raises(RuntimeError, match=r"nn\.SpatialDropout: .* no backward pass"):
        layer.backward(x, x)


@pytest.mark.parametrize("cls", [nn.Dropout, nn.SpatialDropout])
@pytest.mark.parametrize("p", [-0.1, 1.0, 1.5])
def test_bad_probability(cls, p):
    with pytest.raises(ValueError, match=rf"nn\.{cls.__name__}: p must be at least 0 and below 1, got {p}"):
        cls(p)


@pytest.mark.parametrize("label", LAYERS)
def test_bad_input(label):
    cls, shape = LAYERS[label]
    layer, x = cls(), np.zeros(shape, np.float32)
    with pytest.raises(TypeError, match=rf"{layer.name}: input must be float32, got float64"):
        layer.forward(np.zeros(shape))
    with pytest.raises(RuntimeError, match="call forward before backward"):
        layer.backward(x, x)
    layer.forward(x)
    with pytest.raises(ValueError, match=rf"{layer.name}: grad_output must have shape"):
        layer.backward(x, x[1:])


def test_spatial_dropout_wants_images():
    with pytest.raises(ValueError, match=r"nn\.SpatialDropout: input must have 3 or 4 dimensions"):
        nn.SpatialDropout().forward(np.zeros((3, 4), np.float32))
