"""The algorithms of convolution: against the definition, each other, Torch7's vectors; how "auto" chooses."""

import tracemalloc

import numpy as np
import pytest

import nnlite as nn
from nnlite.gradcheck import check_module, worst
from nnlite.ops import convolution, cost, gemm, spectral_frames, spectral_rows, threads
from nnlite.ops.numpy_ops import NumpyOps
from tests import golden_cases as golden
from tests.nnlite.test_convolution import FORWARD, FULL

ALGORITHMS = ["gemm", "rows", "frames"]
TOLERANCE = {np.float64: 1e-12, np.float32: 1e-5}


def definition(x, weight, g, padding, stride):
    """Return y and the gradients with respect to x and the weight, tap by tap in float64."""
    x, weight, g = (a.astype(float) for a in (x, weight, g))
    (ph, pw), (dh, dw), (height, width) = padding, stride, g.shape[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    y, grad_padded, grad_weight = np.zeros_like(g), np.zeros_like(padded), np.empty_like(weight)
    for i in range(weight.shape[2]):
        for j in range(weight.shape[3]):
            met = ..., slice(i, i + (height - 1) * dh + 1, dh), slice(j, j + (width - 1) * dw + 1, dw)
            y += np.einsum("oc,nchw->nohw", weight[:, :, i, j], padded[met])
            grad_padded[met] += np.einsum("oc,nohw->nchw", weight[:, :, i, j], g)
            grad_weight[:, :, i, j] = np.einsum("nohw,nchw->oc", g, padded[met])
    return y, grad_padded[:, :, ph : ph + x.shape[2], pw : pw + x.shape[3]], grad_weight


def all_three(x, weight, g, padding, stride=(1, 1), algorithm="auto"):
    """Return the same, computed by `algorithm`."""
    return (
        convolution.conv2d(x, weight, padding, stride, algorithm),
        convolution.conv2d_grad_input(g, weight, x.shape[2:], padding, stride, algorithm),
        convolution.conv2d_grad_weight(x, g, weight.shape[2:], padding, stride, algorithm),
    )


def problem(rng, shape, weight_shape, padding, stride=(1, 1), dtype=np.float64):
    """Return random x, weight and g, which cannot be written to."""
    size = convolution.output_size(shape[2:], weight_shape[2:], padding, stride)
    shapes = shape, weight_shape, (shape[0], weight_shape[0], *size)
    arrays = [rng.standard_normal(s).astype(dtype) for s in shapes]
    for array in arrays:
        array.flags.writeable = False
    return arrays


def random_case(rng, strides):
    """Return shape, weight shape, padding and stride: odd sizes, flat kernels, padding beyond the kernel."""
    kernel = rng.integers(1, 8, 2)
    padding = tuple(int(p) for p in rng.integers(0, 9, 2))
    size = [int(rng.integers(max(1, k - 2 * p), 15)) for k, p in zip(kernel, padding)]
    n_in, n_out = rng.choice([1, 2, 3, 5, 16], 2)
    stride = tuple(int(d) for d in rng.integers(1, 4, 2)) if strides else (1, 1)
    return (int(rng.integers(1, 5)), int(n_in), *size), (int(n_out), int(n_in), *kernel), padding, stride


def assert_close(got, want, dtype):
    for a, b in zip(got, want, strict=True):
        assert a.dtype == dtype and a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=0, atol=TOLERANCE[dtype] * max(np.abs(b).max(initial=0), 0.1))


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("seed", range(15))
@pytest.mark.parametrize("algorithm", [*ALGORITHMS, "strided"])
def test_random_shapes_against_the_definition(algorithm, seed, dtype):
    rng = np.random.default_rng(seed)
    for _ in range(10):
        *case, stride = random_case(rng, strides=algorithm == "strided")
        x, weight, g = problem(rng, *case, stride, dtype)
        got = all_three(x, weight, g, case[2], stride, "gemm" if algorithm == "strided" else algorithm)
        assert_close(got, definition(x, weight, g, case[2], stride), dtype)


