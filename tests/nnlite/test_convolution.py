"""Convolution layers: recorded vectors, gradients, SciPy's correlation, blocks, types and bad input."""

import numpy as np
import pytest
import scipy.signal

import nnlite as nn
from nnlite.gradcheck import check_module, worst
from nnlite.ops import gemm
from nnlite.ops.numpy_ops import NumpyOps
from tests import golden_cases as golden

FORWARD = [
    "SpatialConvolution_16_64_k7_p3",
    "SpatialConvolution_16_64_k7_p3_batch",
    "SpatialConvolution_1_16_k7_p3",
    "SpatialConvolution_1_16_k7_p3_batch",
    "SpatialConvolution_1x1",
    "SpatialConvolution_2_3_k3_nopad",
    "SpatialConvolution_2_3_k3_nopad_batch",
    "SpatialConvolution_2_3_kW3_kH5",
    "SpatialConvolution_2_3_kW3_kH5_dW2_dH1_padW1_padH0",
    "SpatialConvolution_3_4_k3_s2_p1",
    "SpatialConvolution_3_4_k3_s2_p1_batch",
    "SpatialConvolution_padH_defaults_to_padW",
    "SpatialConvolution_stride2_inexact",
]
FULL = [
    "SpatialFullConvolution_3_2_k3",
    "SpatialFullConvolution_3_2_k3_s2_p1_adj1",
    "SpatialFullConvolution_3_2_k4_s2_p1",
    "SpatialFullConvolution_asym",
]
NO_BIAS = ["SpatialConvolution_noBias", "SpatialFullConvolution_noBias"]
TWICE = "SpatialConvolution_accumulate_twice_scale0.5"
GOLDEN = [*FORWARD, *FULL, *NO_BIAS, TWICE]

SMALL = np.zeros((2, 2, 5, 4), np.float32)


@pytest.mark.parametrize("case", FORWARD + FULL)
def test_matches_torch7(case):
    layer = nn.SpatialConvolution if case in FORWARD else nn.SpatialFullConvolution
    module = golden.check_layer("a_nn_layers", case, layer)
    assert repr(module) == golden.load("a_nn_layers", case)["attrs"]["tostring"]


@pytest.mark.parametrize("case", NO_BIAS)
def test_no_bias_matches_torch7(case):
    layer = nn.SpatialConvolution if case == NO_BIAS[0] else nn.SpatialFullConvolution
    module = golden.check_layer("a_nn_layers", case, lambda *args: layer(*args).no_bias())
    assert module.bias is None and module.grad_bias is None
    assert [name for name, _, _ in module.named_parameters()] == ["weight"]
    if layer is nn.SpatialConvolution:
        golden.check_layer("a_nn_layers", case, nn.SpatialConvolutionNoBias)


@pytest.mark.parametrize("case", [TWICE])
def test_scaled_accumulation_matches_torch7(case):
    recorded = golden.load("a_nn_layers", case)
    module = nn.SpatialConvolution(*recorded["attrs"]["args"]).double()
    golden.set_parameters(module, recorded["params"])
    golden.assert_close(module.forward(recorded["input"]), recorded["output"])
    grad_input = module.update_grad_input(recorded["input"], recorded["gradOutput"])
    golden.assert_close(grad_input, recorded["gradInput"])
    for _ in range(2):
        module.acc_grad_parameters(recorded["input"], recorded["gradOutput"], 0.5)
    golden.assert_grad_parameters(module, recorded["gradParams"])


def test_initial_weights_are_those_of_torch7():
    recorded = golden.load("a_nn_layers", "RNG")
    nn.manual_seed(1234)
    module = nn.SpatialConvolution(2, 3, 3, 3)
    initial = recorded["init_SpatialConvolution_2_3_3_3_seed1234"]
    golden.assert_close(module.weight, initial["weight"], 1e-6)
    golden.assert_close(module.bias, initial["bias"], 1e-6)
    nn.manual_seed(1234)
    module.reset(0.1)
    reset = recorded["reset0.1_SpatialConvolution_2_3_3_3_seed1234"]
    golden.assert_close(module.weight, reset["weight"], 1e-6)
    golden.assert_close(module.bias, reset["bias"], 1e-6)


