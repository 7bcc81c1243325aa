"""What docs/coming-from.md says of nnlite and, where they are installed, of PyTorch, Keras, JAX and Optax."""

import importlib.util
import os
import re
from pathlib import Path

import numpy as np
import pytest

import nnlite as nn
from nnlite import optim
from nnlite.train.camvid.scores import ConfusionMatrix
from tests import golden_cases as golden

os.environ.setdefault("KERAS_BACKEND", "jax")
INSTALLED = {name for name in ("torch", "keras", "jax", "optax") if importlib.util.find_spec(name)}
PAGE = Path(__file__).parents[1] / "docs" / "coming-from.md"


def library(name):
    """Return a library that is to be compared with, or None."""
    return importlib.import_module(name) if name in INSTALLED else None


def close(got, want, tolerance=1e-6):
    golden.assert_close(np.asarray(got, np.float64), np.asarray(want, np.float64), tolerance)


def test_every_line_has_its_test():
    named = re.findall(r"\| `(\w+)` \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    here = [name.removeprefix("test_") for name in globals() if name.startswith("test_")]
    assert sorted(named) == sorted(set(here) - {"every_line_has_its_test"}) and len(named) == 15


def test_bce_at_zero_and_one():
    for x, t, keras_value in ((0.0, 1.0, -np.log(1e-7)), (1.0, 0.0, 15.942385)):
        x, t = np.array([x]), np.array([t])
        close(nn.BCECriterion().forward(x, t), -np.log(1e-12), 1e-4)
        if torch := library("torch"):
            assert torch.nn.functional.binary_cross_entropy(torch.tensor(x), torch.tensor(t)).item() == 100
        if keras := library("keras"):
            close(keras.losses.binary_crossentropy(t, x), keras_value, 1e-4)


def test_absolute_error_at_equality():
    x = np.array([1.0, 2.0])
    loss = nn.AbsCriterion()
    loss.forward(x, x)
    close(loss.backward(x, x), [0.5, 0.5], 0)
    if torch := library("torch"):
        leaf = torch.tensor(x, requires_grad=True)
        torch.nn.functional.l1_loss(leaf, torch.tensor(x)).backward()
        close(leaf.grad, [0, 0], 0)
    if jax := library("jax"):
        assert jax.grad(jax.numpy.abs)(0.0) == 1


def test_max_pooling_and_nan():
    x = np.array([[[1, np.nan], [3, 2]]])
    assert nn.SpatialMaxPooling(2, 2).double().forward(x).item() == 3
    if torch := library("torch"):
        assert torch.isnan(torch.nn.functional.max_pool2d(torch.tensor(x), 2)).item()
    if jax := library("jax"):
        pooled = jax.lax.reduce_window(x[0], -np.inf, jax.lax.max, (2, 2), (2, 2), "VALID")
        assert np.isnan(pooled).item()


def test_all_labels_ignored():
    scores, labels = np.zeros((2, 3)), np.array([-1, -1])
    loss = nn.CrossEntropyCriterion()
    assert loss.forward(scores, labels) == 0 and not loss.backward(scores, labels).any()
    if torch := library("torch"):
        ignored = torch.tensor([-100, -100])
        assert torch.isnan(torch.nn.functional.cross_entropy(torch.tensor(scores), ignored)).item()
    if keras := library("keras"):
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1)
        assert loss(labels, scores) == 0


def test_iou_of_a_class_that_is_only_predicted():
    truth, predicted = np.array([0, 0, 0, 1, 0, 1, 1, 1]), np.array([0, 0, 1, 1, 0, 1, 1, 2])
    matrix = ConfusionMatrix(["a", "b", "c", "d"])
    matrix.add(predicted, truth)
    close(matrix.mean_iou(), (3 / 4 + 3 / 5) / 2)
    if keras := library("keras"):
        score = keras.metrics.MeanIoU(num_classes=4)
        score.update_state(truth, predicted)
        close(score.result(), (3 / 4 + 3 / 5 + 0) / 3)


def test_default_ignored_label():
    scores = np.array([[2.0, 0, 0], [0, 0, 0]])
    loss = nn.CrossEntropyCriterion()
    assert loss.forward(scores, np.array([0, -1])) == loss.forward(scores[:1], np.array([0]))
    with pytest.raises(ValueError, match="-100"):
        loss.forward(scores, np.array([0, -100]))
    if torch := library("torch"):
        assert torch.nn.CrossEntropyLoss().ignore_index == -100
    if keras := library("keras"):
        assert keras.losses.SparseCategoricalCrossentropy().ignore_class is None
    if optax := library("optax"):
        losses = optax.softmax_cross_entropy_with_integer_labels(np.zeros((2, 3)), np.array([-1, 0]))
        close(losses, [np.log(3), np.log(3)])