@pytest.mark.parametrize(
    "n_in, n_out, kernel", [(64, 2, (15, 15)), (2, 64, (5, 15)), (16, 1, (7, 7)), (1, 16, (7, 3))]
)
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_many_channels(n_in, n_out, kernel, dtype):
    padding = kernel[0] // 2, kernel[1] // 2
    case = problem(np.random.default_rng(0), (3, n_in, 19, 16), (n_out, n_in, *kernel), padding, dtype=dtype)
    want = definition(*case, padding, (1, 1))
    for algorithm in convolution.ALGORITHMS:
        assert_close(all_three(*case, padding, algorithm=algorithm), want, dtype)


@pytest.mark.parametrize("side", [1, 4, 9])
def test_pieces_do_not_change_the_result(monkeypatch, side):
    padding = 3, 5
    case = problem(np.random.default_rng(0), (2, 3, 13, 10), (4, 3, 3, 6), padding)
    want = all_three(*case, padding, algorithm="rows")
    monkeypatch.setattr(spectral_rows, "SIDE", side)
    assert_close(all_three(*case, padding, algorithm="rows"), want, np.float64)


def test_blocks_of_spectra_do_not_change_the_result(monkeypatch):
    padding = 1, 2
    case = problem(np.random.default_rng(0), (9, 3, 8, 7), (4, 3, 3, 5), padding)
    want = all_three(*case, padding, algorithm="rows")
    for limit in (1, 50_000):
        monkeypatch.setattr(NumpyOps, "spectra_bytes", limit)
        assert_close(all_three(*case, padding, algorithm="rows"), want, np.float64)


@pytest.fixture
def tiles_of(monkeypatch):
    """Return a function that fixes the size of the tiles of `spectral_frames`."""

    def fix(size):
        monkeypatch.setattr(cost, "LEAST_TILE", size)
        monkeypatch.setattr(cost, "LARGEST_TILE", size)
        cost.choose_frame_tiling.cache_clear()

    yield fix
    cost.choose_frame_tiling.cache_clear()


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("tile", [1, 2, 4, 9])
@pytest.mark.parametrize("limit", [1, 30_000, 1 << 30])
def test_neither_tiles_nor_blocks_change_the_result(monkeypatch, tiles_of, tile, limit, dtype):
    """Odd and even kernels, padding below and beyond them, a ragged last tile; one tile at a time, or all."""
    tiles_of(tile)
    monkeypatch.setattr(NumpyOps, "frame_bytes", limit)
    monkeypatch.setattr(spectral_frames, "CACHE_BYTES", min(limit, spectral_frames.CACHE_BYTES))
    for seed in range(8):
        rng = np.random.default_rng(seed)
        *case, _ = random_case(rng, strides=False)
        x, weight, g = problem(rng, *case, dtype=dtype)
        got = all_three(x, weight, g, case[2], algorithm="frames")
        assert_close(got, definition(x, weight, g, case[2], (1, 1)), dtype)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("n_in, n_out", [(8, 1), (1, 8), (8, 8)])
