"""Finite-difference cases of the models: `python -m nnlite.gradcheck --package nnlite.models`."""

import numpy as np

import nnlite as nn
from nnlite import backend, models
from nnlite.gradcheck import check_criterion, check_module
from nnlite.gradcheck_cases.inputs import noise

from .change_gate import ChangeGate, Previous
from .feedback import FeedbackAsData, FeedbackWithGradient
from .flow_regressor import CoarseFlow, PixelsToGrid, UpSamplingFlow
from .frame_sampling import FrameSampling
from .label_propagation import LabelPropagation
from .parts import Predictor, decoder, encoder
from .recomputation import Recomputation
from .segmentation_loss import PixelCrossEntropy, SegmentationLoss
from .segnet import SegNet
from .segnet_flow import SegNetFlow
from .unit_range import UnitRange

SMALL = {"n_features": 3, "n_memory": 4, "kernel": 3, "output": "linear"}


def _model(name, **options):
    """Return the function that builds a small model, its memories far from zero so that they matter."""

    def build():
        model = models.build(name, **SMALL | options)
        if hasattr(model, "memory"):
            model.memory.reset(0.5)
        return model

    return build


def _flow_model(**options):
    """Return the function that builds a small AE-ConvLSTM-flow whose last flow layer is far from zero too."""

    def build():
        size = {"height": 12, "width": 16, "flow_kernel": 5}
        return _set_moving(_model("ae_convlstm_flow", **size | options)())

    return build


def _model_without_flow():
    """Return a small AE-ConvLSTM-flow whose flow is held at zero."""
    model = _flow_model()()
    model.hold_flow = True
    return model


def _set_moving(model):
    """Draw the parameters of an AE-ConvLSTM-flow so that its flow is far from zero; return it."""
    for part in (model.encoder, model.regressor):
        part.apply(lambda module: module.reset(0.3))
    last = model.regressor[2]
    last.weight[...] = noise(*last.weight.shape) * 0.5
    last.bias[...] = (0.313, -0.271)
    for last in model.coarse.last_layers if model.coarse else ():
        last.weight[...] = noise(*last.weight.shape) * 0.2
    return model


def _set_open(convolution):
    """Draw the last layer of a decoder that adds to the frame, its gate half open; return it."""
    convolution.weight[...] = 0.3 * noise(*convolution.weight.shape)
    convolution.bias[...] = 0.2
    return convolution


def _frame_model(**options):
    """Return the function that builds one that moves the frame, what D adds to it far from zero."""

    def build():
        model = _flow_model(sample="frame", **options)()
        _set_open(model.decoder[-1])
        return model

    return build


def _frame_model_without_flow():
    model = _frame_model()()
    model.hold_flow = True
    return model


def _gated_model_without_flow():
    model = _frame_model(change=0.4)()
    model.hold_flow = True
    return model


def _coarse_flow():
    """Return the flow of two coarser scales, far from zero."""
    module = CoarseFlow(3, 8, 12, 3, 3)
    for last in module.last_layers:
        last.weight[...] = noise(*last.weight.shape)
    return module


def _propagation(**options):
    """Return label propagation whose M looks at what it merges."""
    module = LabelPropagation(3, 6, 8, **options)
    module.merge.reset(0.5)
    return module


def _fed_back_as_data():
    """Return a model that is fed back the same two frames whatever it predicts: data are constants."""
    module = FeedbackAsData(_model("ae_convlstm", height=8, width=12)(), 2)
    constant = noise(2, 2, 1, 8, 12)
    module.predicted = lambda input: backend.asarray(constant, input.dtype, backend.device_of(input))
    return module


def _fed_back(kind, build):
    """Return the function that builds a model which is fed back two of its predictions."""
    return lambda: kind(build(), 2)


def _segnet(height, width):
    return SegNet(height, width, n_classes=3, n_features=4, kernel=3)