def test_equals_scipy_correlate2d():
    rng = np.random.default_rng(0)
    x, weight = rng.standard_normal((2, 3, 9, 8)), rng.standard_normal((4, 3, 3, 5))
    layer = nn.SpatialConvolution(3, 4, 5, 3, 2, 1, 1, 2).double().no_bias()
    layer.weight[...] = weight
    padded = np.pad(x, ((0, 0), (0, 0), (2, 2), (1, 1)))
    want = [
        [sum(scipy.signal.correlate2d(a, k, "valid") for a, k in zip(image, kernels)) for kernels in weight]
        for image in padded
    ]
    np.testing.assert_allclose(layer.forward(x), np.array(want)[..., ::2], rtol=1e-12, atol=1e-12)


def test_full_convolution_equals_scipy_convolve2d():
    rng = np.random.default_rng(0)
    x, weight = rng.standard_normal((2, 3, 4)), rng.standard_normal((2, 3, 3, 2))
    layer = nn.SpatialFullConvolution(2, 3, 2, 3).double().no_bias()
    layer.weight[...] = weight
    want = sum(
        np.array([scipy.signal.convolve2d(a, kernel) for kernel in kernels]) for a, kernels in zip(x, weight)
    )
    np.testing.assert_allclose(layer.forward(x), want, rtol=1e-12, atol=1e-12)


def test_padding_wider_than_the_kernel():
    layer = nn.SpatialConvolution(1, 1, 2, 2, 1, 1, 4, 3).double()
    x = np.random.default_rng(0).standard_normal((1, 3, 2))
    y = layer.forward(x)
    assert y.shape == (1, 8, 9)
    np.testing.assert_array_equal(y[0, :2], layer.bias[0])
    assert worst(check_module(layer, x)).error < 1e-6