def test_scale_of_spatial_dropout():
    x = np.ones((4, 8, 3, 3))
    drop = nn.SpatialDropout(0.75).double()
    assert set(np.unique(drop.forward(x))) == {0, 1}
    drop.evaluate()
    close(drop.forward(x), 0.25 * x, 0)
    if torch := library("torch"):
        drop = torch.nn.Dropout2d(0.75)
        assert set(np.unique(drop(torch.tensor(x)))) == {0, 4} and (drop.eval()(torch.tensor(x)) == 1).all()
    if keras := library("keras"):
        drop = keras.layers.SpatialDropout2D(0.75)
        assert set(np.unique(drop(x, training=True))) == {0, 4} and (np.asarray(drop(x)) == 1).all()


PICTURE = np.array([[1.0, 2, 3], [4, 5, 6]])


def sampled(first, second):
    """Return what the sampler reads from PICTURE at a pair of coordinates."""
    grid = np.array([first, second], np.float64).reshape(1, 1, 1, 2)
    return nn.BilinearSamplerBHWD().double().forward([PICTURE[None, :, :, None], grid]).item()


def torch_sampled(torch, first, second, **options):
    grid = torch.tensor([first, second], dtype=torch.float64).reshape(1, 1, 1, 2)
    return torch.nn.functional.grid_sample(torch.tensor(PICTURE)[None, None], grid, **options).item()


def test_order_of_coordinates():
    assert sampled(1, -1) == 4
    if torch := library("torch"):
        assert torch_sampled(torch, 1, -1, align_corners=True) == 3


def test_align_corners():
    assert sampled(-1, -1) == 1
    if torch := library("torch"):
        assert torch_sampled(torch, -1, -1, align_corners=True) == 1
        assert torch_sampled(torch, -1, -1) == 0.25  # three of the four neighbours are outside, and zero


def moved(step, gradient, **config):
    """Return where an optimiser goes from 0 by a step of size 1."""
    x = np.zeros(1)
    step(lambda x: (0.0, np.array([gradient])), x, {"learning_rate": 1.0} | config)
    return x.item()


def torch_moved(torch, optimiser, gradient):
    x = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    x.grad = torch.tensor([gradient], dtype=torch.float64)
    optimiser([x], lr=1.0).step()
    return x.item()


def keras_moved(keras, optimiser, gradient):
    x = keras.Variable(np.zeros(1))
    optimiser.build([x])
    optimiser.apply([np.array([gradient])], [x])
    return np.asarray(x).item()


def optax_moved(optax, optimiser, gradient):
    x = np.zeros(1, np.float32)
    return np.asarray(optimiser.update(np.array([gradient], np.float32), optimiser.init(x))[0]).item()


def test_epsilon_of_adam():
    """The first step with a gradient of the size of ε, which is 1e-8."""
    uncorrected = np.sqrt(1 - 0.999)
    close(moved(optim.adam, 1e-8), -uncorrected / (uncorrected + 1))
    if torch := library("torch"):
        close(torch_moved(torch, torch.optim.Adam, 1e-8), -0.5)
    if optax := library("optax"):
        close(optax_moved(optax, optax.adam(1.0), 1e-8), -0.5, 1e-4)
    if keras := library("keras"):
        optimiser = keras.optimizers.Adam(1.0)
        assert optimiser.epsilon == 1e-7
        close(keras_moved(keras, optimiser, 1e-7), -uncorrected / (uncorrected + 1), 1e-4)


def test_epsilon_of_rmsprop():
    """The first step with a gradient of the size of ε: by 1e-8 or, where it is inside the root, far less."""
    close(moved(optim.rmsprop, 1e-8), -1 / (0.1 + 1))
    if torch := library("torch"):
        close(torch_moved(torch, torch.optim.RMSprop, 1e-8), -1 / (0.1 + 1))
    if optax := library("optax"):
        close(optax_moved(optax, optax.rmsprop(1.0), 1e-8), -1e-8 / np.sqrt(0.1 * 1e-16 + 1e-8), 1e-4)
    if keras := library("keras"):
        optimiser = keras.optimizers.RMSprop(1.0)
        assert (optimiser.epsilon, optimiser.rho) == (1e-7, 0.9)
        close(keras_moved(keras, optimiser, 1e-8), -1e-8 / np.sqrt(0.1 * 1e-16 + 1e-7), 1e-4)


def test_clipping_by_norm():
    gradient, infinite = np.array([3.0, 4.0]), np.array([np.inf, 1.0])
    assert optim.clip_by_norm(gradient, 1.0) == 5 and (gradient == [0.2 * 3, 0.2 * 4]).all()
    assert optim.clip_by_norm(infinite, 1.0) == np.inf and (infinite == [np.inf, 1]).all()
    if torch := library("torch"):
        for grad, want in (([3.0, 4.0], np.array([3, 4]) / (5 + 1e-6)), ([np.inf, 1.0], [np.nan, 0])):
            x = torch.zeros(2, dtype=torch.float64, requires_grad=True)
            x.grad = torch.tensor(grad, dtype=torch.float64)
            torch.nn.utils.clip_grad_norm_([x], 1.0)
            np.testing.assert_allclose(x.grad, want, rtol=1e-12)
    if optax := library("optax"):
        clip = optax.clip_by_global_norm(1.0)
        for grad, want in (([3.0, 4.0], [0.6, 0.8]), ([np.inf, 1.0], [np.nan, 0])):
            got = clip.update(np.array(grad, np.float32), clip.init(None))[0]
            np.testing.assert_allclose(got, want, rtol=1e-6)


