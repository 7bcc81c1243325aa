"""Initialisation by fan-in and fan-out."""

import math

import numpy as np
import pytest

import nnlite as nn
from nnlite import init
from tests import golden_cases as golden

#: √3 σ for fan_in 12 and fan_out 20, written out.
BOUNDS = {
    "heuristic": 1 / math.sqrt(12),
    "xavier": math.sqrt(6 / 32),
    "xavier_caffe": math.sqrt(3 / 12),
    "kaiming": math.sqrt(12 / 32),
}


def test_matches_torch7():
    """The published encoder, built with seed 51, right after weight-init's "xavier"."""
    recorded = golden.load("d_model", "encoder")["params"]["conv"]
    nn.manual_seed(51)
    conv = nn.SpatialConvolution(1, 4, 3, 3, 1, 1, 1, 1).double()
    init.initialise(nn.Sequential(conv), "xavier")
    golden.assert_close(conv.weight, recorded["weight"], 1e-12)
    np.testing.assert_array_equal(conv.bias, recorded["bias"])


def layers():
    """Return layers of fan_in 12 and fan_out 20 (convolutions: 3 and 5 maps, 2x2)."""
    return [
        nn.Linear(12, 20),
        nn.LinearNoBias(12, 20),
        nn.SpatialConvolution(3, 5, 2, 2),
        nn.SpatialConvolutionNoBias(3, 5, 2, 2),
        nn.SpatialFullConvolution(3, 5, 2, 2),
    ]


@pytest.mark.parametrize("rule", list(BOUNDS))
@pytest.mark.parametrize("index", range(5))
def test_range_of_every_layer(rule, index):
    """The weights are those of reset(σ): from the same stream, uniform up to √3 σ; the bias is zero."""
    layer = layers()[index].double()
    nn.manual_seed(7)
    init.initialise(layer, rule)
    nn.manual_seed(7)
    drawn = nn.random.default_generator.uniform(-1.0, 1.0, layer.weight.shape)
    np.testing.assert_allclose(layer.weight, drawn * BOUNDS[rule], rtol=1e-12)
    assert layer.bias is None or not layer.bias.any()


def test_asymmetric_kernel_counts_its_area():
    conv = nn.SpatialConvolution(2, 4, 5, 1).double()
    nn.manual_seed(7)
    init.initialise(conv, "xavier_caffe")
    nn.manual_seed(7)
    drawn = nn.random.default_generator.uniform(-1.0, 1.0, conv.weight.shape)
    np.testing.assert_allclose(conv.weight, drawn * math.sqrt(3 / 10), rtol=1e-12)


def test_walks_a_net():
    inner, outer = nn.Linear(4, 4), nn.Linear(4, 4)
    net = nn.Sequential(outer, nn.Sequential(nn.Sequential(inner)))
    before = inner.weight.copy()
    assert init.initialise(net, "kaiming") is net
    assert not np.array_equal(before, inner.weight)
    assert not inner.bias.any() and not outer.bias.any()
    assert not np.array_equal(inner.weight, outer.weight)


def test_unknown_rule():
    with pytest.raises(ValueError, match="one of heuristic, xavier, xavier_caffe, kaiming, got 'he'"):
        init.initialise(nn.Linear(2, 2), "he")
