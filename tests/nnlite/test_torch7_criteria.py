"""Torch7 files: conversion of nn criteria, and of the fields of layers where Torch7 counts from one."""

import numpy as np
import pytest

import nnlite as nn
from nnlite import torch7
from nnlite.gradcheck import public_classes
from nnlite.torch7.criterion_kinds import CRITERIA
from tests import golden_cases as golden

RNG = np.random.default_rng(10)
X, Y = RNG.standard_normal((2, 3, 4))
MAPS, PIXELS = RNG.standard_normal((2, 4, 3, 2)), RNG.integers(0, 4, (2, 3, 2))
SIGNS, SIMILAR = np.sign(Y), np.array([1.0, -1, 1])
P, WEIGHTS, LABELS = RNG.random((3, 4)), np.array([0.5, 1.0, 2.0, 4.0]), np.array([3, 0, 2])
SETS = np.array([[2, 0, -1, 1], [1, 3, -1, -1], [-1, 0, 0, 0]])

EXAMPLES = {
    "MSECriterion": (lambda: nn.MSECriterion(False), X, Y),
    "AbsCriterion": (nn.AbsCriterion, X, Y),
    "SmoothL1Criterion": (lambda: nn.SmoothL1Criterion(False), X, Y),
    "BCECriterion": (lambda: nn.BCECriterion(WEIGHTS, False), P, P),
    "ClassNLLCriterion": (lambda: nn.ClassNLLCriterion(WEIGHTS, False, 2), X, LABELS),
    "SpatialClassNLLCriterion": (lambda: nn.SpatialClassNLLCriterion(WEIGHTS), MAPS, PIXELS),
    "CrossEntropyCriterion": (lambda: nn.CrossEntropyCriterion(WEIGHTS, False, 0), X, LABELS),
    "WeightedMSECriterion": (lambda: nn.WeightedMSECriterion(WEIGHTS, False), X, Y),
    "DistKLDivCriterion": (lambda: nn.DistKLDivCriterion(False), X, P),
    "MarginCriterion": (lambda: nn.MarginCriterion(0.3, False), X, SIGNS),
    "SoftMarginCriterion": (nn.SoftMarginCriterion, X, SIGNS),
    "MultiLabelSoftMarginCriterion": (lambda: nn.MultiLabelSoftMarginCriterion(WEIGHTS), X, P),
    "ClassSimplexCriterion": (lambda: nn.ClassSimplexCriterion(4, False), X, LABELS),
    "L1Cost": (nn.L1Cost, X, None),
    "MultiMarginCriterion": (lambda: nn.MultiMarginCriterion(2, WEIGHTS, 0.3, False), X, LABELS),
    "MultiLabelMarginCriterion": (lambda: nn.MultiLabelMarginCriterion(False), X, SETS),
    "MarginRankingCriterion": (lambda: nn.MarginRankingCriterion(0.3, False), [X, Y], SIGNS),
    "HingeEmbeddingCriterion": (lambda: nn.HingeEmbeddingCriterion(0.3), X, SIGNS),
    "L1HingeEmbeddingCriterion": (lambda: nn.L1HingeEmbeddingCriterion(30), [X, Y], -1),
    "CosineEmbeddingCriterion": (lambda: nn.CosineEmbeddingCriterion(0.1, False), [X, Y], SIMILAR),
    "DistanceRatioCriterion": (lambda: nn.DistanceRatioCriterion(False), [X, Y], None),
    "MultiCriterion": (lambda: nn.MultiCriterion().add(nn.MSECriterion(), 2).add(nn.AbsCriterion()), X, Y),
    "ParallelCriterion": (
        lambda: nn.ParallelCriterion(True).add(nn.MSECriterion(), 2).add(nn.AbsCriterion()),
        [X, P],
        Y,
    ),
    "SequencerCriterion": (lambda: nn.SequencerCriterion(nn.MSECriterion(), True), X, Y),
    "RepeaterCriterion": (lambda: nn.RepeaterCriterion(nn.AbsCriterion()), [X, P], Y),
    "ModuleCriterion": (lambda: nn.ModuleCriterion(nn.MSECriterion(), nn.Tanh().double()), X, Y),
    "MaskZeroCriterion": (lambda: nn.MaskZeroCriterion(nn.MSECriterion(), 1), X * [[1], [0], [1]], Y),
}


