"""Torch7 files: conversion of nn modules."""

import re

import numpy as np
import pytest

import nnlite as nn
from nnlite import torch7
from nnlite.torch7.kinds import KINDS
from tests import golden_cases as golden
from tests.torch7_examples import FURTHER_EXAMPLES

GOLDEN = ["nn_Sequential"]

FOLDER = golden.FOLDER / "serialization"
NETS = sorted(path.name for path in FOLDER.glob("nn_Sequential*.t7"))


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("case", GOLDEN)
def test_recorded_net_is_evaluated(case, name):
    recorded = golden.load("f_serialization", case)
    net = torch7.to_module(torch7.load(FOLDER / name))
    single = "_float" in name
    assert net.dtype == (np.float32 if single else np.float64)
    for i in (0, 3):
        for parameter in ("weight", "bias"):
            want = recorded["params"][str(i + 1)][parameter].astype(net.dtype)
            np.testing.assert_array_equal(getattr(net.modules[i], parameter), want)
    output = net.forward(recorded["input"].astype(net.dtype))
    golden.assert_close(output, recorded["output"], 1e-6 if single else 1e-10)


@pytest.mark.parametrize("name", NETS)
def test_recorded_net_is_rebuilt_field_by_field(name):
    """from_module writes each field that Torch7 wrote, but for what the last forward pass left."""
    original = torch7.load(FOLDER / name)
    rebuilt = torch7.from_module(torch7.to_module(original))
    scratch = {"finput", "fgradInput", "iwidth", "iheight", "output", "gradInput"}
    pairs = [(original, rebuilt)]
    pairs += [(original.contents["modules"][i], rebuilt.contents["modules"][i]) for i in range(1, 5)]
    for old, new in pairs:
        assert old.class_name == new.class_name
        assert set(old.contents) - scratch <= set(new.contents)
        for key in set(old.contents) - scratch - {"modules"}:
            np.testing.assert_array_equal(new.contents[key], old.contents[key])


def noise(*shape):
    return np.random.default_rng(1).standard_normal(shape).astype(np.float32)


def pooled():
    pool = nn.SpatialMaxPooling(2, 2)
    return nn.Sequential(pool, nn.Tanh(), nn.SpatialMaxUnpooling(pool))


MAPS, VECTORS = noise(2, 3, 4, 5), noise(2, 6)
TABLE = [noise(2, 3), noise(2, 3) + 5]

