"""Modules of the kinds of `pointwise_kinds.py`, `wiring_kinds.py`, `sequence_kinds.py`, and inputs."""

import math

import numpy as np

import nnlite as nn


def noise(*shape):
    return np.random.default_rng(2).standard_normal(shape).astype(np.float32)


MAPS, VECTORS, FRAMES, STEPS = noise(2, 3, 4, 5), noise(2, 6), noise(2, 7, 3), noise(4, 2, 5)
PAIR = [noise(2, 6), noise(2, 6) + 1]
WORDS = np.array([[0, 3, 1], [2, 2, 0]])


def lookup():
    return nn.LookupTable(4, 3, 2, 1.5, 1).scale_grad_by_freq()


def prelu():
    layer = nn.PReLU(3)
    layer.weight[...] = 0.1, 0.2, 0.3
    return layer


def whole_gru():
    module = nn.SeqGRU(5, 2).mask_zero().remember("eval")
    module.batch_first = True
    return module


FURTHER_EXAMPLES = {
    "SpatialDilatedConvolution": (lambda: nn.SpatialDilatedConvolution(3, 2, 2, 2, 1, 2, 1, 0, 2, 3), MAPS),
    "Threshold": (lambda: nn.Threshold(0.3, -0.2), MAPS),
    "ReLU6": (nn.ReLU6, 5 * MAPS),
    "LeakyReLU": (lambda: nn.LeakyReLU(0.2), MAPS),
    "PReLU": (prelu, MAPS),
    "RReLU": (lambda: nn.RReLU(0.1, 0.4), MAPS),
    "ELU": (lambda: nn.ELU(0.7), MAPS),
    "CReLU": (lambda: nn.CReLU(3), MAPS),
    "HardShrink": (lambda: nn.HardShrink(0.3), MAPS),
    "SoftShrink": (lambda: nn.SoftShrink(0.3), MAPS),
    "TanhShrink": (nn.TanhShrink, MAPS),
    "Exp": (nn.Exp, MAPS),
    "Log": (nn.Log, np.abs(MAPS)),
    "Power": (lambda: nn.Power(3), MAPS),
    "SoftPlus": (lambda: nn.SoftPlus(2), MAPS),
    "SoftSign": (nn.SoftSign, MAPS),
    "SoftMin": (nn.SoftMin, MAPS),
    "SpatialSoftMax": (nn.SpatialSoftMax, MAPS),
    "GatedLinearUnit": (lambda: nn.GatedLinearUnit(2), MAPS),
    "GradientReversal": (lambda: nn.GradientReversal(0.3), MAPS),
    "ZeroGrad": (nn.ZeroGrad, MAPS),
    "L1Penalty": (lambda: nn.L1Penalty(0.3, True, False), MAPS),
    "WhiteNoise": (lambda: nn.WhiteNoise(0.5, 2), MAPS),
    "CAdd": (lambda: nn.CAdd(1, 3, 1, 1), MAPS),
    "SpatialReplicationPadding": (lambda: nn.SpatialReplicationPadding(1, 2, 3, -1), MAPS),
    "SpatialReflectionPadding": (lambda: nn.SpatialReflectionPadding(1, 2, 3, -1), MAPS),
    "Copy": (nn.Copy, MAPS),
    "Contiguous": (nn.Contiguous, MAPS),
    "Sum": (lambda: nn.Sum(1, 3, True, False), MAPS),
    "Mean": (lambda: nn.Mean(-1), MAPS),
    "Max": (lambda: nn.Max(1, 3), MAPS),
    "Min": (nn.Min, MAPS),
    "Replicate": (lambda: nn.Replicate(3, 1, 3), MAPS),
    "Squeeze": (lambda: nn.Squeeze(1, 3), noise(2, 3, 1, 4)),
    "Unsqueeze": (lambda: nn.Unsqueeze(1, 2), MAPS),
    "Padding": (lambda: nn.Padding(1, -2, 3, 0.5, 1), MAPS),
    "Narrow": (lambda: nn.Narrow(-1, -4, -2), MAPS),
    "Select": (lambda: nn.Select(1, -1), MAPS),
    "MM": (lambda: nn.MM(True, False), PAIR),
    "MV": (lambda: nn.MV(True), [noise(2, 6), noise(2)]),
    "DotProduct": (nn.DotProduct, PAIR),
    "CosineDistance": (nn.CosineDistance, PAIR),
    "PairwiseDistance": (lambda: nn.PairwiseDistance(3), PAIR),
    "Normalize": (lambda: nn.Normalize(math.inf, 0.1), VECTORS),
    "Index": (lambda: nn.Index(1), [MAPS, np.array([2, 0])]),
    "LookupTable": (lookup, WORDS),
    "LookupTableMaskZero": (lambda: nn.LookupTableMaskZero(4, 3), WORDS - 1),
    "TemporalConvolution": (lambda: nn.TemporalConvolution(3, 2, 3, 2), FRAMES),
    "TemporalMaxPooling": (lambda: nn.TemporalMaxPooling(3, 2), FRAMES),
    "CMaxTable": (nn.CMaxTable, PAIR),
    "CMinTable": (nn.CMinTable, PAIR),
    "MixtureTable": (lambda: nn.MixtureTable(1), [noise(2, 3), MAPS]),
    "ReverseTable": (nn.ReverseTable, PAIR),
    "ZipTable": (nn.ZipTable, [PAIR, PAIR, PAIR]),
    "Decorator": (lambda: nn.Decorator(nn.Linear(6, 2)), VECTORS),
    "Serial": (lambda: nn.Serial(nn.Linear(6, 2)), VECTORS),
    "DontCast": (lambda: nn.DontCast(nn.Linear(6, 2)), VECTORS),
    "NaN": (lambda: nn.NaN(nn.Linear(6, 2), 3), VECTORS),
    "MaskZero": (lambda: nn.MaskZero(nn.Linear(6, 2), 1), np.vstack([VECTORS, 0 * VECTORS])),
    "GRU": (lambda: nn.GRU(6, 2, 5), VECTORS),
    "SeqGRU": (whole_gru, STEPS),
    "BiSequencer": (lambda: nn.BiSequencer(nn.GRU(5, 2), nn.Linear(5, 2), nn.CAddTable()), STEPS),
    "Repeater": (lambda: nn.Repeater(nn.FastLSTM(6, 2), 3), VECTORS),
}