def test_memory_does_not_grow_with_the_images(monkeypatch, n_in, n_out, algorithm):
    monkeypatch.setattr(threads, "_workers", 1)  # two would reach their peaks together or not
    monkeypatch.setattr(NumpyOps, "frame_bytes", 4 << 20)

    def scratch(operation, images):
        """Return the most memory that an operation takes for a while, in addition to its result."""
        shape, weight_shape = (images, n_in, 64, 64), (n_out, n_in, 5, 5)
        x, weight, g = problem(np.random.default_rng(0), shape, weight_shape, (2, 2), dtype=np.float32)
        tracemalloc.start()
        if operation == "forward":
            result = convolution.conv2d(x, weight, (2, 2), algorithm=algorithm)
        elif operation == "grad_input":
            result = convolution.conv2d_grad_input(g, weight, (64, 64), (2, 2), algorithm=algorithm)
        else:
            result = convolution.conv2d_grad_weight(x, g, (5, 5), (2, 2), algorithm=algorithm)
        peak = tracemalloc.get_traced_memory()[1] - result.nbytes
        tracemalloc.stop()
        return peak

    for operation in ("forward", "grad_input", "grad_weight"):
        assert scratch(operation, 120) <= 1.25 * scratch(operation, 40), operation


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_arrays_with_gaps_and_empty_batches(algorithm):
    x, weight, g = problem(np.random.default_rng(0), (6, 4, 9, 10), (3, 4, 3, 3), (1, 1))
    want = all_three(x[::2].copy(), weight, g[::2].copy(), (1, 1), algorithm="gemm")
    turned = weight.transpose(3, 2, 1, 0).copy().transpose(3, 2, 1, 0)
    assert_close(all_three(x[::2], turned, g[::2], (1, 1), algorithm=algorithm), want, np.float64)
    y, grad, grad_weight = all_three(x[:0], weight, g[:0], (1, 1), algorithm=algorithm)
    assert (y.shape, grad.shape) == ((0, 3, 9, 10), (0, 4, 9, 10))
    assert grad_weight.shape == weight.shape and not grad_weight.any()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_inside_a_worker(algorithm):
    """A convolution inside a worker of `parallel_for` stays in it; waiting for the others would deadlock."""
    case = problem(np.random.default_rng(0), (8, 3, 9, 9), (2, 3, 3, 3), (1, 1))
    want = all_three(*case, (1, 1), algorithm="gemm")
    inside = threads.parallel_for(lambda _: all_three(*case, (1, 1), algorithm=algorithm), 2)
    assert len(inside) == threads.get_num_threads()
    for got in inside:
        assert_close(got, want, np.float64)


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("seed", range(20))
def test_rows_are_divided_among_the_workers(monkeypatch, seed, workers):
    """As those of large images are, whatever the rows, the stride and the number of images."""
    rng = np.random.default_rng(seed)
    shape, weight_shape, padding, stride = random_case(rng, strides=True)
    case = problem(rng, shape, weight_shape, padding, stride)
    monkeypatch.setattr(threads, "_workers", workers)
    monkeypatch.setattr(gemm, "LARGE_IMAGE", 0)
    want = definition(*case, padding, stride)
    assert_close(all_three(*case, padding, stride, algorithm="gemm"), want, np.float64)


# ---- the choice ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "shape, weight_shape, padding, want",
    [
        ((80, 1, 64, 64), (16, 1, 7, 7), (3, 3), ["gemm", "gemm", "gemm"]),
        ((80, 16, 64, 64), (1, 16, 7, 7), (3, 3), ["rows", "gemm", "gemm"]),
        ((80, 64, 32, 32), (2, 64, 15, 15), (7, 7), ["rows", "rows", "rows"]),
        ((80, 2, 32, 32), (2, 2, 15, 15), (7, 7), ["rows", "rows", "rows"]),
        ((6, 64, 180, 240), (64, 64, 7, 7), (3, 3), ["frames", "frames", "frames"]),
        ((6, 64, 23, 30), (64, 64, 7, 7), (3, 3), ["frames", "frames", "frames"]),
        ((6, 3, 180, 240), (64, 3, 7, 7), (3, 3), ["gemm", "gemm", "gemm"]),
        ((80, 2, 32, 32), (2, 2, 1, 1), (0, 0), ["gemm", "gemm", "gemm"]),
        ((16, 3, 128, 128), (16, 3, 7, 7), (3, 3), ["gemm", "frames", "gemm"]),
        ((8, 64, 64, 64), (64, 64, 3, 3), (1, 1), ["gemm", "gemm", "gemm"]),
        ((2, 3, 9, 9), (4, 3, 3, 3), (1, 1), ["gemm", "gemm", "gemm"]),
    ],
)
def test_auto_takes_the_faster(shape, weight_shape, padding, want):
    """The wanted ones were faster on a CPU, by measurement."""
    operations = "forward", "grad_input", "grad_weight"
    assert [convolution.choose(op, shape, weight_shape, padding, (1, 1)) for op in operations] == want
    assert {convolution.choose(op, shape, weight_shape, padding, (1, 2)) for op in operations} == {"gemm"}