@pytest.mark.parametrize("stride", [(1, 1), (2, 3)])
@pytest.mark.parametrize("n_out", [1, 4])
@pytest.mark.parametrize("limit", [1, 4000, 20000])
def test_blocks_do_not_change_the_result(monkeypatch, limit, n_out, stride):
    """Blocks of one image's few rows and blocks of several images give what one block gives."""
    rng = np.random.default_rng(0)
    x, weight, padding = rng.standard_normal((5, 7, 19, 11)), rng.standard_normal((n_out, 7, 3, 2)), (1, 0)

    def all_three():
        y = gemm.conv2d(x, weight, padding, stride)
        g = np.random.default_rng(1).standard_normal(y.shape)
        return (
            y,
            gemm.conv2d_grad_input(g, weight, x.shape[2:], padding, stride),
            gemm.conv2d_grad_weight(x, g, weight.shape[2:], padding, stride),
        )

    want = all_three()
    monkeypatch.setattr(NumpyOps, "patch_bytes", limit)
    for got, one_block in zip(all_three(), want):
        np.testing.assert_allclose(got, one_block, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("build", [nn.SpatialConvolution, nn.SpatialFullConvolution])
def test_batch_is_its_images(build):
    layer = build(2, 3, 3, 2, 2, 1, 1).double()
    x = np.random.default_rng(0).standard_normal((3, 2, 6, 5))
    y = layer.forward(x).copy()
    g = np.random.default_rng(1).standard_normal(y.shape)
    layer.zero_grad_parameters()
    grad_input = layer.backward(x, g).copy()
    grads = [grad.copy() for grad in layer.parameters()[1]]
    layer.zero_grad_parameters()
    for i in range(3):
        np.testing.assert_allclose(layer.forward(x[i]), y[i], rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(layer.backward(x[i], g[i]), grad_input[i], rtol=1e-12, atol=1e-14)
    for got, want in zip(layer.parameters()[1], grads):
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("build", [nn.SpatialConvolution, nn.SpatialFullConvolution])
def test_float32_agrees_with_float64(build):
    layer = build(2, 3, 3, 3, 2, 2, 1, 1)
    x = np.random.default_rng(0).standard_normal((2, 2, 7, 7)).astype(np.float32)
    y = layer.forward(x).copy()
    g = np.random.default_rng(1).standard_normal(y.shape).astype(np.float32)
    layer.zero_grad_parameters()
    results = [y, layer.backward(x, g), layer.grad_weight.copy(), layer.grad_bias.copy()]
    assert {r.dtype for r in results} == {np.dtype(np.float32)}
    layer.double().zero_grad_parameters()
    wanted = [layer.forward(x.astype(float)), layer.backward(x.astype(float), g.astype(float))]
    for got, want in zip(results, [*wanted, layer.grad_weight, layer.grad_bias]):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


def test_empty_batch():
    layer = nn.SpatialConvolution(2, 3, 3, 3)
    layer.zero_grad_parameters()
    assert layer.forward(SMALL[:0]).shape == (0, 3, 3, 2)
    assert layer.backward(SMALL[:0], layer.output).shape == (0, 2, 5, 4)
    assert not layer.grad_weight.any()


@pytest.mark.parametrize(
    "x, error, message",
    [
        (SMALL[:, :1], ValueError, r"nn\.SpatialConvolution: input must have size 2 in dimension -3"),
        (SMALL[0, 0], ValueError, "3 or 4 dimensions"),
        (SMALL[None], ValueError, "3 or 4 dimensions"),
        (
            SMALL[:, :, :1],
            ValueError,
            r"window of 4 rows and 3 columns with padding 1 and 0 gives no output \(0x2\)",
        ),
        (SMALL[:, :, :, :2], ValueError, r"no output \(4x0\) for input of shape \(2, 2, 5, 2\)"),
        (SMALL[:, :, :, :0], ValueError, "no output"),
        (SMALL.astype(float), TypeError, "must be float32, got float64"),
        ([SMALL], TypeError, "must be an array, got list"),
    ],
)
def test_bad_input(x, error, message):
    with pytest.raises(error, match=message):
        nn.SpatialConvolution(2, 3, 3, 4, 1, 1, 0, 1).forward(x)


@pytest.mark.parametrize(
    "args, message",
    [
        ((2, 3, 0, 3), "kw must be an integer >= 1, got 0"),
        ((2, 3, 3, 2.5), "kh must be an integer >= 1, got 2.5"),
        ((2, 3, 3, 3, 0), "dw must be an integer >= 1, got 0"),
        ((2, 3, 3, 3, 1, 1, -1), "padw must be an integer >= 0, got -1"),
        ((0, 3, 3, 3), r"nn\.SpatialConvolution: n_in must be an integer >= 1, got 0"),
        ((2, -2, 3, 3), "n_out must be an integer >= 1, got -2"),
        ((2, 3.0, 3, 3), r"n_out must be an integer >= 1, got 3\.0"),
        (("2", 3, 3, 3), "n_in must be an integer >= 1, got '2'"),
    ],
)
def test_bad_arguments(args, message):
    with pytest.raises(ValueError, match=message):
        nn.SpatialConvolution(*args)


def test_full_convolution_bad_input():
    with pytest.raises(
        ValueError, match=r"adjw and adjh must be at least 0 and below dw = 2 and dh = 2, got 2 and 0"
    ):
        nn.SpatialFullConvolution(2, 3, 3, 3, 2, 2, 0, 0, 2, 0)
    with pytest.raises(ValueError, match=r"nn\.SpatialFullConvolution: a window .* gives no output \(-1x0\)"):
        nn.SpatialFullConvolution(2, 3, 3, 3, 1, 1, 3, 4).forward(SMALL)
    with pytest.raises(ValueError, match="input must have size 2 in dimension -3"):
        nn.SpatialFullConvolution(2, 3, 3, 3).forward(SMALL[:, :1])


def test_bad_grad_output():
    layer = nn.SpatialConvolution(2, 3, 3, 3)
    with pytest.raises(RuntimeError, match="call forward before backward"):
        layer.backward(SMALL, SMALL)
    layer.forward(SMALL)
    with pytest.raises(ValueError, match=r"grad_output must have shape \(2, 3, 3, 2\), got \(2, 2, 5, 4\)"):
        layer.backward(SMALL, SMALL)


@pytest.mark.parametrize("algorithm", ["gemm", "spectral", "auto"])
@pytest.mark.parametrize("single", [False, True], ids=["batch", "single"])
def test_dilated_convolution_term_by_term(algorithm, single):
    rng = np.random.default_rng(3)
    layer = nn.SpatialDilatedConvolution(2, 3, 3, 2, 1, 2, 2, 1, 2, 3, algorithm=algorithm).double()
    x = rng.standard_normal((2, 2, 7, 6))
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (2, 2)))
    rows, columns = (7 + 2 - 3 - 1) // 2 + 1, 6 + 4 - 2 * 2
    y, g = np.zeros((2, 3, rows, columns)), rng.standard_normal((2, 3, rows, columns))
    grad, grad_weight = np.zeros(padded.shape), np.zeros((3, 2, 2, 3))
    for n, o, p, q in np.ndindex(y.shape):
        window = np.s_[n, :, 2 * p : 2 * p + 4 : 3, q : q + 5 : 2]
        y[n, o, p, q] = (layer.weight[o] * padded[window]).sum() + layer.bias[o]
        grad[window] += layer.weight[o] * g[n, o, p, q]
        grad_weight[o] += 0.5 * padded[window] * g[n, o, p, q]
    layer.zero_grad_parameters()
    if single:
        for n in range(2):
            golden.assert_close(layer.forward(x[n]), y[n], 1e-12)
            golden.assert_close(layer.backward(x[n], g[n], 0.5), grad[n, :, 1:-1, 2:-2], 1e-12)
    else:
        golden.assert_close(layer.forward(x), y, 1e-12)
        golden.assert_close(layer.backward(x, g, 0.5), grad[:, :, 1:-1, 2:-2], 1e-12)
    golden.assert_close(layer.grad_weight, grad_weight, 1e-12)
    golden.assert_close(layer.grad_bias, 0.5 * g.sum((0, 2, 3)), 1e-12)
    layer.float()
    small = layer.forward(x.astype(np.float32))
    assert small.dtype == np.float32
    golden.assert_close(small, y, 1e-5)