#: For every kind that can be converted: modules and an input.
EXAMPLES = {
    "Sequential": (lambda: nn.Sequential(nn.Linear(6, 2), nn.Sequential()), VECTORS),
    "Concat": (lambda: nn.Concat(1, nn.Linear(6, 2), nn.Linear(6, 3)), VECTORS),
    "ConcatTable": (lambda: nn.ConcatTable(nn.Linear(6, 2), nn.Tanh()), VECTORS),
    "ParallelTable": (lambda: nn.ParallelTable(nn.Linear(3, 2), nn.Tanh()), TABLE),
    "Bottle": (lambda: nn.Bottle(nn.Linear(5, 2)), MAPS),
    "Identity": (nn.Identity, MAPS),
    "JoinTable": (lambda: nn.JoinTable(-1), TABLE),
    "SplitTable": (lambda: nn.SplitTable(1, 3), MAPS),
    "SelectTable": (lambda: nn.SelectTable(-1), TABLE),
    "NarrowTable": (lambda: nn.NarrowTable(1, 1), TABLE),
    "FlattenTable": (nn.FlattenTable, [TABLE, MAPS]),
    "CAddTable": (nn.CAddTable, TABLE),
    "CSubTable": (nn.CSubTable, TABLE),
    "CMulTable": (nn.CMulTable, TABLE),
    "CDivTable": (nn.CDivTable, TABLE),
    "Linear": (lambda: nn.Linear(6, 2, bias=False), VECTORS),
    "LinearNoBias": (lambda: nn.LinearNoBias(6, 2), VECTORS),
    "SpatialConvolution": (lambda: nn.SpatialConvolution(3, 2, 3, 2, 2, 1, 1, 0), MAPS),
    "SpatialConvolutionNoBias": (lambda: nn.SpatialConvolutionNoBias(3, 2, 3, 2), MAPS),
    "SpatialFullConvolution": (lambda: nn.SpatialFullConvolution(3, 2, 3, 2, 2, 3, 1, 0, 1, 2), MAPS),
    "BatchNormalization": (lambda: nn.BatchNormalization(6, 1e-3, 0.2), VECTORS),
    "SpatialBatchNormalization": (lambda: nn.SpatialBatchNormalization(3, 1e-5, 0.1, False), MAPS),
    "Mul": (nn.Mul, MAPS),
    "CMul": (lambda: nn.CMul(1, 3, 1, 1), MAPS),
    "Add": (lambda: nn.Add(6), VECTORS),
    "SpatialMaxPooling": (lambda: nn.SpatialMaxPooling(2, 3, 2, 1, 1, 0).ceil(), MAPS),
    "SpatialAveragePooling": (
        lambda: nn.SpatialAveragePooling(2, 3, 2, 1, 1, 0).ceil().set_count_exclude_pad(),
        MAPS,
    ),
    "SpatialMaxUnpooling": (pooled, noise(2, 3, 4, 4)),
    "SpatialUpSamplingNearest": (lambda: nn.SpatialUpSamplingNearest(2), MAPS),
    "SpatialZeroPadding": (lambda: nn.SpatialZeroPadding(1, -1, 2, 0), MAPS),
    "SpatialCrossMapLRN": (lambda: nn.SpatialCrossMapLRN(3, 1e-2, 0.6, 1.5), MAPS),
    "Dropout": (lambda: nn.Dropout(0.3), MAPS),
    "SpatialDropout": (lambda: nn.SpatialDropout(0.3), MAPS),
    "Reshape": (lambda: nn.Reshape(5, 12, batch_mode=True), MAPS),
    "View": (lambda: nn.View(-1, 6).set_num_input_dims(3), noise(2, 3, 4, 3)),
    "Transpose": (lambda: nn.Transpose((0, 2), (1, 3)), MAPS),
    "Tanh": (nn.Tanh, MAPS),
    "Sigmoid": (nn.Sigmoid, MAPS),
    "LogSigmoid": (nn.LogSigmoid, MAPS),
    "ReLU": (nn.ReLU, MAPS),
    "HardTanh": (lambda: nn.HardTanh(-0.5, 0.25), MAPS),
    "Clamp": (lambda: nn.Clamp(-0.5, 0.25), MAPS),
    "Abs": (nn.Abs, MAPS),
    "Square": (nn.Square, MAPS),
    "Sqrt": (nn.Sqrt, np.abs(MAPS)),
    "SoftMax": (nn.SoftMax, MAPS),
    "LogSoftMax": (nn.LogSoftMax, MAPS),
    "SpatialLogSoftMax": (nn.SpatialLogSoftMax, MAPS),
    "AddConstant": (lambda: nn.AddConstant(0.3), MAPS),
    "MulConstant": (lambda: nn.MulConstant(0.3), MAPS),
    "LSTM": (lambda: nn.LSTM(6, 2, 5), VECTORS),
    "FastLSTM": (lambda: nn.FastLSTM(6, 2, 5), VECTORS),
    "ConvLSTM": (lambda: nn.ConvLSTM(3, 2, 5, 2, 3, 2), MAPS),
    "UntiedConvLSTM": (lambda: nn.UntiedConvLSTM(3, 2, 5, 3, 5, batch_size=2), MAPS),
    "Recurrent": (lambda: nn.Recurrent(2, nn.Linear(6, 2), nn.Linear(2, 2), nn.Tanh(), 5), VECTORS),
    "Recursor": (lambda: nn.Recursor(nn.Sequential(nn.Linear(6, 2), nn.FastLSTM(2, 3)), 7), VECTORS),
    "Sequencer": (lambda: nn.Sequencer(nn.LSTM(5, 2, cell2gate=False)).remember("eval"), noise(4, 2, 5)),
    "BilinearSamplerBHWD": (nn.BilinearSamplerBHWD, [noise(2, 3, 4, 5), noise(2, 6, 7, 2)]),
    "AffineGridGeneratorOpticalFlow2D": (
        lambda: nn.AffineGridGeneratorOpticalFlow2D(4, 5),
        noise(2, 2, 4, 5),
    ),
    "SmoothHuberPenalty": (lambda: nn.SmoothHuberPenalty(0.3, 0.02, "published"), noise(2, 4, 5)),
}

