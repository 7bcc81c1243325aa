"""The same as `kinds.py` for memories and sequences of `rnn` beyond those of `video_kinds.py`."""

import nnlite as nn

from .kind import Kind, described, empty, module, same, text
from .masking import MASK, masked, unwrapped
from .types import as_list
from .video_kinds import _RHO, _SIZES, _check_layers, _recurrent

_GRU_LAYERS = "i2g", "o2g", "i2h", "o2h"


def _linear_layers(obj):
    """Return the objects of linear layers in a network, in order."""
    if getattr(obj, "class_name", "") in ("nn.Linear", "nn.LinearNoBias"):
        return [obj]
    inside = obj.contents.get("modules") if isinstance(getattr(obj, "contents", None), dict) else None
    inside = as_list(inside) if isinstance(inside, dict) else []
    return [layer for part in inside for layer in _linear_layers(part)]


def _gru_parts(fields):
    """Return {name: layer}, all from the network: the candidate's are nowhere else."""
    return dict(zip(_GRU_LAYERS, _linear_layers(fields.get("recurrentModule"))))


def _check_gru(fields):
    dropout = fields.get("p", 0)
    if not isinstance(dropout, int | float) or dropout:
        raise ValueError(f"p = {described(dropout)} (dropout inside) has no counterpart, only 0 has")
    layers, (n_in, n_out) = _gru_parts(fields), (fields["inputSize"], fields["outputSize"])
    found = len(_linear_layers(fields.get("recurrentModule")))
    if found != len(_GRU_LAYERS) or getattr(fields["recurrentModule"], "class_name", "") != "nn.Sequential":
        raise ValueError(f"recurrentModule must be an nn.Sequential with 4 linear layers inside, got {found}")
    _check_layers(
        layers, i2g=(2 * n_out, n_in), o2g=(2 * n_out, n_out), i2h=(n_out, n_in), o2h=(n_out, n_out)
    )


def _gru(module):
    return {
        **_recurrent(module.recurrent_module),
        **{"i2g": module.i2g, "o2g": module.o2g, "p": 0, "mono": False},
        **{"cells": {}, "gradCells": {}, "zeroTensor": empty(module)},
    }


def _seq_gru(inside, n_in, n_out, mode, batch_first, masked):
    module = nn.SeqGRU(n_in, n_out).remember(mode)
    module.batch_first, module.maskzero = batch_first, masked
    return module


def _seq_gru_extra(module):
    buffers = "gates", "buffer1", "buffer2", "buffer3", "grad_a_buffer", "h0", "grad_h0", "grad_x"
    return {"seqLength": 1, "miniBatch": 1} | {name: empty(module) for name in buffers}


def _both_ends(module):
    """Return the fields of BiSequencer, the network that it is in Torch7 among them."""
    ends, _, merge = module.module.modules
    return {
        **{"module": module.module, "modules": {1: module.module}, "output": {}, "gradInput": {}},
        **{"fwdSeq": ends.modules[0], "bwdSeq": ends.modules[1].modules[1], "mergeSeq": merge},
    }


SEQUENCE_KINDS = {
    "GRU": Kind(
        (*_SIZES, _RHO, MASK),
        build=masked(nn.GRU),
        old=unwrapped,
        check=_check_gru,
        extra=_gru,
        parts=_gru_parts,
    ),
    "SeqGRU": Kind(
        (
            *(*_SIZES, text("_remember", "_remember", "neither")),
            *(same("batchfirst", "batch_first", False), same("maskzero", default=False)),
        ),
        build=_seq_gru,
        extra=_seq_gru_extra,
    ),
    "BiSequencer": Kind(
        (
            module("forwardModule", "forward_module"),
            module("backwardModule", "backward_module"),
            module("mergeModule", "merge_module"),
        ),
        extra=_both_ends,
        parts=lambda fields: {},
    ),
    "Repeater": Kind(
        (module("module", "module"), same("rho")),
        extra=lambda module: {"modules": {1: module.module}, "output": {}},
        parts=lambda fields: {},
    ),
}
