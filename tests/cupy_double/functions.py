"""The functions of the `cupy` module, with CuPy 14's signatures."""

from types import ModuleType, SimpleNamespace

import numpy as np

from .array import compute, device, host, ndarray, synchronise
from .kernels import ElementwiseKernel

UFUNCS = (
    "absolute add bitwise_and bitwise_or divide equal exp floor floor_divide fmax fmin greater greater_equal "
    "invert isfinite isnan less less_equal log log1p logical_not maximum minimum multiply negative not_equal "
    "power remainder sqrt square subtract tanh true_divide"
).split()


def _ufunc(name):
    function = getattr(np, name)

    def call(*args, out=None, casting="same_kind", dtype=None):
        if len(args) != function.nin:
            raise TypeError(f"Wrong number of arguments for {name!r}")
        options = {} if dtype is None else {"dtype": dtype}
        return compute(function, *args, out=out, casting=casting, **options)

    call.__name__ = name
    return call


# ---- making arrays -----------------------------------------------------------------------------------


def empty(shape, dtype=float, order="C"):
    made = np.empty(shape, dtype, order)
    made.fill(
        np.nan if made.dtype.kind in "fc" else np.iinfo(made.dtype).max if made.dtype.kind in "iu" else 1
    )
    return ndarray(made)


def zeros(shape, dtype=float, order="C"):
    return ndarray(np.zeros(shape, dtype, order))


def ones(shape, dtype=float, order="C"):
    return ndarray(np.ones(shape, dtype, order))


def full(shape, fill_value, dtype=None, order="C"):
    return ndarray(np.full(shape, host(fill_value), dtype, order))


def empty_like(prototype, dtype=None, order="K", subok=None, shape=None):
    return ndarray(np.full_like(host(prototype), _rubbish(prototype, dtype), dtype, order, shape=shape))


def zeros_like(a, dtype=None, order="K", subok=None, shape=None):
    return ndarray(np.zeros_like(host(a), dtype, order, shape=shape))


def full_like(a, fill_value, dtype=None, order="K", subok=None, shape=None):
    return ndarray(np.full_like(host(a), host(fill_value), dtype, order, shape=shape))


def arange(start, stop=None, step=1, dtype=None):
    return ndarray(np.arange(0, start, step, dtype) if stop is None else np.arange(start, stop, step, dtype))


def array(obj, dtype=None, copy=True, order="K", subok=False, ndmin=0, *, blocking=False):
    """Copy to the device: from the host, from a list of numbers, or on the device."""
    return ndarray(np.array(obj._host if isinstance(obj, ndarray) else obj, dtype, order=order, ndmin=ndmin))


def asarray(a, dtype=None, order=None, *, copy=None, blocking=False):
    if isinstance(a, ndarray) and dtype in (None, a.dtype) and not copy:
        return a
    return array(a, dtype, order=order or "K")


def ascontiguousarray(a, dtype=None):
    if isinstance(a, ndarray) and a.flags.c_contiguous and dtype in (None, a.dtype):
        return a
    return ndarray(np.array(host(a), dtype, order="C"))


def asnumpy(a, stream=None, order="C", out=None, *, blocking=True):
    return a.get(order=order) if isinstance(a, ndarray) else np.asarray(a)


def copyto(dst, src, casting="same_kind", where=None):
    options = {} if where is None else {"where": where._host}
    np.copyto(dst._host, host(src), casting=casting, **options)


# ---- arithmetic and comparison -----------------------------------------------------------------------


def clip(a, a_min, a_max, out=None):
    return a.clip(a_min, a_max, out)


def where(condition, x=None, y=None):
    if x is None and y is None:
        return condition.nonzero()
    return compute(np.where, condition.astype("?", copy=False), x, y)


def sum(a, axis=None, dtype=None, out=None, keepdims=False):
    return a.sum(axis, dtype=dtype, out=out, keepdims=keepdims)