def test_every_criterion_can_be_read_and_written():
    names = {name for name, cls in public_classes().items() if issubclass(cls, nn.Criterion)}
    assert set(EXAMPLES) == set(CRITERIA) == names - {"CharbonnierCriterion"}


def test_a_criterion_that_torch7_does_not_have_is_refused():
    with pytest.raises((TypeError, ValueError), match=r"nn\.CharbonnierCriterion"):
        torch7.from_criterion(nn.CharbonnierCriterion())


@pytest.mark.parametrize("name", EXAMPLES)
def test_criterion_round_trip(tmp_path, name):
    build, x, t = EXAMPLES[name]
    criterion = build()
    torch7.save(tmp_path / "a.t7", torch7.from_criterion(criterion))
    obj = torch7.load(tmp_path / "a.t7")
    assert obj.class_name == f"nn.{name}"
    again = torch7.to_criterion(obj)
    assert type(again) is type(criterion)
    assert again.forward(x, t) == criterion.forward(x, t)
    golden.assert_close(again.backward(x, t), criterion.backward(x, t), 0)
    for option, value in vars(criterion).items():
        if isinstance(value, bool | int | float):
            assert getattr(again, option) == value, option


def test_labels_count_from_one():
    assert torch7.from_criterion(nn.ClassNLLCriterion(ignore_index=2)).contents["ignoreIndex"] == 3
    fields = torch7.from_criterion(nn.CrossEntropyCriterion(ignore_index=2)).contents
    assert fields["nll"].contents["ignoreIndex"] == 3
    assert fields["lsm"].class_name == "nn.LogSoftMax"


def test_what_older_files_lack():
    older = {
        "MultiMarginCriterion": {},
        "MSECriterion": {},
        "HingeEmbeddingCriterion": {"margin": 2},
        "CrossEntropyCriterion": {"nll": torch7.TorchObject("nn.ClassNLLCriterion", {"sizeAverage": False})},
    }
    read = {n: torch7.to_criterion(torch7.TorchObject(f"nn.{n}", fields)) for n, fields in older.items()}
    assert read["MultiMarginCriterion"].p == 1 and read["MultiMarginCriterion"].margin == 1
    assert read["MSECriterion"].size_average and read["HingeEmbeddingCriterion"].size_average
    assert read["CrossEntropyCriterion"].size_average is False
    assert read["CrossEntropyCriterion"].ignore_index == -1


@pytest.mark.parametrize(
    "obj, message",
    [
        ({1: 2}, "expected an nn object, got"),
        (torch7.TorchObject("nn.FooCriterion", {}), "there is no criterion for the nn.FooCriterion"),
        (torch7.TorchObject("my.MSECriterion", {}), "there is no criterion for the my.MSECriterion"),
        (
            torch7.TorchObject("nn.MarginCriterion", {}),
            "the nn.MarginCriterion cannot be built: .*margin is missing",
        ),
        (
            torch7.TorchObject("nn.WeightedMSECriterion", {"weight": 3}),
            "the nn.WeightedMSECriterion cannot be built: weight must be a tensor, got 3",
        ),
        (
            torch7.TorchObject("nn.RepeaterCriterion", {"criterion": torch7.TorchObject("nn.Foo", {})}),
            "the nn.RepeaterCriterion cannot be built: .* no criterion for the nn.Foo",
        ),
    ],
)
def test_what_cannot_be_read(obj, message):
    with pytest.raises(ValueError, match=f"torch7.to_criterion: {message}"):
        torch7.to_criterion(obj)