def test_auto_is_the_chosen_one_to_the_bit():
    rng = np.random.default_rng(0)
    case = problem(rng, (4, 32, 20, 20), (2, 32, 11, 11), (5, 5), dtype=np.float32)
    algorithms = [
        convolution.choose(op, case[0].shape, case[1].shape, (5, 5), (1, 1))
        for op in ("forward", "grad_input", "grad_weight")
    ]
    assert "rows" in algorithms
    for k, algorithm in enumerate(algorithms):
        got, want = (all_three(*case, (5, 5), algorithm=a)[k] for a in ("auto", algorithm))
        np.testing.assert_array_equal(got, want)


def test_a_stride_is_always_gemm():
    case = problem(np.random.default_rng(0), (2, 3, 9, 9), (4, 3, 3, 3), (1, 1), (2, 1))
    want = gemm.conv2d(case[0], case[1], (1, 1), (2, 1))
    for algorithm in convolution.ALGORITHMS:
        np.testing.assert_array_equal(all_three(*case, (1, 1), (2, 1), algorithm)[0], want)


# ---- modules ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", convolution.ALGORITHMS)
@pytest.mark.parametrize("case", FORWARD + FULL)
def test_matches_torch7(case, algorithm):
    layer = nn.SpatialConvolution if case in FORWARD else nn.SpatialFullConvolution
    module = golden.check_layer("a_nn_layers", case, lambda *args: layer(*args, algorithm=algorithm))
    assert module.algorithm == algorithm


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize(
    "build", [nn.SpatialConvolution, nn.SpatialConvolutionNoBias, nn.SpatialFullConvolution]
)
def test_gradients_of_each_algorithm(build, algorithm):
    module = build(2, 3, 3, 4, 1, 1, 1, 2, algorithm=algorithm).double()
    x = np.random.default_rng(0).standard_normal((2, 2, 6, 5))
    checks = check_module(module, x)
    assert worst(checks).error < 1e-6, worst(checks)


@pytest.mark.parametrize("build", [nn.SpatialConvolution, nn.SpatialConvolutionNoBias])
def test_the_attribute_decides(monkeypatch, build):
    used = []
    for name, algorithm in (("gemm", gemm), ("frames", spectral_frames), ("rows", spectral_rows)):
        for function in ("conv2d", "conv2d_grad_input", "conv2d_grad_weight"):
            original = getattr(algorithm, function)

            def called(*args, original=original, name=name):
                used.append(name)
                return original(*args)

            monkeypatch.setattr(algorithm, function, called)
    module, x = build(2, 3, 3, 3, algorithm="frames"), np.ones((1, 2, 5, 5), np.float32)
    module.backward(x, module.forward(x))
    assert used == ["frames"] * 3
    used.clear()
    module.algorithm = "gemm"
    assert module.clone().algorithm == "gemm"
    module.backward(x, module.forward(x))
    assert used == ["gemm"] * 3


def test_unknown_algorithm():
    message = "algorithm must be one of auto, gemm, spectral, rows, frames, got 'fft'"
    with pytest.raises(ValueError, match=r"nn\.SpatialConvolution: " + message):
        nn.SpatialConvolution(2, 3, 3, 3, algorithm="fft")
    module = nn.SpatialConvolution(2, 3, 3, 3)
    module.algorithm = "fft"
    with pytest.raises(ValueError, match=message):
        module.forward(np.zeros((2, 5, 5), np.float32))
    with pytest.raises(TypeError, match="positional"):
        nn.SpatialConvolution(2, 3, 3, 3, 1, 1, 0, 0, "gemm")
