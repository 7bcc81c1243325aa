"""Finite-difference cases of the models: `python -m nnlite.gradcheck --package models`."""

import models
from nnlite.gradcheck_cases.inputs import module, noise

from .flow_regressor import PixelsToGrid


def _flow_model():
    """Return a small AE-ConvLSTM-flow, its memory and last flow layer far from zero so that all matters."""
    model = models.build(
        "ae_convlstm_flow",
        height=12,
        width=16,
        n_features=3,
        n_memory=4,
        kernel=3,
        flow_kernel=5,
        output="linear",
    )
    model.memory.reset(0.5)
    last = model.regressor[2]
    last.weight[...] = noise(*last.weight.shape) * 0.5
    last.bias[...] = (0.313, -0.271)
    return model


def cases():
    """Return (label, function) pairs."""
    return [
        module("AEConvLSTMFlow", _flow_model, noise(3, 2, 1, 12, 16)),
        module("PixelsToGrid", lambda: PixelsToGrid(3, 4), noise(2, 2, 3, 4)),
    ]
