"""Torch7 files: the recurrent classes, those of the paper, and the published model as a whole."""

import numpy as np
import pytest

import nnlite as nn
from nnlite import torch7
from tests import golden_cases as golden
from tests.models import test_published_model as published

RECORDED = ["model_conv0_random"]

RNG = np.random.default_rng(2)


def noise(*shape):
    return RNG.standard_normal(shape)


def reread(module, path):
    """Return the object that a file of the module holds."""
    torch7.save(path / "a.t7", torch7.from_module(module))
    return torch7.load(path / "a.t7")


def as_one_net(model, steps):
    """Return the published model as model.lua wires it, of plain containers around the same modules."""

    def plain(part):
        return nn.Sequential(*part.modules)

    encode = nn.Sequencer(plain(model.encoder))
    last_frame = nn.Sequential(nn.SelectTable(steps - 1), model.to_hwc)
    memory = nn.Sequential(model.remember, nn.SelectTable(steps - 1), plain(model.flow))
    net = nn.Sequential(encode, nn.ConcatTable(last_frame, memory), model.sampler, model.to_chw)
    return net.add(plain(model.decoder)).double()


@pytest.mark.parametrize("mode", ["binary", "ascii"])
@pytest.mark.parametrize("case", RECORDED)
def test_published_model_is_opened_and_evaluated(case, mode, tmp_path):
    recorded = golden.load("d_model", case)
    model = published.PublishedModel(recorded["attrs"]).double()
    golden.set_parameters(model, recorded["params"])
    frames = list(recorded["data"][:-1])
    torch7.save(tmp_path / "model.t7", torch7.from_module(as_one_net(model, len(frames))), mode)
    net = torch7.to_module(torch7.load(tmp_path / "model.t7"))
    golden.assert_close(net.forward(frames), recorded["output"])
    assert net.modules[1].modules[1].modules[0]._remember == "both"


def test_state_of_a_training_run_is_left_behind(tmp_path):
    """A file saved in the middle of training holds clones and states; only parameters are read."""
    module = nn.Sequencer(nn.ConvLSTM(2, 3, 4, 3, 3)).double()
    frames = noise(4, 2, 5, 6)
    want = module.forward(frames).copy()
    obj = reread(module, tmp_path)
    memory = obj.contents["module"].contents
    clone = reread(module, tmp_path).contents["module"].contents["recurrentModule"]
    memory["sharedClones"] |= {2: clone, 3: clone}
    memory |= {"cell": noise(3, 5, 6), "outputs": {1: noise(3, 5, 6)}, "step": 5, "nSharedClone": 3}
    golden.assert_close(torch7.to_module(obj).forward(frames), want, 0)


def test_older_sequencers_hold_the_module_itself():
    linear = nn.Linear(3, 2).double()
    obj = torch7.from_module(nn.Sequencer(linear).double())
    assert obj.contents["module"].class_name == "nn.Recursor"
    obj.contents["module"] = obj.contents["modules"][1] = obj.contents["module"].contents["module"]
    del obj.contents["_remember"]
    again = torch7.to_module(obj)
    x = noise(4, 2, 3)
    golden.assert_close(again.forward(x), nn.Sequencer(linear).double().forward(x), 0)
    assert again._remember == "neither"


RECURRENT = {
    "LSTM": lambda: nn.LSTM(3, 2),
    "LSTM without peepholes": lambda: nn.LSTM(3, 2, cell2gate=False),
    "FastLSTM": lambda: nn.FastLSTM(3, 2),
    "Recurrent": lambda: nn.Recurrent(2, nn.Linear(3, 2), nn.Linear(2, 2)),
    "ConvLSTM": lambda: nn.ConvLSTM(3, 2, 9, 3, 5),
    "UntiedConvLSTM": lambda: nn.UntiedConvLSTM(3, 2, 9, 3, 5),
}