def test_what_cannot_be_written():
    class MyCriterion(nn.Criterion):
        pass

    with pytest.raises(ValueError, match=r"torch7\.from_criterion: nn\.MyCriterion has no counterpart"):
        torch7.from_criterion(MyCriterion())


# ---- fields of layers --------------------------------------------------------------------------------


def test_places_count_from_one_in_torch7():
    def fields(module):
        return torch7.from_module(module).contents

    assert fields(nn.Sum(0))["dimension"] == 1 and fields(nn.Max(-1))["dimension"] == -1
    assert fields(nn.Replicate(2, 1))["dim"] == 2 and fields(nn.Unsqueeze(0))["pos"] == 1
    assert fields(nn.Squeeze(1))["dim"] == 2 and "dim" not in fields(nn.Squeeze())
    padding = fields(nn.Padding(1, -2))
    assert (padding["dim"], padding["pad"], padding["index"]) == (2, -2, 1)
    narrow = fields(nn.Narrow(1, -2, -1))
    assert (narrow["dimension"], narrow["index"], narrow["length"]) == (2, -2, -1)
    assert fields(nn.Select(0, 2))["index"] == 3
    assert fields(nn.LookupTable(3, 2))["paddingValue"] == 0
    assert fields(nn.LookupTable(3, 2, 1))["paddingValue"] == 2
    assert fields(nn.Mean())["sizeAverage"] is True
    assert fields(nn.GatedLinearUnit())["dim"] == -1


def test_layers_of_older_files():
    def read(name, **fields):
        return torch7.to_module(torch7.TorchObject(f"nn.{name}", fields))

    assert read("Mean", dimension=2).dimension == 1
    assert read("Replicate", nfeatures=3).dim == 0
    assert read("GradientReversal").lambda_ == 1
    weight = np.zeros((4, 2))
    table = read("LookupTable", weight=weight)
    assert table.padding_value == -1 and table.max_norm is None and not table.should_scale_grad_by_freq
    assert read("LookupTableMaskZero", weight=weight).weight.shape == (4, 2)


def test_gru_is_read_from_its_network():
    gru = nn.GRU(3, 2)
    fields = torch7.from_module(gru).contents
    assert (
        fields["i2g"]
        is fields["recurrentModule"]
        .contents["modules"][1]
        .contents["modules"][2]
        .contents["modules"][1]
        .contents["modules"][1]
    )
    fields["p"] = 0.25
    with pytest.raises(ValueError, match=r"p = 0\.25 \(dropout inside\) has no counterpart"):
        torch7.to_module(torch7.TorchObject("nn.GRU", fields))
    fields = {**fields, "p": 0, "recurrentModule": torch7.from_module(nn.Sequential(nn.Linear(3, 2)))}
    with pytest.raises(ValueError, match=r"recurrentModule must be an nn\.Sequential with 4 linear layers"):
        torch7.to_module(torch7.TorchObject("nn.GRU", fields))


@pytest.mark.parametrize("build", [nn.GRU, nn.LSTM, nn.FastLSTM])
def test_masked_memories(tmp_path, build):
    net = nn.Sequencer(build(3, 2).mask_zero(1))
    torch7.save(tmp_path / "a.t7", torch7.from_module(net))
    again = torch7.to_module(torch7.load(tmp_path / "a.t7"))
    assert [type(m) for m in again.list_modules()] == [type(m) for m in net.list_modules()]
    x = RNG.standard_normal((4, 2, 3)).astype(np.float32)
    x[2, 1] = 0
    golden.assert_close(again.forward(x), net.forward(x), 0)
    assert not again.output[2, 1].any()


def test_masked_convolutional_memory():
    memory = nn.ConvLSTM(1, 2, 5, 3, 3).mask_zero(3)
    again = torch7.to_module(torch7.from_module(memory))
    assert again.recurrent_module.n_input_dim == 3
