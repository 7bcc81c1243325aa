"""Normalisation over the batch and across channels: recorded vectors, definitions, gradients, bad input."""

import numpy as np
import pytest

import nnlite as nn
from nnlite.gradcheck import check_module, worst
from nnlite.ops import stencils
from tests import golden_cases as golden


def batch_normalization(n, eps=None, momentum=None, affine=True):
    """Build SpatialBatchNormalization from recorded arguments, in which None is Torch7's default."""
    return nn.SpatialBatchNormalization(n, eps or 1e-5, momentum or 0.1, affine)


TRAINED = {
    "BatchNormalization_train": nn.BatchNormalization,
    "SpatialBatchNormalization_eps1e-3_mom0.3_train": batch_normalization,
    "SpatialBatchNormalization_noaffine_train": batch_normalization,
    "SpatialBatchNormalization_train": batch_normalization,
}
EVALUATED = {"SpatialBatchNormalization_eval": batch_normalization}
LRN = {
    "SpatialCrossMapLRN_3_batch": nn.SpatialCrossMapLRN,
    "SpatialCrossMapLRN_5": nn.SpatialCrossMapLRN,
    "SpatialCrossMapLRN_5_few_channels": nn.SpatialCrossMapLRN,
    "SpatialCrossMapLRN_5_strong": nn.SpatialCrossMapLRN,
}
SINGLE, TWO = "SpatialBatchNormalization_eval_3d_input", "SpatialBatchNormalization_two_forwards"
GOLDEN = [*TRAINED, *EVALUATED, SINGLE, TWO, *LRN]

LAYERS = {
    "BatchNormalization": (lambda: nn.BatchNormalization(3), (6, 3)),
    "SpatialBatchNormalization": (lambda: nn.SpatialBatchNormalization(2), (3, 2, 3, 4)),
    "SpatialBatchNormalization plain": (
        lambda: nn.SpatialBatchNormalization(2, affine=False),
        (3, 2, 3, 4),
    ),
    "SpatialCrossMapLRN": (lambda: nn.SpatialCrossMapLRN(3, 0.7, 0.6, 2), (5, 2, 3)),
    "SpatialCrossMapLRN batch": (lambda: nn.SpatialCrossMapLRN(5, 0.7), (2, 3, 2, 3)),
}


def noise(*shape):
    """Return standard normal float64 numbers, others than the gradient check draws."""
    return np.random.default_rng(3).standard_normal(shape)


@pytest.mark.parametrize("case", [*TRAINED, *EVALUATED])
def test_batch_normalization_matches_torch7(case):
    layer = golden.check_layer("a_nn_layers", case, {**TRAINED, **EVALUATED}[case])
    recorded = golden.load("a_nn_layers", case)
    assert_statistics(layer, recorded, saved=case in TRAINED)
    assert repr(layer) == recorded["attrs"]["tostring"]


@pytest.mark.parametrize("case", [SINGLE])
def test_single_evaluation_matches_torch7_but_stays_single(case):
    # Torch7 makes a batch of one of the single image, in output and grad_input.
    recorded = golden.load("a_nn_layers", case)
    layer = nn.SpatialBatchNormalization(3).double()
    golden.set_parameters(layer, recorded["params"])
    layer.evaluate()
    golden.assert_close(layer.forward(recorded["input"]), recorded["output"][0])
    layer.zero_grad_parameters()
    grad_input = layer.backward(recorded["input"], recorded["gradOutput"][0])
    golden.assert_close(grad_input, recorded["gradInput"][0])
    golden.assert_grad_parameters(layer, recorded["gradParams"])
    assert_statistics(layer, recorded, saved=False)


@pytest.mark.parametrize("case", [TWO])
def test_two_forwards_match_torch7(case):
    recorded = golden.load("a_nn_layers", case)
    layer = nn.SpatialBatchNormalization(3).double()
    golden.set_parameters(layer, recorded["params"])
    golden.assert_close(layer.forward(recorded["input1"]), recorded["output1"])
    golden.assert_close(layer.forward(recorded["input2"]), recorded["output2"])
    assert_statistics(layer, recorded, saved=True)
    layer.evaluate()
    golden.assert_close(layer.forward(recorded["input1"]), recorded["output1_eval"])


def assert_statistics(layer, recorded, saved):
    """Compare running and, if `saved`, last statistics with recorded ones."""
    for name in ("running_mean", "running_var"):
        golden.assert_close(getattr(layer, name), recorded[f"{name}_after"], what=name)
    for name in ("save_mean", "save_std") if saved else ():
        golden.assert_close(getattr(layer, name), recorded[name], what=name)


@pytest.mark.parametrize("case", LRN)
def test_lrn_matches_torch7(case):
    layer = golden.check_layer("a_nn_layers", case, LRN[case])
    recorded = golden.load("a_nn_layers", case)
    if "scale" in recorded:
        golden.assert_close(layer.scale, recorded["scale"][0])
    assert repr(layer) == recorded["attrs"]["tostring"]


