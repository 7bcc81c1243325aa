"""Finite-difference cases of the models: `python -m nnlite.gradcheck --package models`."""

import models
import nnlite as nn
from nnlite.gradcheck import check_module
from nnlite.gradcheck_cases.inputs import noise

from .flow_regressor import PixelsToGrid
from .parts import Predictor, decoder, encoder

SMALL = {"n_features": 3, "n_memory": 4, "kernel": 3, "output": "linear"}


def _model(name, **options):
    """Return the function that builds a small model, its memories far from zero so that they matter."""

    def build():
        model = models.build(name, **SMALL, **options)
        if hasattr(model, "memory"):
            model.memory.reset(0.5)
        return model

    return build


def _flow_model(**options):
    """Return the function that builds a small AE-ConvLSTM-flow whose last flow layer is far from zero too."""

    def build():
        model = _model("ae_convlstm_flow", height=12, width=16, flow_kernel=5, **options)()
        for part in (model.encoder, model.regressor):
            part.apply(lambda module: module.reset(0.3))
        last = model.regressor[2]
        last.weight[...] = noise(*last.weight.shape) * 0.5
        last.bias[...] = (0.313, -0.271)
        return model

    return build


def _case(label, build, input):
    """Return the case that checks the model `build()`; some entries of each array tell enough."""
    return label, lambda: check_module(build(), input, max_entries=10)


def _without_memory():
    return Predictor(4, 6, 1, first=nn.Bottle(encoder(1, 2, 3), 4), second=nn.Bottle(decoder(2, 1, 3), 4))


def cases():
    """Return (label, function) pairs."""
    frames = noise(3, 2, 1, 8, 12)
    small = {"height": 8, "width": 12}
    return [
        _case("AEConv", _model("ae_conv", n_frames=3, **small), frames),
        _case("AEConv RGB", _model("ae_conv", n_frames=2, n_channels=3, **small), noise(2, 2, 3, 8, 12)),
        _case("AEFcLSTM", _model("ae_fclstm", **small), frames),
        _case("AEFcLSTM RGB", _model("ae_fclstm", n_channels=3, **small), noise(2, 2, 3, 8, 12)),
        _case("AEConvLSTM", _model("ae_convlstm", **small), frames),
        _case("AEConvLSTM untied", _model("ae_convlstm", untied=True, **small), frames),
        _case("AEConvLSTMFlow", _flow_model(), noise(3, 2, 1, 12, 16)),
        _case("AEConvLSTMFlow untied", _flow_model(untied=True), noise(3, 2, 1, 12, 16)),
        _case("PixelsToGrid", lambda: PixelsToGrid(3, 4), noise(2, 2, 3, 4)),
        _case("Predictor", _without_memory, frames[..., :4, :6]),
    ]
