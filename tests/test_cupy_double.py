"""The double of CuPy: strict where CuPy is, and no richer than it."""

import importlib.util
import inspect

import numpy as np
import pytest

from tests import cupy_double
from tests.cupy_double import functions, memory

HOST = np.arange(3, dtype=np.float32)


@pytest.fixture
def cupy():
    with cupy_double.installed():
        yield importlib.import_module("cupy")


@pytest.mark.parametrize(
    "mix",
    [
        lambda cupy, x: x + HOST,
        lambda cupy, x: HOST + x,
        lambda cupy, x: HOST.sum(keepdims=True)[0:1].reshape(()) * x,
        lambda cupy, x: x < HOST,
        lambda cupy, x: x @ HOST,
        lambda cupy, x: HOST @ x,
        lambda cupy, x: np.add(x, HOST),
        lambda cupy, x: cupy.add(x, x, out=HOST.copy()),
        lambda cupy, x: np.tanh(x, out=HOST.copy()),
        lambda cupy, x: np.tanh(HOST, out=x),
        lambda cupy, x: cupy.matmul(x, HOST),
        lambda cupy, x: cupy.concatenate([x, HOST]),
        lambda cupy, x: cupy.where(x > 1, x, HOST),
        lambda cupy, x: HOST.__iadd__(x),
        lambda cupy, x: x.__iadd__(HOST),
        lambda cupy, x: HOST.copy().__setitem__(slice(None), x),
        lambda cupy, x: np.asarray(x),
        lambda cupy, x: np.float32(x),
        lambda cupy, x: np.add(x, x, where=HOST > 1),
        lambda cupy, x: x.sum(where=x > 1),
        lambda cupy, x: HOST[x[0]],
    ],
)
def test_host_and_device_do_not_mix(cupy, mix):
    with pytest.raises((TypeError, IndexError)):
        mix(cupy, cupy.asarray(HOST))


def test_assignment_of_a_host_array(cupy):
    x = cupy.asarray(HOST)
    with pytest.raises(ValueError, match="cannot be used for fill"):
        x[...] = HOST
    with pytest.raises(TypeError):
        x[...] = (1.0, 2.0, 3.0)


def test_scalars(cupy):
    x = cupy.asarray(HOST)
    assert (2.0 * x).dtype == (x * np.float32(2)).dtype == np.float32
    assert (np.float64(2) * x).dtype == (x * cupy.ones(())).dtype == np.float64
    assert isinstance(x.sum(), cupy.ndarray) and isinstance(x[1], cupy.ndarray) and x[1].shape == ()
    x[1][...] = 7
    assert x.get()[1] == 7


def test_waiting_is_noted():
    with cupy_double.installed() as synchronisations:
        x = importlib.import_module("cupy").asarray(HOST)
        for wait in (float, int, bool):
            wait(x[0])
        x.get(), x[0].item(), x[x > 1], x.nonzero(), f"{x[0]:.1f}"
        x[x > 1] = 0
        assert [line.split()[1] for line in synchronisations] == (
            "float int bool get item boolean nonzero format boolean".split()
        )
        assert synchronisations[0].startswith("tests/test_cupy_double.py:")


def test_empty_is_not_zero(cupy):
    assert np.isnan(cupy.empty(3).get()).all() and np.isnan(cupy.empty_like(cupy.ones(2)).get()).all()
    assert (cupy.empty(3, np.int32).get() > 1000).all()


def test_kernel(cupy):
    kernel = cupy.ElementwiseKernel("T x, T k", "T y, T z", "y = x + k; z *= y")
    x, z = (cupy.asarray(np.arange(6.0).reshape(2, 3)) for _ in range(2))
    y = cupy.empty((3, 2)).T
    kernel(x[:, :1], 10.0, y, z)
    np.testing.assert_array_equal(y.get(), [[10] * 3, [13] * 3])
    np.testing.assert_array_equal(z.get(), [[0, 10, 20], [39, 52, 65]])
    with pytest.raises(TypeError, match="mismatched"):
        kernel(x.astype(np.float32), 10.0, y, z)
    with pytest.raises(ValueError, match="Out shape"):
        kernel(x, 10.0, y[:1], z[:1])
    with pytest.raises(TypeError):
        kernel(HOST, 10.0, y, z)
    with pytest.raises(ValueError, match="Can not use 'i'"):
        cupy.ElementwiseKernel("T i", "T y", "y = i")


