"""SegNet and SegNet-flow against the same networks in PyTorch: outputs, loss and all gradients in float64."""

import numpy as np
import pytest

from nnlite import models
from nnlite.models.segmentation_loss import PixelCrossEntropy, SegmentationLoss
from tests import golden_cases as golden

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
from nnlite.benchmarks import torch_models, torch_segnet  # noqa: E402

RTOL = 1e-8
WEIGHTS = [0.5, 2.0, 1.0]
SEGNET = {"n_classes": 3, "n_features": 4, "kernel": 3}
VIDEO = {"n_features": 3, "n_memory": 4, "kernel": 3, "flow_kernel": 5}


@pytest.fixture(autouse=True)
def float64():
    """Let PyTorch make float64 numbers."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def assert_close(got, expected, what):
    golden.assert_close(got, expected.detach().numpy(), RTOL, what)


def randomise(model):
    """Draw all parameters of a model, away from zero flow among others; return it in float64."""
    for i, (_, weight, _) in enumerate(model.double().named_parameters()):
        weight[...] = 0.3 * np.random.default_rng(i).standard_normal(weight.shape)
    return model


def parameters(model):
    return {path: weight for path, weight, _ in model.named_parameters()}


def assert_same_gradients(model, peer):
    gradients = torch_models.gradients(peer)
    for path, _, grad in model.named_parameters():
        golden.assert_close(grad, gradients.pop(path), RTOL, path)
    assert not gradients


def labelled_video(steps, height, width):
    """Return frames (T, 2, 3, H, W), and labels of which only the last frame has some."""
    rng = np.random.default_rng(0)
    labels = rng.integers(-1, 3, (steps, 2, height, width))
    labels[:-1] = -1
    return rng.random((steps, 2, 3, height, width)), labels


@pytest.mark.parametrize("height, width", [(16, 24), (23, 18), (45, 17)])
def test_segnet(height, width):
    model = randomise(models.build("segnet", height=height, width=width, **SEGNET))
    peer = torch_segnet.SegNet(**SEGNET)
    torch_models.load_parameters(peer, parameters(model))
    frames, labels = labelled_video(3, height, width)
    input = torch.tensor(frames, requires_grad=True)
    expected = peer(input.flatten(0, 1)).unflatten(0, input.shape[:2])
    error = torch_segnet.loss(expected, torch.tensor(labels), torch.tensor(WEIGHTS))
    error.backward()

    criterion = PixelCrossEntropy(WEIGHTS)
    scores = model.forward(frames)
    assert_close(scores, expected, "scores")
    assert_close(criterion.forward(scores, labels), error, "loss")
    model.zero_grad_parameters()
    assert_close(model.backward(frames, criterion.backward(scores, labels)), input.grad, "grad_input")
    assert_same_gradients(model, peer)

    model.evaluate()
    peer.eval()
    with torch.no_grad():
        assert_close(model.forward(frames[0]), peer(input[0]), "scores while evaluating")


def test_segnet_flow():
    height, width = 18, 20
    model = randomise(models.build("segnet_flow", height=height, width=width, video=VIDEO, **SEGNET))
    peer = torch_segnet.SegNetFlow(height, width, video=VIDEO, **SEGNET)
    torch_models.load_parameters(peer, parameters(model))
    frames, labels = labelled_video(4, height, width)
    input = torch.tensor(frames, requires_grad=True)
    scores, predicted, penalty = peer(input)
    targets = torch.tensor(labels), torch.tensor(WEIGHTS), predicted, input.detach()
    error = torch_segnet.loss(scores, *targets)
    (error + penalty).backward()

    criterion = SegmentationLoss(WEIGHTS)
    output = model.forward(frames)
    assert abs(model.flow).mean() > 0.5, "a flow that moves next to nothing tests next to nothing"
    assert_close(output[0], scores, "scores")
    assert_close(output[1], predicted, "predicted frames")
    assert_close(criterion.forward(output, [labels, frames]), error, "loss")
    model.zero_grad_parameters()
    grad_input = model.backward(frames, criterion.backward(output, [labels, frames]))
    assert_close(grad_input, input.grad, "grad_input")
    assert_same_gradients(model, peer)
