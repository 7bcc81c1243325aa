"""Small models of every architecture, in float64, for tests."""

import numpy as np
import pytest

from nnlite import models

#: Small models that take 3 frames of 16x8: name, options.
SMALL = {
    "ae_conv": ("ae_conv", {"n_frames": 3}),
    "ae_fclstm": ("ae_fclstm", {}),
    "ae_fclstm cells": ("ae_fclstm", {"cell": 8}),
    "ae_convlstm": ("ae_convlstm", {}),
    "ae_convlstm untied": ("ae_convlstm", {"untied": True}),
    "ae_convlstm_flow": ("ae_convlstm_flow", {"flow_kernel": 3}),
    "ae_convlstm_flow untied": ("ae_convlstm_flow", {"flow_kernel": 3, "untied": True}),
}
KINDS = pytest.mark.parametrize("kind", SMALL)
PREDICT_EVERY_STEP = pytest.mark.parametrize("kind", [kind for kind in SMALL if kind != "ae_conv"])


def build(kind, **options):
    """Return a small model in float64, with memories and a flow that matter."""
    name, own = SMALL[kind]
    common = {"height": 16, "width": 8, "n_features": 3, "n_memory": 4, "kernel": 3}
    model = models.build(name, **common | own | options)
    if hasattr(model, "memory"):
        model.memory.reset(0.5)
    if name == "ae_convlstm_flow":
        model.regressor[2].reset(0.5)
    return model.double()


def frames(*shape, seed=0, dtype=np.float64):
    """Return frames in [0, 1]."""
    return np.random.default_rng(seed).uniform(size=shape).astype(dtype)


def gradients(model, input, grad_output):
    """Return {path: gradient} of one backward pass, that of the input under "input"."""
    model.zero_grad_parameters()
    grad_input = model.backward(input, grad_output).copy()
    return {"input": grad_input} | {path: grad.copy() for path, _, grad in model.named_parameters()}
