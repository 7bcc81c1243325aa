"""Torch7 files: objects from before some of their fields existed are what Torch7 makes of them."""

import numpy as np
import pytest

import nnlite as nn
from nnlite import torch7
from tests import golden_cases as golden

RNG = np.random.default_rng(3)
MAPS = RNG.standard_normal((2, 3, 4, 4)).astype(np.float32)


def converted(module, name=None, without=(), version=1, **changes):
    """Return what a file holds of `module`, changed, as a module again."""
    obj = torch7.from_module(module)
    fields = {key: value for key, value in obj.contents.items() if key not in without} | changes
    return torch7.to_module(torch7.TorchObject(name or obj.class_name, fields, version))


@pytest.mark.parametrize(
    "name", ["nn.SpatialConvolutionMM", "nn.SpatialConvolution", "cudnn.SpatialConvolution"]
)
def test_a_single_padding_stands_for_both(name):
    conv = nn.SpatialConvolution(3, 2, 3, 3, 1, 1, 1, 1)
    weight = conv.weight.reshape(2, -1)
    again = converted(conv, name, ("padW", "padH", "dW", "dH"), padding=1, weight=weight)
    golden.assert_close(again.forward(MAPS), conv.forward(MAPS), 0)
    assert again.output.shape == (2, 2, 4, 4)


@pytest.mark.parametrize("name", ["SpatialConvolution", "SpatialFullConvolution"])
def test_convolutions_had_no_steps_and_padding(name):
    conv = getattr(nn, name)(3, 2, 3, 3)
    again = converted(conv, None, ("padW", "padH", "dW", "dH", "adjW", "adjH"))
    golden.assert_close(again.forward(MAPS), conv.forward(MAPS), 0)


def test_max_pooling_had_no_steps():
    pool = nn.SpatialMaxPooling(2, 2)
    again = converted(pool, None, ("dW", "dH", "padW", "padH", "ceil_mode"))
    golden.assert_close(again.forward(MAPS), pool.forward(MAPS), 0)


@pytest.mark.parametrize("name, factor", [("nn", 6), ("cudnn", 1)])
def test_average_pooling_summed_before_it_divided(name, factor):
    pool = nn.SpatialAveragePooling(2, 3, 2, 1)
    without = ("ceil_mode", "count_include_pad", "padW", "padH", "divide")
    again = converted(pool, f"{name}.SpatialAveragePooling", without)
    golden.assert_close(again.forward(MAPS), factor * pool.forward(MAPS), 1e-6)
    g = RNG.standard_normal(pool.output.shape).astype(np.float32)
    golden.assert_close(again.backward(MAPS, g), factor * pool.backward(MAPS, g), 1e-6)
    assert torch7.from_module(again).contents["divide"] == (factor == 1)


@pytest.mark.parametrize("name", ["nn.SpatialBatchNormalization", "cudnn.SpatialBatchNormalization"])
def test_batch_normalization_kept_the_inverse_deviation(name):
    norm = nn.SpatialBatchNormalization(3, 1e-3)
    norm.running_mean[...], norm.running_var[...] = [1, 2, 3], [0.5, 1, 4]
    norm.evaluate()
    inverse = 1 / np.sqrt(norm.running_var + np.float32(1e-3))
    again = converted(norm, name, ("running_var", "affine"), running_std=inverse)
    golden.assert_close(again.running_var, norm.running_var, 1e-5)
    golden.assert_close(again.forward(MAPS), norm.forward(MAPS), 1e-5)
    with pytest.raises(torch7.Torch7Error, match=r"running_var .* must be a tensor of shape"):
        converted(norm, name, ("running_var",), version=2, running_std=inverse)


def test_batch_normalization_without_affine_had_no_field_that_says_so():
    norm = nn.BatchNormalization(3, affine=False)
    again = converted(norm, None, ("affine", "eps", "momentum"))
    assert again.weight is None and (again.eps, again.momentum) == (1e-5, 0.1)
    with pytest.raises(torch7.Torch7Error, match=r"weight .* must be a tensor of shape \(3,\), got None"):
        converted(nn.BatchNormalization(3), None, ("weight",))


def test_dropout_scaled_while_evaluating():
    drop = converted(nn.Dropout(0.25), None, ("v2",))
    assert drop.v1 and torch7.from_module(drop).contents["v2"] is False
    x = np.ones((100, 100), np.float32)
    assert set(np.unique(drop.forward(x))) == {0, 1}
    assert (drop.backward(x, x) == drop.output).all()
    drop.evaluate()
    golden.assert_close(drop.forward(x), 0.75 * x, 0)
    golden.assert_close(drop.backward(x, x), 0.75 * x, 0)


@pytest.mark.parametrize(
    "module, without",
    [
        (nn.HardTanh(), ("min_val", "max_val")),
        (nn.SpatialCrossMapLRN(3), ("alpha", "beta", "k")),
        (nn.CMul(3, 4, 4), ("size",)),
        (nn.Sqrt(), ("eps",)),
        (nn.Reshape(48), ("batchMode",)),
        (nn.View(48), ("numInputDims",)),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_defaults_of_missing_fields(module, without):
    x = np.abs(MAPS)
    golden.assert_close(converted(module, None, without).forward(x), module.forward(x), 0)


def test_local_normalisation_without_thresholds():
    kernel = np.full((3, 3), 1 / 27)
    for name, options in (("Divisive", (1e-4, 1e-4)), ("Contrastive", (1e-4,))):
        obj = torch7.TorchObject(f"nn.Spatial{name}Normalization", {"nInputPlane": 3, "kernel": kernel})
        want = getattr(nn, f"Spatial{name}Normalization")(3, kernel, *options)
        golden.assert_close(torch7.to_module(obj).forward(MAPS), want.forward(MAPS), 1e-6)


def test_layers_of_a_recurrent_class_are_old_too():
    """Its gates' layers are read by their own fields alone."""
    lstm = nn.FastLSTM(3, 2)
    obj = torch7.from_module(lstm)
    x = RNG.standard_normal((2, 3)).astype(np.float32)
    for field in ("i2g", "o2g"):
        for name in ("gradWeight", "gradBias", "train", "_type"):
            obj.contents[field].contents.pop(name, None)
    golden.assert_close(torch7.to_module(obj).forward(x), lstm.forward(x), 0)