EXAMPLES |= FURTHER_EXAMPLES

#: Kinds that are only read.
READ_ONLY = {f"Spatial{name}Normalization" for name in ("Subtractive", "Divisive", "Contrastive")} | {
    "gModule"
}


def test_examples_are_complete():
    assert set(EXAMPLES) == set(KINDS) - READ_ONLY


@pytest.mark.parametrize("name", list(EXAMPLES))
@pytest.mark.parametrize("training", [True, False])
def test_module_round_trip(tmp_path, name, training):
    """A module written and read is the same: class, options, mode, arrays, output."""
    build, input = EXAMPLES[name]
    module = build()
    if not training:
        module.forward(input)
        module.evaluate()
    torch7.save(tmp_path / "a.t7", torch7.from_module(module))
    again = torch7.to_module(torch7.load(tmp_path / "a.t7"))
    assert repr(again) == repr(module)
    assert [type(m) for m in again.list_modules()] == [type(m) for m in module.list_modules()]
    assert [m.train for m in again.list_modules()] == [m.train for m in module.list_modules()]
    for mine, theirs in zip(again.list_modules(), module.list_modules()):
        for attribute in ("weight", "bias", "grad_weight", "grad_bias", "running_mean", "running_var"):
            np.testing.assert_array_equal(getattr(mine, attribute, None), getattr(theirs, attribute, None))
    outputs = []
    for net in (module, again):
        nn.manual_seed(3)
        outputs.append(net.forward(input))
    golden.assert_close(outputs[1], outputs[0], 0)


def test_double_module_and_random_stream(tmp_path):
    net = nn.Sequential(nn.Linear(6, 2), nn.Tanh()).double()
    obj = torch7.from_module(net)
    assert obj.contents["_type"] == "torch.DoubleTensor"
    nn.manual_seed(5)
    assert torch7.to_module(obj).dtype == np.float64
    drawn = nn.random.default_generator.random(1)
    nn.manual_seed(5)
    assert drawn == nn.random.default_generator.random(1)


def test_shared_modules_and_parameters(tmp_path):
    first, second = nn.Linear(3, 3), nn.Linear(3, 3)
    second.share(first, "weight", "grad_weight")
    net = nn.Sequential(first, second, first)
    torch7.save(tmp_path / "a.t7", torch7.from_module(net))
    again = torch7.to_module(torch7.load(tmp_path / "a.t7"))
    assert again.modules[0] is again.modules[2]
    again.modules[0].weight[0, 0] = 99
    again.modules[1].grad_weight[0, 0] = 98
    assert again.modules[1].weight[0, 0] == 99 and again.modules[0].grad_weight[0, 0] == 98
    again.modules[0].bias[0] = 97
    assert again.modules[1].bias[0] != 97
    assert again.get_parameters()[0].size == 9 + 3 + 3


def test_classes_have_their_versions():
    assert torch7.from_module(nn.SpatialBatchNormalization(3)).version == 2
    assert torch7.from_module(nn.Linear(3, 2)).version == 1


def test_unpooling_finds_its_pooling_module(tmp_path):
    torch7.save(tmp_path / "a.t7", torch7.from_module(pooled()))
    pool, _, unpool = torch7.as_list(torch7.load(tmp_path / "a.t7").contents["modules"])
    assert unpool.contents["indices"] is pool.contents["indices"]
    again = torch7.to_module(torch7.load(tmp_path / "a.t7"))
    assert again.modules[2].pooling is again.modules[0]