def test_batch_normalization_is_its_definition():
    layer, x = nn.SpatialBatchNormalization(3, eps=1e-3, momentum=0.2).double(), 2 * noise(4, 3, 5, 6) + 1
    mean, var = x.mean((0, 2, 3), keepdims=True), x.var((0, 2, 3), keepdims=True)
    weight, bias = layer.weight.reshape(3, 1, 1), layer.bias.reshape(3, 1, 1)
    bias += np.arange(3).reshape(3, 1, 1)
    np.testing.assert_allclose(
        layer.forward(x), weight * (x - mean) / np.sqrt(var + 1e-3) + bias, rtol=1e-12, atol=1e-12
    )
    np.testing.assert_allclose(layer.running_mean, 0.2 * mean.ravel())
    np.testing.assert_allclose(layer.running_var, 0.8 + 0.2 * x.var((0, 2, 3), ddof=1))


def test_batch_normalization_starts_like_torch7():
    nn.manual_seed(5)
    drawn = nn.random.default_generator.uniform(size=4)
    nn.manual_seed(5)
    layer = nn.BatchNormalization(4)
    np.testing.assert_allclose(layer.weight, drawn, rtol=1e-6)
    np.testing.assert_array_equal(layer.bias, 0)
    layer.forward(noise(5, 4).astype(np.float32))
    layer.reset()
    np.testing.assert_array_equal(layer.running_mean, 0)
    np.testing.assert_array_equal(layer.running_var, 1)


def test_evaluating_leaves_the_running_statistics_alone():
    layer, x = nn.BatchNormalization(4).double(), noise(5, 4)
    layer.forward(x)
    mean, var = layer.running_mean.copy(), layer.running_var.copy()
    layer.evaluate()
    single = [layer.forward(row).copy() for row in x]
    np.testing.assert_array_equal(layer.forward(x), single)
    np.testing.assert_array_equal(layer.running_mean, mean)
    np.testing.assert_array_equal(layer.running_var, var)


def test_shared_clone_shares_the_running_statistics():
    layer = nn.BatchNormalization(4).double()
    twin = layer.shared_clone()
    twin.forward(noise(5, 4))
    np.testing.assert_array_equal(layer.running_mean, twin.running_mean)
    assert layer.running_mean.any()


@pytest.mark.parametrize("size", [1, 3, 5, 7, 11])
def test_channel_window_is_its_definition(size):
    x = noise(2, 4, 2, 3)
    want = [x[:, max(0, c - size // 2) : c + size // 2 + 1].sum(1) for c in range(4)]
    np.testing.assert_allclose(stencils.channel_window_sum(x, size), np.stack(want, 1), atol=1e-14)


@pytest.mark.parametrize("label", LAYERS)
def test_gradients(label):
    build, shape = LAYERS[label]
    checks = check_module(build(), noise(*shape))
    assert worst(checks).error < 1e-6, worst(checks)


@pytest.mark.parametrize("shape", [(2, 3, 4), (3, 2, 3, 4)], ids=["single", "batch"])
def test_gradients_while_evaluating(shape):
    layer = nn.SpatialBatchNormalization(2).double()
    layer.forward(1 + 2 * noise(5, 2, 3, 4))
    layer.evaluate()
    checks = check_module(layer, noise(*shape))
    assert worst(checks).error < 1e-6, worst(checks)


@pytest.mark.parametrize("label", LAYERS)
def test_float32_agrees_with_float64(label):
    build, shape = LAYERS[label]
    layer, x, g = build(), noise(*shape), np.random.default_rng(1).standard_normal(shape)

    def run(x, g):
        layer.zero_grad_parameters()
        return [layer.forward(x).copy(), layer.backward(x, g).copy(), *map(np.copy, layer.parameters()[1])]

    single = run(x.astype(np.float32), g.astype(np.float32))
    assert {y.dtype for y in single} == {np.dtype(np.float32)}
    assert all(buffer.dtype == np.float32 for _, buffer in layer.named_buffers())
    layer.double()
    for got, want in zip(single, run(x, g)):
        np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    "layer, shape, message",
    [
        (nn.BatchNormalization(3), (3,), r"nn\.BatchNormalization: input must have 2 dimensions"),
        (nn.BatchNormalization(3), (4, 2), "must have size 3 in dimension -1"),
        (nn.BatchNormalization(3), (1, 3), r"training needs at least 2 values of each feature"),
        (nn.SpatialBatchNormalization(3), (3, 4, 4), r"nn\.SpatialBatchNormalization: input must have 4"),
        (nn.SpatialBatchNormalization(3), (2, 4, 3, 3), "must have size 3 in dimension -3"),
        (nn.SpatialCrossMapLRN(3), (3, 4), r"nn\.SpatialCrossMapLRN: input must have 3 or 4 dimensions"),
    ],
)
def test_bad_shape(layer, shape, message):
    with pytest.raises(ValueError, match=message):
        layer.forward(np.zeros(shape, np.float32))


def test_window_must_be_odd():
    with pytest.raises(ValueError, match=r"nn\.SpatialCrossMapLRN: size must be odd and positive, got 4"):
        nn.SpatialCrossMapLRN(4)


@pytest.mark.parametrize("label", LAYERS)
def test_bad_type_and_grad_output(label):
    build, shape = LAYERS[label]
    layer, x = build(), noise(*shape).astype(np.float32)
    with pytest.raises(TypeError, match="input must be float32, got float64"):
        layer.forward(x.astype(np.float64))
    with pytest.raises(RuntimeError, match="call forward before backward"):
        layer.backward(x, x)
    layer.forward(x)
    with pytest.raises(ValueError, match="grad_output must have shape"):
        layer.backward(x, x[1:])