def _segnet_flow(evidence=False, offset=0.0, **options):
    """Return a small SegNet-flow, every path of which matters."""
    video, own = SMALL | {"flow_kernel": 5} | options, {"evidence": evidence, "offset": offset}
    model = SegNetFlow(16, 20, n_classes=3, n_features=4, kernel=3, video=video, **own)
    _set_moving(model.video).memory.reset(0.5)
    if model.video.frame:
        _set_open(model.video.decoder[-1])
    model.propagation.merge.reset(0.3)
    return model


def _criterion(label, build, input, target):
    """Return the case that checks the criterion `build()`."""
    return label, lambda: check_criterion(build(), input, target)


def _case(label, build, input):
    """Return the case that checks the model `build()`; beside the directions a few entries are enough."""
    return label, lambda: check_module(build(), input, max_entries=4)


def _without_memory():
    return Predictor(4, 6, 1, first=nn.Bottle(encoder(1, 2, 3), 4), second=nn.Bottle(decoder(2, 1, 3), 4))


def cases():
    """Return (label, function) pairs."""
    frames = noise(3, 2, 1, 8, 12)
    small = {"height": 8, "width": 12}
    scores, labels = noise(3, 2, 3, 4, 5), np.random.default_rng(0).integers(-1, 3, (3, 2, 4, 5))
    labels[1] = -1
    return [
        _case("AEConv", _model("ae_conv", n_frames=3, **small), frames),
        _case("AEConv RGB", _model("ae_conv", n_frames=2, n_channels=3, **small), noise(2, 2, 3, 8, 12)),
        _case("AEFcLSTM", _model("ae_fclstm", **small), frames),
        _case("AEFcLSTM cells", _model("ae_fclstm", cell=4, n_memory=12, **small), frames),
        _case("AEFcLSTM RGB", _model("ae_fclstm", n_channels=3, **small), noise(2, 2, 3, 8, 12)),
        _case("AEConvLSTM", _model("ae_convlstm", **small), frames),
        _case("AEConvLSTM untied", _model("ae_convlstm", untied=True, **small), frames),
        _case("AEConvLSTMFlow", _flow_model(), noise(3, 2, 1, 12, 16)),
        _case("AEConvLSTMFlow untied", _flow_model(untied=True), noise(3, 2, 1, 12, 16)),
        _case("AEConvLSTMFlow flow_output", _flow_model(flow_output=True), noise(3, 2, 1, 12, 16)),
        _case("AEConvLSTMFlow hold_flow", _model_without_flow, noise(3, 2, 1, 12, 16)),
        _case("AEConvLSTMFlow frame", _frame_model(), noise(3, 2, 1, 12, 16)),
        _case("AEConvLSTMFlow frame RGB", _frame_model(n_channels=3), noise(2, 1, 3, 12, 16)),
        _case("AEConvLSTMFlow frame flow_output", _frame_model(flow_output=True), noise(3, 2, 1, 12, 16)),
        _case("AEConvLSTMFlow frame hold_flow", _frame_model_without_flow, noise(3, 2, 1, 12, 16)),
        _case("AEConvLSTMFlow frame shrink", _frame_model(shrink=0.5), noise(3, 2, 1, 12, 16)),
        _case("AEConvLSTMFlow change", _flow_model(change=0.4), noise(3, 2, 1, 12, 16)),
        _case("AEConvLSTMFlow frame change", _frame_model(change=0.4, n_channels=3), noise(3, 1, 3, 12, 16)),
        _case("AEConvLSTMFlow frame change hold_flow", _gated_model_without_flow, noise(3, 2, 1, 12, 16)),
        _case("AEConvLSTMFlow scales", _frame_model(scales=3, height=16), noise(3, 1, 1, 16, 16)),
        _case("Previous", lambda: Previous(2), noise(3, 2, 2, 3, 4)),
        _case("ChangeGate", lambda: ChangeGate(2, 0.8), noise(3, 2, 2, 12, 16)),
        _case("CoarseFlow", _coarse_flow, noise(2, 3, 8, 12)),
        _case("FeedbackAsData", _fed_back_as_data, frames),
        _case(
            "FeedbackWithGradient", _fed_back(FeedbackWithGradient, _model("ae_convlstm", **small)), frames
        ),
        _case(
            "FeedbackWithGradient AEFcLSTM",
            _fed_back(FeedbackWithGradient, _model("ae_fclstm", **small)),
            frames,
        ),
        _case(
            "FeedbackWithGradient AEConvLSTMFlow",
            _fed_back(FeedbackWithGradient, _flow_model()),
            noise(2, 2, 1, 12, 16),
        ),
        _case(
            "FeedbackWithGradient hold_flow",
            _fed_back(FeedbackWithGradient, _model_without_flow),
            noise(2, 2, 1, 12, 16),
        ),
        _case(
            "Recomputation",
            lambda: Recomputation(_model("ae_convlstm", **small)(), 2),
            noise(5, 2, 1, 8, 12),
        ),
        _case(
            "Recomputation AEConvLSTMFlow", lambda: Recomputation(_flow_model()(), 1), noise(3, 2, 1, 12, 16)
        ),
        _case("PixelsToGrid", lambda: PixelsToGrid(3, 4), noise(2, 2, 3, 4)),
        _case(
            "FrameSampling",
            lambda: FrameSampling(6, 8, 2),
            [noise(3, 2, 6, 8), 0.3 * noise(3, 2, 3, 4, seed=2), noise(3, 3, 6, 8, seed=3)],
        ),
        _case(
            "FrameSampling gated",
            lambda: FrameSampling(6, 8, 2, gated=True),
            [
                noise(3, 2, 6, 8),
                0.3 * noise(3, 2, 3, 4, seed=2),
                noise(3, 3, 6, 8, seed=3),
                noise(3, 1, 3, 4, seed=4),
            ],
        ),
        _case("UpSamplingFlow", lambda: UpSamplingFlow(3, 4), noise(2, 2, 3, 4)),
        _case("UnitRange", lambda: UnitRange(_without_memory(), 0.5), 0.3 * frames[..., :4, :6]),
        _case("Predictor", _without_memory, frames[..., :4, :6]),
        _case("SegNet", lambda: _segnet(16, 20), noise(2, 2, 3, 16, 20)),
        _case("SegNet odd sizes", lambda: _segnet(23, 17), noise(2, 3, 23, 17)),
        _case("LabelPropagation", _propagation, [noise(4, 2, 3, 6, 8), 0.4 * noise(4, 2, 2, 3, 4)]),
        _case("LabelPropagation one step", _propagation, [noise(1, 2, 3, 6, 8), noise(1, 2, 2, 3, 4)]),
        _case(
            "LabelPropagation evidence",
            lambda: _propagation(evidence=True, n_channels=2),
            [noise(4, 2, 3, 6, 8), 0.4 * noise(4, 2, 2, 3, 4, seed=2), 0.1 * noise(4, 2, 2, 6, 8, seed=3)],
        ),
        _case("SegNetFlow", _segnet_flow, noise(3, 2, 3, 16, 20)),
        _case("SegNetFlow frame", lambda: _segnet_flow(sample="frame"), noise(3, 2, 3, 16, 20)),
        _case(
            "SegNetFlow evidence",
            lambda: _segnet_flow(evidence=True, offset=0.5, sample="frame"),
            noise(3, 2, 3, 16, 20),
        ),
        _criterion("PixelCrossEntropy", lambda: PixelCrossEntropy([0.5, 2, 1]), scores, labels),
        _criterion(
            "SegmentationLoss",
            lambda: SegmentationLoss([0.5, 2, 1], 0.7),
            [scores, frames[..., :4, :5]],
            [labels, noise(3, 2, 1, 4, 5)],
        ),
    ]
