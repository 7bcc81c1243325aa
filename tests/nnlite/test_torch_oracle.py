"""Hand-written gradients against PyTorch's autograd: layers, criteria and whole models, all in float64."""

import numpy as np
import pytest

import nnlite as nn
from nnlite import models, optim
from nnlite.train.runs.loss import loss_and_gradient
from tests import golden_cases as golden

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
F = torch.nn.functional
from nnlite.benchmarks import torch_models  # noqa: E402

RTOL = 1e-9


@pytest.fixture(autouse=True)
def float64():
    """Let PyTorch make float64 numbers."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def leaf(x):
    """Return a copy of an array as a tensor that autograd differentiates by."""
    return torch.tensor(x, requires_grad=True)


def assert_close(got, expected, what):
    golden.assert_close(got, expected.detach().numpy(), RTOL, what)


def check(module, function, *inputs):
    """Compare a module with `function(parameters, *inputs)` in PyTorch: output and all gradients."""
    module.double()
    parameters = {path: leaf(weight) for path, weight, _ in module.named_parameters()}
    leaves = [leaf(x) for x in inputs]
    expected = function(parameters, *leaves)
    grad_output = noise(*expected.shape, seed=1)
    expected.backward(torch.tensor(grad_output))

    fed = list(inputs) if len(inputs) > 1 else inputs[0]
    assert_close(module.forward(fed), expected, "output")
    module.zero_grad_parameters()
    grads = module.backward(fed, grad_output)
    for x, grad in zip(leaves, grads if len(inputs) > 1 else [grads], strict=True):
        assert_close(grad, x.grad, "grad_input")
    for path, _, grad in module.named_parameters():
        assert_close(grad, parameters[path].grad, path)


MODELS = {
    "ae_convlstm_flow": {
        "height": 16,
        "width": 12,
        "n_features": 3,
        "n_memory": 4,
        "kernel": 3,
        "flow_kernel": 5,
    },
    "ae_convlstm": {"n_features": 3, "n_memory": 4, "kernel": 3},
    "ae_fclstm": {"height": 16, "width": 12, "n_features": 3, "n_memory": 6, "kernel": 3},
}


@pytest.mark.parametrize("name", MODELS)
def test_model(name):
    model = models.build(name, **{"height": 16, "width": 12} | MODELS[name]).double()
    for i, (_, weight, _) in enumerate(model.named_parameters()):
        weight[...] = 0.3 * noise(*weight.shape, seed=i)  # among others, away from zero flow
    peer = torch_models.MODELS[name](**MODELS[name])
    torch_models.load_parameters(peer, {path: weight for path, weight, _ in model.named_parameters()})

    frames = np.random.default_rng(0).random((6, 2, 1, 16, 12))
    input, target = leaf(frames[:-1]), torch.tensor(frames[1:])
    minimised, expected = torch_models.losses(peer, input, target)
    minimised.backward()

    model.zero_grad_parameters()
    output = model.forward(frames[:-1])
    assert_close(output, peer(input)[0].sigmoid(), "output")
    loss, grad_output, _ = loss_and_gradient(nn.BCECriterion(size_average=False), output, frames[1:], "all")
    assert_close(loss, expected, "loss")
    assert_close(model.backward(frames[:-1], grad_output), input.grad, "grad_input")
    gradients = torch_models.gradients(peer)
    for path, _, grad in model.named_parameters():
        golden.assert_close(grad, gradients.pop(path), RTOL, path)
    assert not gradients


def test_conv_lstm():
    module = nn.SeqConvLSTM(3, 4, 5).double()
    peer = torch_models.ConvLSTM(3, 4, 5)
    torch_models.load_parameters(peer, {path: weight for path, weight, _ in module.named_parameters()})
    x, grad_output = noise(4, 2, 3, 7, 6), noise(4, 2, 4, 7, 6, seed=1)
    input = leaf(x)
    expected, _ = peer(input.flatten(0, 1), steps=4)
    expected.backward(torch.tensor(grad_output).flatten(0, 1))
    assert_close(module.forward(x).reshape(expected.shape), expected, "output")
    module.zero_grad_parameters()
    assert_close(module.backward(x, grad_output), input.grad, "grad_input")
    gradients = torch_models.gradients(peer)
    for path, _, grad in module.named_parameters():
        golden.assert_close(grad, gradients.pop(path), RTOL, path)
    assert not gradients


def test_conv_lstm_goes_on_from_a_state():
    module = nn.SeqConvLSTM(3, 4, 5).double().remember()
    peer = torch_models.ConvLSTM(3, 4, 5)
    torch_models.load_parameters(peer, {path: weight for path, weight, _ in module.named_parameters()})
    state = None
    for part in np.split(noise(6, 2, 3, 7, 6), 3):
        expected, state = peer(torch.tensor(part).flatten(0, 1), len(part), state)
        assert_close(module.forward(part).reshape(expected.shape), expected, "output")


@pytest.mark.parametrize("reach", [0.9, 1.6], ids=["interior", "partly outside"])
def test_bilinear_sampler(reach):
    def sample(_, images, grids):
        grids = grids.flip(-1)  # (y, x) to (x, y)
        y = F.grid_sample(images.permute(0, 3, 1, 2), grids, padding_mode="zeros", align_corners=True)
        return y.permute(0, 2, 3, 1)

    grids = np.random.default_rng(0).uniform(-reach, reach, (2, 4, 3, 2))
    check(nn.BilinearSamplerBHWD(), sample, noise(2, 6, 5, 3), grids)


def differences(flow):
    """Return the central differences (g_y, g_x) by means of convolutions."""
    stencil = torch.tensor([-0.5, 0.0, 0.5])
    maps = flow.flatten(0, 1)[:, None]
    g_y = F.conv2d(maps, stencil.reshape(1, 1, 3, 1), padding=(1, 0))
    g_x = F.conv2d(maps, stencil.reshape(1, 1, 1, 3), padding=(0, 1))
    return g_y.reshape(flow.shape), g_x.reshape(flow.shape)


def huber(a, delta):
    return F.huber_loss(a, torch.zeros_like(a), reduction="sum", delta=delta)


PENALTIES = {
    "paper": lambda g_y, g_x: 0.3 * (huber(g_y, 0.5) + huber(g_x, 0.5)),
    "isotropic": lambda g_y, g_x: 0.3 * huber((g_y**2 + g_x**2).sqrt(), 0.5) / g_y.numel(),
    "published": lambda g_y, g_x: 0.5 * (g_y**2 + g_x**2).sum(),
}


@pytest.mark.parametrize("form", PENALTIES)
def test_huber_penalty(form):
    module = nn.SmoothHuberPenalty(0.3, 0.5, form=form).double()
    flow, grad_output = noise(2, 2, 5, 6), noise(2, 2, 5, 6, seed=1)
    input = leaf(flow)
    penalty = PENALTIES[form](*differences(input))
    (penalty + (torch.tensor(grad_output) * input).sum()).backward()
    module.forward(flow)
    assert_close(module.value, penalty, "value")
    assert_close(module.backward(flow, grad_output), input.grad, "grad_input")


@pytest.mark.parametrize("algorithm", ["gemm", "spectral"])
def test_convolution(algorithm):
    def convolve(p, x):
        return F.conv2d(x, p["weight"], p["bias"], padding=(1, 2))

    check(nn.SpatialConvolution(3, 4, 5, 3, 1, 1, 2, 1, algorithm=algorithm), convolve, noise(2, 3, 9, 8))


def test_convolution_with_stride():
    def convolve(p, x):
        return F.conv2d(x, p["weight"], stride=(1, 2), padding=(1, 2))

    check(nn.SpatialConvolutionNoBias(3, 4, 5, 3, 2, 1, 2, 1), convolve, noise(2, 3, 9, 8))


def test_full_convolution():
    def convolve(p, x):
        return F.conv_transpose2d(x, p["weight"], p["bias"], (3, 2), (1, 2), output_padding=(2, 1))

    check(nn.SpatialFullConvolution(3, 4, 5, 4, 2, 3, 2, 1, 1, 2), convolve, noise(2, 3, 5, 4))


@pytest.mark.parametrize("ceil", [False, True])
def test_max_pooling(ceil):
    def pool(_, x):
        return F.max_pool2d(x, (2, 3), (2, 2), (1, 1), ceil_mode=ceil)

    module = nn.SpatialMaxPooling(3, 2, 2, 2, 1, 1)
    check(module.ceil() if ceil else module, pool, noise(2, 3, 8, 7))


def test_upsampling():
    check(nn.SpatialUpSamplingNearest(3), lambda _, x: F.interpolate(x, scale_factor=3), noise(2, 3, 4, 5))


def test_batch_normalization():
    module, peer = nn.SpatialBatchNormalization(3).double(), torch.nn.BatchNorm2d(3)
    with torch.no_grad():
        peer.weight.copy_(torch.tensor(module.weight))
    for mode in ("training", "training", "evaluate"):
        getattr(module, mode)()
        peer.train(mode == "training")
        x, grad_output = noise(4, 3, 5, 6), noise(4, 3, 5, 6, seed=1)
        input = leaf(x)
        expected = peer(input)
        peer.zero_grad()
        expected.backward(torch.tensor(grad_output))
        module.zero_grad_parameters()
        assert_close(module.forward(x), expected, "output")
        assert_close(module.backward(x, grad_output), input.grad, "grad_input")
        assert_close(module.grad_weight, peer.weight.grad, "grad_weight")
        assert_close(module.grad_bias, peer.bias.grad, "grad_bias")
        assert_close(module.running_mean, peer.running_mean, "running_mean")
        assert_close(module.running_var, peer.running_var, "running_var")


def test_local_response_normalization():
    module = nn.SpatialCrossMapLRN(3, 0.5, 0.75, 2.0)
    check(module, lambda _, x: F.local_response_norm(x, 3, 0.5, 0.75, 2.0), noise(2, 5, 3, 4))


@pytest.mark.parametrize(
    "module, function",
    [
        (nn.Linear(6, 3), lambda p, x: F.linear(x, p["weight"], p["bias"])),
        (nn.Tanh(), lambda _, x: x.tanh()),
        (nn.Sigmoid(), lambda _, x: x.sigmoid()),
        (nn.ReLU(), lambda _, x: x.relu()),
        (nn.HardTanh(-0.5, 1.0), lambda _, x: x.clamp(-0.5, 1.0)),
        (nn.LogSoftMax(), lambda _, x: x.log_softmax(1)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_layer(module, function):
    check(module, function, noise(5, 6))


WEIGHTS = np.array([0.5, 2.0, 1.0])
LABELS = np.array([0, 2, -1, 1, 2])
PROBABILITIES = np.random.default_rng(0).uniform(0.05, 0.95, (2, 5, 3))


@pytest.mark.parametrize(
    "criterion, function, input, target",
    [
        (nn.MSECriterion(), F.mse_loss, noise(5, 3), noise(5, 3, seed=1)),
        (nn.AbsCriterion(), F.l1_loss, noise(5, 3), noise(5, 3, seed=1)),
        (nn.SmoothL1Criterion(), F.smooth_l1_loss, noise(5, 3), noise(5, 3, seed=1)),
        (
            nn.BCECriterion(weights=WEIGHTS, size_average=False),
            lambda x, t: F.binary_cross_entropy(x, t, torch.tensor(WEIGHTS).expand(5, 3), reduction="sum"),
            *PROBABILITIES,
        ),
        (
            nn.ClassNLLCriterion(weights=WEIGHTS),
            lambda x, t: F.nll_loss(x, t, torch.tensor(WEIGHTS), ignore_index=-1),
            noise(5, 3),
            LABELS,
        ),
        (
            nn.CrossEntropyCriterion(weights=WEIGHTS),
            lambda x, t: F.cross_entropy(x, t, torch.tensor(WEIGHTS), ignore_index=-1),
            noise(5, 3),
            LABELS,
        ),
        (
            nn.SpatialClassNLLCriterion(weights=WEIGHTS),
            lambda x, t: F.nll_loss(x, t, torch.tensor(WEIGHTS), ignore_index=-1),
            noise(2, 3, 4, 5),
            np.random.default_rng(0).integers(-1, 3, (2, 4, 5)),
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Criterion) else "",
)
def test_criterion(criterion, function, input, target):
    x = leaf(input)
    expected = function(x, torch.tensor(target))
    expected.backward()
    assert_close(criterion.forward(input, target), expected, "loss")
    assert_close(criterion.backward(input, target), x.grad, "grad_input")


def test_clipped_rmsprop():
    x, target = noise(20), torch.tensor(noise(20, seed=1))
    parameter, state = leaf(x), {}
    peer = torch.optim.RMSprop([parameter], lr=0.1, alpha=0.9, eps=1e-5)
    for _ in range(5):
        peer.zero_grad()
        ((parameter - target) ** 4).sum().backward()
        torch.nn.utils.clip_grad_value_([parameter], 2.0)
        peer.step()

        grad = 4 * (x - target.numpy()) ** 3
        optim.clip_by_value(grad, 2.0)
        options = {"learning_rate": 0.1, "alpha": 0.9, "epsilon": 1e-5}
        optim.rmsprop(lambda x, grad=grad: (0.0, grad), x, options, state)
    assert_close(x, parameter, "parameters")