@pytest.mark.parametrize("name", list(RECURRENT))
def test_sequence_and_gradients_are_the_same(name, tmp_path):
    module = nn.Sequencer(RECURRENT[name]()).double()
    again = torch7.to_module(reread(module, tmp_path))
    size = (5, 2, 3, 4, 5) if "Conv" in name else (5, 2, 3)
    x = noise(*size)
    g = noise(*module.forward(x).shape)
    for net in (module, again):
        net.zero_grad_parameters()
        net.forward(x)
        net.backward(x, g)
    golden.assert_close(again.output, module.output, 0)
    golden.assert_close(again.grad_input, module.grad_input, 0)
    pairs = zip(again.named_parameters(), module.named_parameters(), strict=True)
    for (path, _, mine), (theirs_path, _, theirs) in pairs:
        assert path == theirs_path
        golden.assert_close(mine, theirs, 0, path)


@pytest.mark.parametrize("name", list(RECURRENT))
def test_networks_for_a_step_are_those_that_torch7_runs(name, tmp_path):
    """What is written in recurrentModule, initialModule and untiedModule computes the steps."""
    module = RECURRENT[name]().double()
    fields = reread(module, tmp_path).contents
    x = noise(2, *((2, 3, 4, 5) if "Conv" in name else (2, 3)))
    first = module.forward(x[0]).copy()
    state = [first, module.cells[0]] if hasattr(module, "cells") else [first]
    second = module.forward(x[1])
    step = torch7.to_module(fields["recurrentModule"]).forward([x[1], *state])
    golden.assert_close(step if name == "Recurrent" else step[0], second, 0)
    start = fields.get("untiedModule", fields.get("initialModule"))
    if start:
        want = first if name == "Recurrent" else state
        golden.assert_close(torch7.to_module(start).forward(x[0]), want, 0)


def test_gates_are_parts_of_the_network(tmp_path):
    fields = reread(nn.UntiedConvLSTM(3, 2, 9, 3, 5), tmp_path).contents
    assert fields["sharedClones"][1] is fields["modules"][1] is fields["recurrentModule"]
    weight = fields["forgetGate"].contents["modules"][2].contents["modules"][1].contents["weight"]
    keep = fields["recurrentModule"].contents["modules"][1].contents["modules"][2]
    keep = keep.contents["modules"][1].contents["modules"][1].contents["modules"][1]
    assert keep.contents["modules"][1] is fields["forgetGate"] and weight.shape == (2, 3, 3, 3)
    untied = fields["untiedModule"].contents["modules"][1].contents["modules"]
    names = ("inputGateUntied", "cellGateUntied", "outputGateUntied")
    assert [untied[i + 1] is fields[name] for i, name in enumerate(names)] == [True] * 3


def test_network_of_the_penalty_is_the_size_of_the_gradient(tmp_path):
    fields = reread(nn.SmoothHuberPenalty(0.3, 0.02, "published").double(), tmp_path).contents
    assert (fields["l1weight"], fields["threshold"], fields["sizeAverage"]) == (0.3, 0.02, True)
    flow = noise(1, 4, 5)
    padded = np.pad(flow[0], 1)
    gy, gx = (padded[2:, 1:-1] - padded[:-2, 1:-1]) / 2, (padded[1:-1, 2:] - padded[1:-1, :-2]) / 2
    golden.assert_close(torch7.to_module(fields["grad"]).forward(flow), np.hypot(gy, gx)[None])


def test_only_the_published_form_of_the_penalty_has_a_class():
    with pytest.raises(
        ValueError, match=r"in the form 'paper' has no counterpart.*only form='published' has"
    ):
        torch7.from_module(nn.Sequential(nn.SmoothHuberPenalty()))


