"""The matrix product: NumPy's, CuPy's, or cuBLAS's own on a stand-in that runs on the host."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest

import nnlite as nn
from nnlite import models
from nnlite.benchmarks.gpu import agreement
from nnlite.benchmarks.gpu.agreement import passes
from nnlite.ops import cublas, get_ops
from nnlite.ops.cupy_ops import use_cublas
from tests import cupy_double
from tests.cupy_double.host_cublas import PROTOTYPES
from tests.nnlite.test_device_path import OPTIONS, SMALL, frames


def matmul(a, b, out=None):
    """Return the product of the device where a lies."""
    return get_ops(a).matmul(a, b, out)


LEADING = [
    ((), ()),
    ((3,), (3,)),
    ((), (4,)),
    ((2, 3), (3,)),
    ((2, 1, 3), (5, 1)),
    ((2, 3), (2, 3)),
    ((0,), (1,)),
]
SIZES = [(2, 3, 4), (1, 3, 1), (1, 1, 1), (4, 1, 2), (3, 0, 2), (0, 2, 2), (2, 5, 1), (1, 4, 3)]


@pytest.fixture(params=cupy_double.LIBRARIES)
def cupy(request):
    """The double in CuPy's place, then CuPy itself if there is a GPU; products go straight to cuBLAS."""
    with cupy_double.library(request.param):
        import cupy

        use_cublas()
        yield cupy


#: For what only the double shows: how often its cuBLAS was called, and its arrays from inside.
DOUBLE_ALONE = pytest.mark.parametrize("cupy", ["double"], indirect=True)


def placed(cupy, x, layout):
    """Return x on the device, in "rows" or "columns" that lie close together, have gaps, or are scattered."""
    turned = x.swapaxes(-1, -2) if "columns" in layout else x
    gaps = 2 if "gaps" in layout else 0
    step = 2 if layout == "scattered" else 1
    *lead, rows, columns = turned.shape
    there = cupy.zeros((*lead, step * rows + gaps, step * columns + gaps), x.dtype)
    there = there[
        ..., gaps // 2 : gaps // 2 + step * rows : step, gaps // 2 : gaps // 2 + step * columns : step
    ]
    there[...] = cupy.asarray(turned)
    return there.swapaxes(-1, -2) if "columns" in layout else there


LAYOUTS = ("rows", "columns", "rows with gaps", "columns with gaps", "scattered")


def drawn(*shape, dtype=np.float32):
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(dtype)


def test_on_the_cpu():
    a, b, out = drawn(2, 3, 4), drawn(4, 5), np.empty((2, 3, 5), np.float32)
    np.testing.assert_array_equal(matmul(a, b), a @ b)
    assert matmul(a, b, out) is out
    np.testing.assert_array_equal(out, a @ b)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("leading", LEADING, ids=str)
def test_layouts(cupy, leading, dtype):
    forms = [*itertools.product(LAYOUTS, LAYOUTS, [None]), *zip(LAYOUTS, reversed(LAYOUTS), LAYOUTS)]
    for (m, k, n), layouts in itertools.product(SIZES, forms):
        a, b = drawn(*leading[0], m, k, dtype=dtype), drawn(*leading[1], k, n, dtype=dtype)
        expected, form = a @ b, layouts[2]
        out = None if form is None else placed(cupy, np.full_like(expected, np.nan), form)
        result = matmul(placed(cupy, a, layouts[0]), placed(cupy, b, layouts[1]), out)
        assert out is None or result is out
        error = 100 * np.finfo(dtype).eps
        np.testing.assert_allclose(result.get(), expected, error, error, err_msg=f"{layouts} {m, k, n}")


def test_nothing_is_copied_that_cublas_can_read(cupy, monkeypatch):
    sizes = (6, 3, 4), (6, 4, 5), (6, 3, 5)
    cases = [
        [placed(cupy, drawn(*size), layout) for size, layout in zip(sizes, layouts)]
        for layouts in itertools.product(LAYOUTS[:4], repeat=3)
    ]
    windows = cupy.lib.stride_tricks.as_strided(cupy.asarray(drawn(20)), (5, 4, 3), (8, 12, 4))
    cases.append([windows, cupy.asarray(drawn(3, 5)), cupy.zeros((5, 4, 5), np.float32)])  # they overlap
    cublas._handle()  # it makes its workspace
    monkeypatch.setattr(cupy, "ascontiguousarray", None)
    monkeypatch.setattr(cupy, "empty", None)
    for a, b, out in cases:
        matmul(a, b, out)
        np.testing.assert_allclose(out.get(), a.get() @ b.get(), rtol=1e-5, atol=1e-6)


@DOUBLE_ALONE
@pytest.mark.parametrize(
    "a, b, calls",
    [
        ((7, 4, 3, 2), (7, 4, 2, 5), 1),
        ((3, 2), (7, 2, 5), 1),
        ((7, 3, 2), (2, 5), 1),
        ((7, 3, 2), (4, 7, 2, 5), 4),
        ((4, 3, 2), (9, 4, 2, 5), 4),
        ((6, 1, 3, 2), (1, 5, 2, 5), 5),
    ],
)
def test_calls(cupy, a, b, calls):
    """Axes that can be are run through in one call, and the longest of the others."""
    before = cublas._handle().library.products
    matmul(cupy.asarray(drawn(*a)), cupy.asarray(drawn(*b)))
    assert cublas._handle().library.products - before == calls


