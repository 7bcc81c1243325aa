"""The double of CuPy: strict where CuPy is, and no richer than it."""

import importlib
import inspect

import cupy_double
import numpy as np
import pytest
from cupy_double import functions

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


def test_it_has_nothing_that_cupy_has_not():
    """Where CuPy is installed (a GPU is not needed), compare names and signatures."""
    real = pytest.importorskip("cupy")
    double = functions.module()
    for name, here in vars(double).items():
        if name.startswith("__"):
            continue
        there = getattr(real, name)
        if name in functions.UFUNCS or name == "abs":
            assert isinstance(there, real.ufunc), name
        elif inspect.isfunction(here) and name not in ("einsum", "get_default_memory_pool"):
            parameters = inspect.signature(there).parameters
            assert set(inspect.signature(here).parameters) <= set(parameters), name
    assert {name for name in dir(double.ndarray) if not name.startswith("_")} <= set(dir(real.ndarray))
    assert set(vars(double.lib.stride_tricks)) <= set(dir(real.lib.stride_tricks))
    assert set(vars(functions.extras())) - {"__name__"} <= set(dir(pytest.importorskip("cupyx")))
    assert set(vars(double.cuda)) <= set(dir(real.cuda))
    assert set(vars(double.cuda.runtime)) <= set(dir(real.cuda.runtime))
    with pytest.raises(ValueError, match="Can not use 'i'"):
        real.ElementwiseKernel("T i", "T y", "y = i")