def test_flattened_parameters_become_one_storage(tmp_path):
    net = nn.Sequential(nn.Linear(300, 10), nn.Linear(10, 10))
    flat, _ = net.get_parameters()
    torch7.save(tmp_path / "a.t7", torch7.from_module(net))
    fields = torch7.load(tmp_path / "a.t7").contents["modules"][2].contents
    owner = fields["weight"].base
    assert owner.size == flat.size and np.shares_memory(owner, fields["bias"])


def test_dimensions_count_from_one_in_torch7():
    assert torch7.from_module(nn.JoinTable(0)).contents["dimension"] == 1
    assert torch7.from_module(nn.JoinTable(-1)).contents["dimension"] == -1
    assert torch7.from_module(nn.SelectTable(2)).contents["index"] == 3
    assert torch7.from_module(nn.NarrowTable(1, 2)).contents["offset"] == 2
    pairs = torch7.from_module(nn.Transpose((0, 2))).contents["permutations"]
    assert pairs == {1: {1: 1, 2: 3}}


def test_older_and_gpu_spellings():
    conv = nn.SpatialConvolution(3, 2, 3, 2)
    fields = torch7.from_module(conv).contents
    del fields["padW"], fields["padH"], fields["train"], fields["_type"]
    fields["weight"] = fields["weight"].reshape(2, -1)
    for name in ("nn.SpatialConvolutionMM", "cudnn.SpatialConvolution"):
        again = torch7.to_module(torch7.TorchObject(name, fields))
        golden.assert_close(again.forward(MAPS), conv.forward(MAPS), 0)
    fields["groups"] = 2
    with pytest.raises(ValueError, match="a convolution in 2 groups has no counterpart"):
        torch7.to_module(torch7.TorchObject("cudnn.SpatialConvolution", fields))
    assert isinstance(
        torch7.to_module(torch7.TorchObject("cudnn.ReLU", {"_type": "torch.CudaTensor"})), nn.ReLU
    )


@pytest.mark.parametrize("threshold, val", [(0, 0), (0.5, 0), (0, -1), (1e-6, 0)])
def test_a_relu_whose_threshold_was_changed_is_a_threshold(threshold, val):
    """Torch7's nn.ReLU is an nn.Threshold(0, 0), whose fields may be set."""
    obj = torch7.TorchObject("nn.ReLU", {"threshold": threshold, "val": val, "_type": "torch.DoubleTensor"})
    module, x = torch7.to_module(obj), np.array([-1.0, 0.0, 5e-7, 0.5, 2.0])
    assert type(module) is (nn.Threshold if threshold or val else nn.ReLU)
    np.testing.assert_array_equal(module.forward(x), np.where(x > threshold, x, val))


def test_a_cudnn_relu_has_no_threshold_to_say():
    assert type(torch7.to_module(torch7.TorchObject("cudnn.ReLU", {}))) is nn.ReLU


WRONG = [{}, "x", True, 2.5, np.zeros(0), np.zeros((2, 2, 2)), torch7.TorchObject("nn.Tanh", {})]
WRONG += [torch7.TorchObject("nn.Linear", None), torch7.Storage(np.array([1.5]))]


@pytest.mark.parametrize("name", list(EXAMPLES))
def test_a_damaged_field_is_named_in_plain_words(name):
    """Whatever stands in a field: either it is not needed, or the message is this package's own."""
    obj = torch7.from_module(EXAMPLES[name][0]())
    for field in obj.contents:
        for wrong in WRONG:
            damaged = torch7.TorchObject(obj.class_name, obj.contents | {field: wrong}, obj.version)
            try:
                torch7.to_module(damaged)
            except torch7.Torch7Error as error:
                text = str(error)
                assert obj.class_name in text or f"top.{field}" in text
                assert not re.search(
                    "attribute|supported|argument|truth value|literal|index out|iterable|division|NoneType",
                    text,
                )


def test_a_damaged_field_says_what_was_expected():
    fields = torch7.from_module(nn.CAdd(3)).contents
    message = r"the nn\.CAdd at top cannot be built: field size: expected a LongStorage, got 5"
    with pytest.raises(torch7.Torch7Error, match=message):
        torch7.to_module(torch7.TorchObject("nn.CAdd", fields | {"size": 5}))
