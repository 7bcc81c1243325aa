"""Layers and criteria of torch/nn against what became of them in PyTorch, in float64."""

import numpy as np
import pytest

import nnlite as nn
from tests import golden_cases as golden

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
F = torch.nn.functional

RNG = np.random.default_rng(12)
X, Y = RNG.standard_normal((2, 3, 4, 5, 6))
A, B = RNG.standard_normal((2, 6, 4))
SIGNS, SOME, P = np.sign(B), (B > 0).astype(float), RNG.dirichlet(np.ones(4), 6)
LABELS, SIMILAR = np.array([3, 0, 2, 1, 1, 0]), np.array([1.0, -1, 1, -1, 1, -1])
SETS = np.array([[2, 0, -1, 1], [1, 3, 0, -1], [-1, 0, 0, 0], [0, 1, 2, 3], [3, -1, 2, -1], [1, -1, -1, -1]])
WEIGHTS = np.array([0.5, 1.0, 2.0, 4.0])
WORDS = np.array([[0, 3, 3], [1, 2, 0]])
FRAMES = RNG.standard_normal((2, 7, 3))


def tensor(x):
    """Return an array or a table as tensors; floats are differentiated by."""
    if isinstance(x, list):
        return [tensor(entry) for entry in x]
    return torch.tensor(x, requires_grad=x.dtype == np.float64)


def conv1d(x, weight, bias):
    kernels = weight.reshape(2, 3, 3).transpose(1, 2)
    return F.conv1d(x.transpose(1, 2), kernels, bias, 2).transpose(1, 2)


#: Layer, PyTorch's function of the input (a table: its entries) and the parameters, and the input.
LAYERS = {
    "Threshold": (lambda: nn.Threshold(0.3, -2), lambda x: F.threshold(x, 0.3, -2), X),
    "ReLU6": (nn.ReLU6, F.relu6, 4 * X),
    "LeakyReLU": (lambda: nn.LeakyReLU(0.2), lambda x: F.leaky_relu(x, 0.2), X),
    "PReLU": (lambda: nn.PReLU(4), F.prelu, X),
    "ELU": (lambda: nn.ELU(1.5), lambda x: F.elu(x, 1.5), X),
    "HardShrink": (nn.HardShrink, F.hardshrink, X),
    "SoftShrink": (nn.SoftShrink, F.softshrink, X),
    "TanhShrink": (nn.TanhShrink, F.tanhshrink, X),
    "Exp": (nn.Exp, torch.exp, X),
    "Log": (nn.Log, torch.log, abs(X)),
    "Power": (lambda: nn.Power(1.5), lambda x: x**1.5, abs(X)),
    "SoftPlus": (lambda: nn.SoftPlus(3), lambda x: F.softplus(x, 3), 8 * X),
    "SoftSign": (nn.SoftSign, F.softsign, X),
    "SoftMin": (nn.SoftMin, lambda x: F.softmin(x, 1), X),
    "SpatialSoftMax": (nn.SpatialSoftMax, lambda x: F.softmax(x, 1), X),
    "GatedLinearUnit": (nn.GatedLinearUnit, F.glu, X),
    "Sum": (lambda: nn.Sum(1), lambda x: x.sum(1), X),
    "Mean": (lambda: nn.Mean(-1), lambda x: x.mean(-1), X),
    "Max": (lambda: nn.Max(2), lambda x: x.max(2).values, X),
    "Min": (lambda: nn.Min(0), lambda x: x.min(0).values, X),
    "Padding": (lambda: nn.Padding(3, -2, None, 7), lambda x: F.pad(x, (2, 0), value=7), X),
    "Narrow": (lambda: nn.Narrow(1, 1, 2), lambda x: x.narrow(1, 1, 2), X),
    "MM": (lambda: nn.MM(False, True), lambda a, b: a @ b.transpose(1, 2), [X[:, 0], Y[:, 1]]),
    "CosineDistance": (nn.CosineDistance, F.cosine_similarity, [A, B]),
    "Normalize": (lambda: nn.Normalize(3, 1e-30), lambda x: F.normalize(x, 3), A),
    "CMaxTable": (nn.CMaxTable, torch.maximum, [A, B]),
    "LookupTable": (lambda: nn.LookupTable(4, 3), F.embedding, WORDS),
    "LookupTable, short": (
        lambda: nn.LookupTable(4, 3, 2, 0.7).scale_grad_by_freq(),
        lambda x, w: F.embedding(x, w, 2, 0.7, scale_grad_by_freq=True),
        WORDS,
    ),
    "TemporalConvolution": (lambda: nn.TemporalConvolution(3, 2, 3, 2), conv1d, FRAMES),
    "TemporalMaxPooling": (
        lambda: nn.TemporalMaxPooling(3, 2),
        lambda x: F.max_pool1d(x.transpose(1, 2), 3, 2).transpose(1, 2),
        FRAMES,
    ),
    "SpatialDilatedConvolution": (
        lambda: nn.SpatialDilatedConvolution(4, 3, 3, 2, 1, 2, 2, 1, 2, 3),
        lambda x, w, b: F.conv2d(x, w, b, (2, 1), (1, 2), (3, 2)),
        X,
    ),
}