@pytest.mark.parametrize("kernel", [np.full((3, 3), 1 / 27), np.array([1, 2, 1]) / (4 * np.sqrt(3))])
@pytest.mark.parametrize("name", ["Subtractive", "Divisive", "Contrastive"])
def test_local_normalisation_is_read(name, kernel):
    """Its kernel is in a file as the constructor left it: divided by its sum and the planes."""
    numbers = {"threshold": 1e-3, "thresval": 1e-2}
    fields = {"_type": "torch.DoubleTensor", "nInputPlane": 3, "kernel": kernel} | numbers
    module = torch7.to_module(torch7.TorchObject(f"nn.Spatial{name}Normalization", fields))
    kind = getattr(nn, f"Spatial{name}Normalization")
    options = {"Subtractive": (), "Divisive": numbers.values(), "Contrastive": [1e-3]}[name]
    x = noise(2, 3, 6, 7)
    golden.assert_close(module.forward(x), kind(3, 5 * kernel, *options).double().forward(x), 1e-12)
    with pytest.raises(ValueError, match=rf"{name}Normalization cannot be written to a \.t7 file"):
        torch7.from_module(module)


def lstm(name="nn.LSTM", **changes):
    fields = torch7.from_module(RECURRENT[name.removeprefix("nn.")]()).contents | changes
    return torch7.TorchObject(name, {key: value for key, value in fields.items() if value is not ...})


def gate(*layers):
    table = torch7.TorchObject("nn.ParallelTable", {"modules": dict(enumerate(layers, 1))})
    return torch7.TorchObject("nn.Sequential", {"modules": {1: table}})


HUGE = 2**30


@pytest.mark.parametrize(
    "obj, message",
    [
        (torch7.TorchObject("nn.LSTM", {}), "the field inputSize is missing"),
        (lstm(inputGate=...), "inputGate must be an nn.Sequential with an nn.ParallelTable inside, got None"),
        (lstm(inputGate=gate()), r"input_gate\.input2gate is missing"),
        (lstm(cell2gate=False), r"input_gate\.cell2gate is an nn\.CMul, it can only be absent"),
        (lstm(inputGate=gate(None, None)), r"input_gate\.input2gate must be an nn object, got None"),
        (lstm(recurrentModule=torch7.TorchObject("nn.MaskZero", {})), "recurrentModule must be of nn.Seq"),
        (lstm(inputSize=HUGE), rf"input_gate\.input2gate: weight must be a tensor of shape \(2, {HUGE}\)"),
        (lstm(outputSize=HUGE), r"weight must be a tensor of shape"),
        (lstm("nn.FastLSTM", bn=True), "bn = true"),
        (lstm("nn.FastLSTM", o2g=...), "o2g must be an nn object, got None"),
        (lstm("nn.FastLSTM", inputSize="3"), "expected a number or a boolean, got '3'"),
        (lstm("nn.ConvLSTM", kc=HUGE), "weight must be a tensor of shape"),
        (lstm("nn.ConvLSTM", km=4), "weight must be a tensor of shape"),
        (
            lstm("nn.UntiedConvLSTM", cellGateUntied=...),
            "cellGateUntied must be an nn.Sequential with a conv",
        ),
        (lstm("nn.Recurrent", startModule=3), "expected an nn object, got 3"),
        (torch7.TorchObject("nn.Sequencer", {}), "the field module is missing"),
        (
            torch7.TorchObject(
                "nn.Sequencer", torch7.from_module(nn.Sequencer(nn.Tanh())).contents | {"_remember": "x"}
            ),
            "mode must be one of neither",
        ),
        (
            torch7.TorchObject("nn.SpatialDivisiveNormalization", {"threshold": 1}),
            "the field kernel is missing",
        ),
    ],
)
def test_damaged_objects(obj, message):
    with pytest.raises(ValueError, match=message) as caught:
        torch7.to_module(obj)
    assert f"the {obj.class_name} at top cannot be built" in str(caught.value)


def test_layers_of_another_class_are_refused():
    """Older versions of rnn had a bias in what sees the output; here there is none."""
    layers = [torch7.from_module(layer) for layer in (nn.Linear(3, 2), nn.Linear(2, 2), nn.CMul(2))]
    with pytest.raises(ValueError, match=r"output2gate is an nn\.Linear, it can only be nn\.LinearNoBias"):
        torch7.to_module(lstm(inputGate=gate(*layers)))