def matmul(*args, axes=None, out=None):
    a, b = args
    if not (isinstance(a, ndarray) and isinstance(b, ndarray)):
        raise TypeError(f"matmul takes device arrays, got {type(a)} and {type(b)}")
    return compute(np.matmul, a, b, out=out, **({} if axes is None else {"axes": axes}))


def einsum(*operands, dtype=None, optimize=False):
    return device(np.einsum(operands[0], *(host(x) for x in operands[1:]), dtype=dtype, optimize=optimize))


def array_equal(a1, a2, equal_nan=False):
    return device(np.array_equal(host(a1), host(a2), equal_nan))


def isscalar(element):
    return np.isscalar(element)


# ---- forms -------------------------------------------------------------------------------------------


def stack(tup, axis=0, out=None, *, dtype=None, casting="same_kind"):
    return _join(np.stack, tup, axis, out, dtype, casting)


def concatenate(tup, axis=0, out=None, *, dtype=None, casting="same_kind"):
    return _join(np.concatenate, tup, axis, out, dtype, casting)


def _join(function, arrays, axis, out, dtype, casting):
    if not all(isinstance(x, ndarray) for x in arrays):
        raise TypeError("Only cupy arrays can be concatenated")
    joined = function(
        [x._host for x in arrays], axis, None if out is None else host(out), dtype=dtype, casting=casting
    )
    return ndarray(joined) if out is None else out


def repeat(a, repeats, axis=None):
    return a.repeat(repeats, axis)


def broadcast_to(array, shape):
    return ndarray(np.broadcast_to(host(array), shape))


def as_strided(x, shape=None, strides=None):
    return ndarray(np.lib.stride_tricks.as_strided(host(x), shape, strides))


# ---- the module --------------------------------------------------------------------------------------


class CUDARuntimeError(RuntimeError):
    """What CUDA's calls raise."""


class Device:
    """The one device."""

    id = 0

    def synchronize(self):
        """Wait."""
        synchronise("Device.synchronize")


def _own_functions():
    made_here = [f for f in globals().values() if getattr(f, "__module__", None) == __name__]
    return {f.__name__: f for f in made_here if callable(f) and not f.__name__.startswith("_")}


def module():
    """Return a module that can stand in `sys.modules` for `cupy`."""
    cupy = ModuleType("cupy")
    private = {"module", "extras", "as_strided", "CUDARuntimeError", "Device"}
    vars(cupy).update({name: f for name, f in _own_functions().items() if name not in private})
    vars(cupy).update({name: _ufunc(name) for name in UFUNCS})
    for name in (
        "float32",
        "float64",
        "int16",
        "int32",
        "int64",
        "bool_",
        "finfo",
        "iinfo",
        "newaxis",
        "pi",
        "nan",
        "inf",
    ):
        setattr(cupy, name, getattr(np, name))
    cupy.abs, cupy.ndarray, cupy.ElementwiseKernel = cupy.absolute, ndarray, ElementwiseKernel
    cupy.lib = SimpleNamespace(stride_tricks=SimpleNamespace(as_strided=as_strided))
    runtime = SimpleNamespace(
        getDeviceCount=lambda: 1,
        getDeviceProperties=lambda device: {"name": b"a double", "major": 9, "minor": 0},
        CUDARuntimeError=CUDARuntimeError,
    )
    cupy.cuda = SimpleNamespace(runtime=runtime, Device=Device, is_available=lambda: True)
    cupy.get_default_memory_pool = lambda: SimpleNamespace(total_bytes=lambda: 0)
    cupy.__version__ = "14 (a double)"
    return cupy


def extras():
    """Return a module that can stand for `cupyx`."""
    cupyx = ModuleType("cupyx")

    def scatter_add(a, slices, value):
        slices = tuple(host(s) for s in slices) if isinstance(slices, tuple) else host(slices)
        np.add.at(host(a), slices, host(value))

    cupyx.scatter_add = scatter_add
    return cupyx


def _rubbish(like, dtype):
    return empty((), like.dtype if dtype is None else dtype)._host