#: Criterion, PyTorch's function of input and target, input and target.
CRITERIA = {
    "DistKLDiv": (nn.DistKLDivCriterion(), lambda x, t: F.kl_div(x, t, reduction="sum") / 24, A, P),
    "SoftMargin": (nn.SoftMarginCriterion(), F.soft_margin_loss, A, SIGNS),
    "MultiLabelSoftMargin": (
        nn.MultiLabelSoftMarginCriterion(WEIGHTS),
        lambda x, t: F.multilabel_soft_margin_loss(x, t, torch.tensor(WEIGHTS)),
        A,
        SOME,
    ),
    "MultiMargin": (nn.MultiMarginCriterion(), F.multi_margin_loss, A, LABELS),
    "MultiMargin squared": (
        nn.MultiMarginCriterion(2, WEIGHTS, 0.4),
        lambda x, t: F.multi_margin_loss(x, t, 2, 0.4, torch.tensor(WEIGHTS)),
        A,
        LABELS,
    ),
    "MultiLabelMargin": (nn.MultiLabelMarginCriterion(), F.multilabel_margin_loss, A, SETS),
    "MarginRanking": (
        nn.MarginRankingCriterion(0.3),
        lambda x, t: F.margin_ranking_loss(*x, t, 0.3),
        [A[:, 0], B[:, 0]],
        SIMILAR,
    ),
    "HingeEmbedding": (nn.HingeEmbeddingCriterion(), F.hinge_embedding_loss, abs(A), SIGNS),
    "CosineEmbedding": (
        nn.CosineEmbeddingCriterion(0.1),
        lambda x, t: F.cosine_embedding_loss(*x, t, 0.1),
        [A, B],
        SIMILAR,
    ),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layer(name):
    build, function, x = LAYERS[name]
    layer, leaves = build().double(), tensor(x)
    weights = [tensor(w) for w in layer.parameters()[0]]
    given = leaves if isinstance(x, list) else [leaves]
    y = function(*given, *weights)
    g = RNG.standard_normal(y.shape)
    y.backward(torch.tensor(g))
    golden.assert_close(layer.forward(x), y.detach().numpy(), 1e-10, "output")
    layer.zero_grad_parameters()
    grad = layer.backward(x, g)
    for got, leaf in zip(grad if isinstance(x, list) else [grad], given, strict=True):
        golden.assert_close(
            got, np.zeros(got.shape) if leaf.grad is None else leaf.grad.numpy(), 1e-10, "grad_input"
        )
    for got, weight in zip(layer.parameters()[1], weights, strict=True):
        golden.assert_close(got, weight.grad.numpy(), 1e-10, "gradient of a parameter")


@pytest.mark.parametrize("name", CRITERIA)
def test_criterion(name):
    criterion, function, x, t = CRITERIA[name]
    leaves = tensor(x)
    loss = function(leaves, torch.tensor(t))
    loss.backward()
    assert criterion.forward(x, t) == pytest.approx(loss.item(), rel=1e-10)
    grads, leaves = (a if isinstance(x, list) else [a] for a in (criterion.backward(x, t), leaves))
    for grad, leaf in zip(grads, leaves, strict=True):
        golden.assert_close(grad, leaf.grad.numpy(), 1e-10)