def test_muon_on_kernels():
    gradient = np.random.default_rng(0).standard_normal(4 * 3 * 2 * 2)
    steps = []
    for shape in ((4, 3, 2, 2), (4, 12)):
        x = np.zeros(gradient.size)
        optim.muon(lambda x: (0.0, gradient.copy()), x, {"shapes": [shape], "learning_rate": 1.0})
        steps.append(x)
    assert steps[0].any() and (steps[0] == steps[1]).all()
    torch = library("torch")
    if torch and hasattr(torch.optim, "Muon"):
        with pytest.raises(ValueError, match="2D"):
            torch.optim.Muon([torch.zeros(4, 3, 2, 2, requires_grad=True)])
    kernels = np.float32(gradient.reshape(2, 2, 3, 4))  # the first step of Adam is the sign of the gradient
    if optax := library("optax"):
        muon = optax.contrib.muon(1.0, nesterov=False)
        close(muon.update(kernels, muon.init(kernels), kernels)[0], -np.sign(kernels), 1e-4)
    if keras := library("keras"):
        weights = keras.Variable(np.zeros_like(kernels))
        muon = keras.optimizers.Muon(1.0)
        muon.build([weights])
        muon.apply([keras.ops.convert_to_tensor(kernels)], [weights])
        close(keras.ops.convert_to_numpy(weights), -np.sign(kernels), 1e-4)


def test_gate_orders():
    """The same LSTM in all: rows in nnlite's order are those of PyTorch with forget and cell exchanged."""
    random = np.random.default_rng(1)
    frames, lstm = random.standard_normal((5, 2, 3)), nn.SeqLSTM(3, 4).double()
    input, hidden, bias = lstm.i2g.weight, lstm.o2g.weight, lstm.i2g.bias
    want = lstm.forward(frames)
    i, g, _, o = np.split(frames[0] @ input.T + bias, 4, axis=-1)
    cell = np.tanh(g) / (1 + np.exp(-i))
    close(want[0], np.tanh(cell) / (1 + np.exp(-o)))

    def exchanged(rows):
        i, g, f, o = np.split(rows, 4)
        return np.concatenate([i, f, g, o])

    if torch := library("torch"):
        theirs = torch.nn.LSTM(3, 4).double()
        with torch.no_grad():
            theirs.weight_ih_l0.copy_(torch.tensor(exchanged(input)))
            theirs.weight_hh_l0.copy_(torch.tensor(exchanged(hidden)))
            theirs.bias_ih_l0.copy_(torch.tensor(exchanged(bias)))
            theirs.bias_hh_l0.zero_()
            close(theirs(torch.tensor(frames))[0], want)
    if keras := library("keras"):
        theirs = keras.layers.LSTM(4, return_sequences=True)
        theirs.build((2, 5, 3))
        theirs.set_weights([exchanged(input).T, exchanged(hidden).T, exchanged(bias)])
        close(np.asarray(theirs(frames.swapaxes(0, 1))).swapaxes(0, 1), want, 1e-5)


def test_even_kernels():
    line, kernel = np.arange(1.0, 6).reshape(1, 1, 1, 5), np.array([1.0, 10, 100, 1000]).reshape(1, 1, 1, 4)
    same = np.array([3210.0, 4321, 5432, 543, 54])
    padded = nn.SpatialConvolution(1, 1, 4, 1, 1, 1, 2, 0).no_bias().double()
    padded.weight[...] = kernel
    close(padded.forward(line).ravel(), [2100, *same])
    by_hand = nn.SpatialConvolution(1, 1, 4, 1).no_bias().double()
    by_hand.weight[...] = kernel
    close(nn.Sequential(nn.SpatialZeroPadding(1, 2, 0, 0), by_hand).double().forward(line).ravel(), same)
    if torch := library("torch"):
        theirs = torch.nn.functional.conv2d(torch.tensor(line), torch.tensor(kernel), padding="same")
        close(theirs.ravel(), same)
    if keras := library("keras"):
        last = (0, 2, 3, 1), (2, 3, 1, 0)
        theirs = keras.ops.conv(line.transpose(last[0]), kernel.transpose(last[1]), padding="same")
        close(np.asarray(theirs).ravel(), same)
    if jax := library("jax"):
        close(np.asarray(jax.lax.conv(line, kernel, (1, 1), "SAME")).ravel(), same)
