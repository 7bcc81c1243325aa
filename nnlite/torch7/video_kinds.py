"""The same as `kinds.py` for classes of `rnn`, `stnbhwd` and viorik/ConvLSTM, and nn's local normalisation.

A recurrent class keeps the network that computes a step in `recurrentModule`, copies of it for the steps of a
sequence in `sharedClones`, and its gates under names. Parameters are read from the gates alone.
"""

import numpy as np

import nnlite as nn
from nnlite.ops.sampling import base_grid

from . import old
from .kind import Argument, Kind, check_weight, empty, is_object, missing, module, same, tensor, text
from .masking import MASK, masked, unwrapped
from .types import Torch7Error, as_list

_SIZES = same("inputSize", "n_in"), same("outputSize", "n_out")
_RHO = same("rho", default=9999)


def _gate_layers(fields, gates):
    """Return {path: layer} of gates: sequences with a ParallelTable of the layers for x, h and c.

    gates: {its name in the module: its field}.
    """
    layers = {}
    for name, field in gates.items():
        inside = _inside(fields.get(field), "nn.Sequential")
        table = next((part for part in inside if is_object(part, "nn.ParallelTable")), None)
        if table is None:
            raise ValueError(
                f"{field} must be an nn.Sequential with an nn.ParallelTable inside, got {fields.get(field)!r}"
            )
        for part, layer in zip(nn.Gate.part_names, _inside(table, "nn.ParallelTable")):
            layers[f"{name}.{part}"] = layer
    return layers


def _inside(obj, class_name):
    """Return the objects in an object of this class; none of one of another class."""
    modules = obj.contents.get("modules") if is_object(obj, class_name) else None
    return as_list(modules) if isinstance(modules, dict) else []


def _check_layers(layers, **shapes):
    """Raise ValueError unless weights have the shapes given by the last part of their layer's path."""
    for path, layer in layers.items():
        part = path.rpartition(".")[2]
        if not is_object(layer):
            raise ValueError(f"{path} must be an nn object, got {layer!r}")
        try:
            check_weight(layer.contents, *shapes[part])
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error


def _check_network(fields, *class_names):
    """Raise ValueError when the network of a step was replaced by one of another class."""
    network = fields.get("recurrentModule")
    if not is_object(network, *class_names):
        raise ValueError(f"recurrentModule must be of {' or '.join(class_names)}, got {network!r}")


def _recurrent(network, first_clone=1):
    """Return the fields that every recurrent class has; network: that of a step."""
    return {
        "recurrentModule": network,
        "modules": {1: network},
        "sharedClones": {first_clone: network},
        **{name: {} for name in ("outputs", "gradInputs", "_gradOutputs")},
        "step": 1,
    }


def _memory(module, gates):
    """Return the fields of an LSTM; gates: {its name in the module: its field}."""
    return {
        **_recurrent(module.recurrent_module),
        **{field: getattr(module, name) for name, field in gates.items()},
        **{"cells": {}, "gradCells": {}, "zeroTensor": empty(module)},
    }


# ---- LSTM -------------------------------------------------------------------------------------------

_LSTM_GATES = {
    "input_gate": "inputGate",
    "forget_gate": "forgetGate",
    "hidden_layer": "hiddenLayer",
    "output_gate": "outputGate",
}


def _check_lstm(fields):
    _check_network(fields, "nn.Sequential")
    n_in, n_out = fields["inputSize"], fields["outputSize"]
    shapes = {"input2gate": (n_out, n_in), "output2gate": (n_out, n_out), "cell2gate": (n_out,)}
    _check_layers(_gate_layers(fields, _LSTM_GATES), **shapes)


def _check_fast_lstm(fields):
    _check_network(fields, "nn.Sequential", "nn.gModule")
    if fields.get("bn"):
        raise ValueError("bn = true (batch normalisation inside) has no counterpart")
    rows = 4 * fields["outputSize"]
    layers = {name: fields.get(name) for name in ("i2g", "o2g")}
    _check_layers(layers, i2g=(rows, fields["inputSize"]), o2g=(rows, fields["outputSize"]))