@DOUBLE_ALONE
def test_every_product_of_every_module_and_model(cupy, monkeypatch):
    original, seen = cublas.matmul, set()

    def checked(a, b, out=None):
        expected = a._host @ b._host
        result = original(a, b, out)
        scale = np.abs(expected).max(initial=1e-3)
        np.testing.assert_allclose(result._host, expected, rtol=0, atol=1e-5 * scale)
        layouts = [None if x is None else cublas._layout(x) for x in (a, b, out)]
        seen.add((a.ndim, b.ndim, *(layout and layout[0] for layout in layouts)))
        return result

    monkeypatch.setattr(cublas, "matmul", checked)
    for label in agreement.cases():
        tested, *arguments = agreement.arguments(label)
        if isinstance(tested, nn.Module) and label != "SpatialMaxUnpooling":
            passes(tested, arguments[0], "cuda")
    for name, algorithm in itertools.product(models.names(), ("gemm", "spectral")):
        model = models.build(name, **SMALL, **OPTIONS.get(name, {}))
        for module in model.list_modules():
            if hasattr(module, "algorithm"):
                module.algorithm = algorithm
        passes(model, frames(), "cuda")
    # Matrices and batches, one with the other, transposed or not, into new memory and into views.
    assert {(2, 2), (2, 3), (3, 3), (3, 4), (4, 4)} <= {forms[:2] for forms in seen}
    assert {(0, 0, None), (0, 1, None), (1, 0, 0), (0, 0, 0)} <= {forms[2:] for forms in seen}


def test_tf32(cupy, monkeypatch):
    monkeypatch.delenv("CUPY_TF32", raising=False)
    # Small ones cuBLAS computes as exactly as without TF32.
    a, b = drawn(3, 128, 128), drawn(3, 128, 128)
    exact, results = a.astype(np.float64) @ b, []
    for value in ("0", "1"):
        monkeypatch.setenv("CUPY_TF32", value)
        results.append(matmul(cupy.asarray(a), cupy.asarray(b)).get())
    scale = np.abs(exact).max()
    assert np.abs(results[0] - exact).max() < 1e-5 * scale < np.abs(results[1] - exact).max() < 1e-2 * scale
    double = matmul(cupy.asarray(a.astype(np.float64)), cupy.asarray(b.astype(np.float64)))
    np.testing.assert_allclose(double.get(), exact, rtol=1e-13)


@pytest.mark.parametrize(
    "a, b, out, error, message",
    [
        ((2, 3), (4, 5), None, ValueError, r"shapes \(2, 3\) and \(4, 5\) do not fit"),
        ((3,), (3, 2), None, ValueError, r"shapes \(3,\) and \(3, 2\) do not fit"),
        ((2, 2, 3), (4, 3, 5), None, ValueError, "broadcast"),
        ((2, 3), (3, 5), (2, 4), ValueError, r"out must have shape \(2, 5\), got \(2, 4\)"),
    ],
)
def test_shapes_that_do_not_fit(cupy, a, b, out, error, message):
    with pytest.raises(error, match=message):
        matmul(cupy.zeros(a), cupy.zeros(b), None if out is None else cupy.zeros(out))


def test_dtypes_that_do_not_fit(cupy):
    with pytest.raises(TypeError, match="float32 or float64, got float32, float64, float32"):
        matmul(cupy.zeros((2, 2), np.float32), cupy.zeros((2, 2)))
    with pytest.raises(TypeError, match="got int32"):
        matmul(cupy.zeros((2, 2), np.int32), cupy.zeros((2, 2), np.int32))


def test_errors_of_cublas(cupy, monkeypatch):
    monkeypatch.setattr(cublas, "_layout", lambda x: (0, 1))  # rows nearer to one another than they are long
    with pytest.raises(
        RuntimeError, match=r"^cublasGemmStridedBatchedEx failed: CUBLAS_STATUS_INVALID_VALUE$"
    ):
        matmul(cupy.ones((2, 2)), cupy.ones((2, 2)))


@DOUBLE_ALONE
def test_the_library_is_the_one_that_cupy_has(cupy, monkeypatch):
    assert cublas._handle().library.name == "libcublas.so.13"

    def missing(name):
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(cublas, "ctypes", SimpleNamespace(CDLL=missing))
    with pytest.raises(
        RuntimeError, match=r"cuBLAS cannot be loaded as libcublas\.so\.13, which CuPy uses: "
    ):
        cublas._library()


def test_signatures():
    """Those of the C header, which the stand-in has on its own account."""
    assert {name: tuple(types) for name, types in cublas.SIGNATURES.items()} == PROTOTYPES


def test_another_stream_gets_a_workspace_too(cupy):
    x = cupy.ones((2, 2))
    matmul(x, x)
    cupy.cuda.get_current_stream().synchronize()
    with (stream := cupy.cuda.Stream(non_blocking=True)):
        result = matmul(x, x)  # without stream or workspace the stand-in would fail
        stream.synchronize()
    np.testing.assert_array_equal(matmul(result, x).get(), np.full((2, 2), 4.0))


@DOUBLE_ALONE
def test_it_can_be_switched(cupy):
    assert use_cublas(False) is True
    x = cupy.ones((2, 2))
    matmul(x, x)
    assert use_cublas() is False
    before = cublas._handle().library.products
    matmul(x, x)
    assert cublas._handle().library.products == before + 1