# ---- capturing ---------------------------------------------------------------------------------------------


def captured(cupy, function):
    """Return the graph of function() and what it returned, and the pool that keeps the graph's memory."""
    pool, stream = cupy.cuda.MemoryPool(), cupy.cuda.Stream(non_blocking=True)
    cupy.cuda.get_current_stream().synchronize()
    with stream, cupy.cuda.using_allocator(pool.malloc):
        stream.begin_capture()
        try:
            result = function()
        finally:
            graph = stream.end_capture()
    return graph, result, pool


OPERATIONS = {
    "ufunc": lambda cupy, x, i: x * 2 + 1,
    "out": lambda cupy, x, i: cupy.tanh(x, out=x[::-1]),
    "in place": lambda cupy, x, i: x.__iadd__(x),
    "reduction": lambda cupy, x, i: x.sum(axis=0, keepdims=True),
    "constant": lambda cupy, x, i: cupy.full(3, 7.0),
    "fill": lambda cupy, x, i: x.fill(4),
    "assignment": lambda cupy, x, i: x.__setitem__(slice(1, 2), x[2:]),
    "indices": lambda cupy, x, i: x[i + 1],
    "copy": lambda cupy, x, i: x.copy().reshape(3, 1).T,
    "reshape": lambda cupy, x, i: cupy.broadcast_to(x, (2, 3)).reshape(6),
    "dtype": lambda cupy, x, i: x.astype(np.float64),
    "choice": lambda cupy, x, i: cupy.where(x > 1, x, 0.5),
    "masked": lambda cupy, x, i: cupy.copyto(x, -1, where=x == 1),
    "joined": lambda cupy, x, i: cupy.stack([x, 2 * x], axis=1),
    "added up": lambda cupy, x, i: cupy.add.at(x, i, x[:2]),
    "kernel": lambda cupy, x, i: cupy.ElementwiseKernel("T a", "T b", "b = a * b")(3.0, x),
    "clipped": lambda cupy, x, i: x.clip(1, None),
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_is_captured_is_done_by_the_launch(cupy, operation):
    x, i = cupy.asarray(HOST), cupy.asarray(np.array([1, 0], np.int32))
    graph, result, _pool = captured(cupy, lambda: OPERATIONS[operation](cupy, x, i))
    np.testing.assert_array_equal(x.get(), HOST)  # nothing was done
    for start in (HOST, HOST[::-1] * 3):
        x[...] = y = cupy.asarray(start)
        expected = OPERATIONS[operation](cupy, y, i)
        graph.launch()
        np.testing.assert_array_equal(x.get(), y.get())
        if result is not None:
            np.testing.assert_array_equal(result.get(), expected.get())


@pytest.mark.parametrize(
    "operation, error, message",
    [
        (lambda cupy, x: float(x[0]), RuntimeError, "is capturing"),
        (lambda cupy, x: x.get(), RuntimeError, "is capturing"),
        (lambda cupy, x: x[x > 1], RuntimeError, "is capturing"),
        (lambda cupy, x: cupy.cuda.Device().synchronize(), RuntimeError, "is capturing"),
        (lambda cupy, x: x @ x, NotImplementedError, "calling cuBLAS API"),
        (lambda cupy, x: cupy.einsum("a,a->", x, x), NotImplementedError, "calling cuBLAS API"),
        (lambda cupy, x: cupy.asarray(HOST), RuntimeError, "copy from host memory"),
        (lambda cupy, x: x[[1, 0]], RuntimeError, "copy from host memory"),
        (lambda cupy, x: cupy.stack([x] * 9), RuntimeError, "copy from host memory"),
    ],
)
def test_what_no_graph_can_hold(cupy, operation, error, message):
    x = cupy.asarray(HOST)
    with pytest.raises(error, match=message):
        captured(cupy, lambda: operation(cupy, x))
    assert not cupy.cuda.get_current_stream().is_capturing()
    operation(cupy, cupy.asarray(HOST))


def test_a_graph_has_memory_of_its_own(cupy):
    x, stream = cupy.asarray(HOST), cupy.cuda.Stream(non_blocking=True)
    cupy.cuda.get_current_stream().synchronize()
    with pytest.raises(RuntimeError, match="memory of the default pool"), stream:
        stream.begin_capture()
        x + 1
    graph, result, pool = captured(cupy, x.copy)
    assert pool.total_bytes() == result.nbytes
    del result
    graph.launch()  # it is the pool that keeps the memory
    del x
    with pytest.raises(RuntimeError, match=r"an array \(3,\) that the graph uses has been given back"):
        graph.launch()


def test_what_a_pool_would_take_is_counted(cupy):
    """The smallest chunk that is large enough is split, what is given back is merged, nothing is computed."""
    with memory.counting() as count_of:
        pool = count_of(None)
        a, b = cupy.ones(300, np.float32), cupy.ones(1, np.float32)  # 3 units of 512 bytes, and 1
        assert pool.total == 4 * 512
        del a
        c = cupy.empty(128, np.float32)
        assert pool.total == 4 * 512  # a part of what a had
        cupy.add(b, b, out=b)
        assert b.get()[0] == 1
        d = cupy.empty(300, np.float32)
        assert pool.total == 7 * 512
        assert pool.at_peak()[0] == 5 * 512
        del c, d
        e = cupy.empty(3 * 128, np.float32)
        assert pool.total == 7 * 512 and e.nbytes == 3 * 512
        other = cupy.cuda.MemoryPool()
        with cupy.cuda.using_allocator(other.malloc):
            x, y = cupy.ones((4, 100, 7), np.float32), cupy.ones((7, 100), np.float32)
            assert (x @ y).shape == (4, 100, 100)
        assert other.total_bytes() == 11264 + 3072 + 160256 and pool.total == 7 * 512


def test_streams(cupy):
    """Their captures begin and end as CUDA's do, and work is waited for before another stream goes on."""
    current, error = cupy.cuda.get_current_stream(), cupy.cuda.runtime.CUDARuntimeError
    assert current is cupy.cuda.Stream.null and current.ptr == 0
    for stream in (current, cupy.cuda.Stream()):
        with pytest.raises(RuntimeError):
            stream.begin_capture()
    stream = cupy.cuda.Stream(non_blocking=True)
    with pytest.raises(error, match="IllegalState"):
        stream.end_capture()
    stream.begin_capture()
    with pytest.raises(error, match="CaptureUnsupported"):
        stream.synchronize()
    with pytest.raises(error, match="CaptureInvalidated"):
        stream.end_capture()
    x = cupy.ones(3) + 1
    with pytest.raises(RuntimeError, match="may not be ready yet"), stream:
        pass
    current.synchronize()
    with pytest.raises(RuntimeError, match="may not be ready yet"), stream:
        x += 1


def test_it_has_nothing_that_cupy_has_not():
    """Where CuPy is installed (a GPU is not needed), compare names and signatures."""
    real = pytest.importorskip("cupy")
    double = functions.module()
    for name, here in vars(double).items():
        if name.startswith("__"):
            continue
        if name == "cublas":  # whose import needs the library itself
            assert importlib.util.find_spec("cupy.cublas")
            continue
        there = getattr(real, name)
        if name in functions.UFUNCS or name == "abs":
            assert isinstance(there, real.ufunc), name
        elif inspect.isfunction(here) and name not in ("einsum", "get_default_memory_pool"):
            parameters = inspect.signature(there).parameters
            assert set(inspect.signature(here).parameters) <= set(parameters), name
    assert {name for name in dir(double.ndarray) if not name.startswith("_")} <= set(dir(real.ndarray))
    assert set(vars(double.lib.stride_tricks)) <= set(dir(real.lib.stride_tricks))
    assert list(inspect.signature(double.add.at).parameters) == ["a", "indices", "b"]
    assert hasattr(real.add, "at")
    assert set(vars(double.cuda)) <= set(dir(real.cuda))
    for name in ("Stream", "Graph", "MemoryPool"):
        here, there = ({n for n in dir(getattr(c.cuda, name)) if n[0] != "_"} for c in (double, real))
        assert here <= there, name
    assert set(vars(double.cuda.runtime)) <= set(dir(real.cuda.runtime))
    with pytest.raises(ValueError, match="Can not use 'i'"):
        real.ElementwiseKernel("T i", "T y", "y = i")