# ---- ConvLSTM ---------------------------------------------------------------------------------------

_CONV_GATES = {
    "input_gate": "inputGate",
    "forget_gate": "forgetGate",
    "cell_gate": "cellGate",
    "output_gate": "outputGate",
}
_UNTIED_GATES = {
    "input_gate_untied": "inputGateUntied",
    "cell_gate_untied": "cellGateUntied",
    "output_gate_untied": "outputGateUntied",
}
_CONV_ARGUMENTS = (
    *(*_SIZES, _RHO, same("kc"), same("km"), same("stride", default=1)),
    same("batchSize", "batch_size", default=None),
)


def _check_conv_lstm(fields):
    _check_network(fields, "nn.Sequential")
    n_in, n_out, kc, km = (fields[name] for name in ("inputSize", "outputSize", "kc", "km"))
    shapes = {"input2gate": (n_out, n_in, kc, kc), "output2gate": (n_out, n_out, km, km)}
    _check_layers(_gate_layers(fields, _CONV_GATES), **shapes)


def _conv_memory(module):
    pads = {"padc": module.kc // 2, "padm": module.km // 2}
    return _memory(module, _CONV_GATES) | pads


def _untied_layers(fields):
    """Return {path: layer} of all gates; those of the first step are sequences that start with the layer."""
    layers = _gate_layers(fields, _CONV_GATES)
    for name, field in _UNTIED_GATES.items():
        if not (inside := _inside(fields.get(field), "nn.Sequential")):
            got = fields.get(field)
            raise ValueError(f"{field} must be an nn.Sequential with a convolution inside, got {got!r}")
        layers[f"{name}.input2gate"] = inside[0]
    return layers


def _check_untied(fields):
    _check_conv_lstm(fields)
    n_in, n_out, kc = (fields[name] for name in ("inputSize", "outputSize", "kc"))
    first = {path: layer for path, layer in _untied_layers(fields).items() if "untied" in path}
    _check_layers(first, input2gate=(n_out, n_in, kc, kc))


def _untied_memory(module):
    """Return the fields, the network of the first step wired as in the original: from x₁ alone."""
    gates = {
        field: nn.Sequential(getattr(module, name).input2gate, getattr(module, name).modules[-1])
        for name, field in _UNTIED_GATES.items()
    }
    product = [nn.Sequential(nn.NarrowTable(0, 2), nn.CMulTable()) for _ in range(2)]
    network = nn.Sequential(
        nn.ConcatTable(*gates.values()),
        nn.ConcatTable(product[0], nn.SelectTable(2)),  # (c, o)
        nn.ConcatTable(nn.SelectTable(1), nn.Sequential(nn.SelectTable(0), nn.Tanh()), nn.SelectTable(0)),
        nn.FlattenTable(),  # (o, tanh c, c)
        nn.ConcatTable(product[1], nn.SelectTable(2)),
    )
    return _conv_memory(module) | gates | {"untiedModule": network.type(module.dtype)}


# ---- other recurrent classes ------------------------------------------------------------------------


def _recurrent_parts(module):
    """Return the fields of Recurrent, the network of its first step among them."""
    first = nn.Sequential(module.input_module, module.start_module, module.transfer_module)
    return _recurrent(module.recurrent_module, first_clone=2) | {
        "modules": dict(enumerate((getattr(module, name) for name in module.part_names), 1)),
        "initialModule": first.type(module.dtype),
    }


# ---- warping and normalisation ----------------------------------------------------------------------


def _stencils(module):
    """Return the fields of the penalty, the network for |∇T| of a channel among them."""
    if module.form != "published":
        raise Torch7Error(
            f"torch7.from_module: {module.name} in the form {module.form!r} has no counterpart in a .t7 "
            "file; only form='published' has"
        )
    branches = []
    for axis in (1, 0):
        conv = nn.SpatialConvolution(1, 1, 3, 3, 1, 1, 1, 1)
        conv.weight.fill(0)
        conv.bias.fill(0)
        np.moveaxis(conv.weight[0, 0], axis, 0)[:, 1] = -0.5, 0, 0.5
        branches.append(nn.Sequential(conv, nn.Square()))
    grad = nn.Sequential(nn.ConcatTable(*branches), nn.CAddTable(), nn.Sqrt())
    return {"sizeAverage": True, "grad": grad.type(module.dtype)}


def _grid(module):
    return {"baseGrid": base_grid(module.height, module.width).astype(module.dtype)}


_KERNEL = same("nInputPlane", "n_input_plane", 1), Argument("kernel", tensor, None)

VIDEO_KINDS = {
    "LSTM": Kind(
        (*_SIZES, _RHO, same("cell2gate", "has_peepholes", True), MASK),
        build=masked(nn.LSTM),
        old=unwrapped,
        check=_check_lstm,
        extra=lambda module: _memory(module, _LSTM_GATES),
        parts=lambda fields: _gate_layers(fields, _LSTM_GATES),
    ),
    "FastLSTM": Kind(
        (*_SIZES, _RHO, MASK),
        build=masked(nn.FastLSTM),
        old=unwrapped,
        check=_check_fast_lstm,
        extra=lambda module: _memory(module, {"i2g": "i2g", "o2g": "o2g"}) | {"cell2gate": False},
        parts=lambda fields: {name: fields[name] for name in ("i2g", "o2g")},
    ),
    "ConvLSTM": Kind(
        (*_CONV_ARGUMENTS, MASK),
        build=masked(nn.ConvLSTM),
        old=unwrapped,
        check=_check_conv_lstm,
        extra=lambda module: _conv_memory(module) | {"cell2gate": True},
        parts=lambda fields: _gate_layers(fields, _CONV_GATES),
    ),
    "UntiedConvLSTM": Kind(
        _CONV_ARGUMENTS,
        check=_check_untied,
        extra=lambda module: _untied_memory(module) | {"cell2gate": True},
        parts=_untied_layers,
    ),
    "Recurrent": Kind(
        (
            module("startModule", "start_module"),
            module("inputModule", "input_module"),
            module("feedbackModule", "feedback_module"),
            module("transferModule", "transfer_module"),
            *(_RHO, module("mergeModule", "merge_module")),
        ),
        extra=_recurrent_parts,
        parts=lambda fields: {},
    ),
    "Recursor": Kind(
        (module("module", "module"), same("rho", default=9999999)),
        extra=lambda module: _recurrent(module.module),
        parts=lambda fields: {},
    ),
    "Sequencer": Kind(
        (module("module", "module"), text("_remember", "_remember", "neither")),
        build=lambda inside, module, mode: nn.Sequencer(module).remember(mode),
        extra=lambda module: {
            **{"modules": {1: module.module}},
            **{name: {} for name in ("output", "gradInput", "_output")},
        },
        parts=lambda fields: {},
    ),
    "BilinearSamplerBHWD": Kind(extra=lambda module: {"gradInput": {}}),
    "AffineGridGeneratorOpticalFlow2D": Kind((same("height"), same("width")), extra=_grid),
    "SmoothHuberPenalty": Kind(
        (same("l1weight", "penalty_weight"), same("threshold", "delta")),
        build=lambda inside, weight, delta: nn.SmoothHuberPenalty(weight, delta, "published"),
        extra=_stencils,
    ),
    "SpatialSubtractiveNormalization": Kind(_KERNEL, extra=None),
    "SpatialDivisiveNormalization": Kind(
        (*_KERNEL, same("threshold"), same("thresval")), extra=None, old=old.divisive_normalization
    ),
    # The original, by a slip in a name, does not pass its thresval on: 1e-4 whatever it says.
    "SpatialContrastiveNormalization": Kind(
        (*_KERNEL, same("threshold")), extra=None, old=missing(threshold=1e-4)
    ),
}