def test_dilated_convolution_without_gaps_is_a_convolution():
    plain = nn.SpatialConvolution(2, 3, 3, 2, 1, 1, 1)
    dilated = nn.SpatialDilatedConvolution(2, 3, 3, 2, 1, 1, 1)
    dilated.weight[...], dilated.bias[...] = plain.weight, plain.bias
    x = np.random.default_rng(0).standard_normal((2, 5, 6)).astype(np.float32)
    golden.assert_close(dilated.forward(x), plain.forward(x), 1e-6)
    assert repr(dilated) == "nn.SpatialDilatedConvolution(2 -> 3, 3x2, 1,1, 1,1, 1,1)"
    assert repr(dilated.no_bias()) == "nn.SpatialDilatedConvolution(2 -> 3, 3x2, 1,1, 1,1, 1,1) without bias"


def test_dilated_convolution_bad_input():
    with pytest.raises(ValueError, match="dilationw must be an integer >= 1, got 0"):
        nn.SpatialDilatedConvolution(1, 1, 3, 3, dilationw=0)
    layer = nn.SpatialDilatedConvolution(1, 1, 3, 3, dilationw=3, dilationh=2)
    assert layer.forward(np.ones((1, 5, 7), np.float32)).shape == (1, 1, 1)
    with pytest.raises(ValueError, match=r"nn\.SpatialDilatedConvolution: .* gives no output"):
        layer.forward(np.ones((1, 5, 6), np.float32))
    with pytest.raises(ValueError, match="must have size 1 in dimension -3"):
        layer.forward(np.ones((2, 5, 7), np.float32))
