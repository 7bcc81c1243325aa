"""The functions of the `cupy` module, with CuPy 14's signatures."""

from builtins import sum as sum_of
from functools import partial
from types import ModuleType, SimpleNamespace

import numpy as np

from . import memory, streams
from .array import compute, host, make, ndarray, synchronise
from .kernels import ElementwiseKernel

UFUNCS = (
    "absolute add bitwise_and bitwise_or divide equal exp expm1 floor floor_divide fmax fmin greater "
    "greater_equal invert isfinite isnan less less_equal log log1p logaddexp logical_not maximum minimum "
    "multiply negative not_equal power remainder sign sqrt square subtract tanh true_divide"
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


def _add_at(a, indices, b=None):
    indices = tuple(host(i) for i in indices) if isinstance(indices, tuple) else host(indices)
    streams.write(np.add.at, host(a), indices, host(b))


# ---- making arrays -----------------------------------------------------------------------------------


def empty(shape, dtype=float, order="C"):
    made = np.empty(shape, dtype, order)
    made.fill(
        np.nan if made.dtype.kind in "fc" else np.iinfo(made.dtype).max if made.dtype.kind in "iu" else 1
    )
    return ndarray(streams.new(made))


def zeros(shape, dtype=float, order="C"):
    return make(np.zeros, shape, dtype, order)


def ones(shape, dtype=float, order="C"):
    return make(np.ones, shape, dtype, order)


def full(shape, fill_value, dtype=None, order="C"):
    return make(np.full, shape, host(fill_value), dtype, order)


def eye(N, M=None, k=0, dtype=float, order="C"):
    return make(np.eye, N, M, k, dtype, order)


def empty_like(prototype, dtype=None, order="K", subok=None, shape=None):
    rubbish = empty((), prototype.dtype if dtype is None else dtype)._host
    return ndarray(streams.new(np.full_like(host(prototype), rubbish, dtype, order, shape=shape)))


def zeros_like(a, dtype=None, order="K", subok=None, shape=None):
    return make(partial(np.zeros_like, shape=shape), host(a), dtype, order)


def ones_like(a, dtype=None, order="K", subok=None, shape=None):
    return make(partial(np.ones_like, shape=shape), host(a), dtype, order)


def full_like(a, fill_value, dtype=None, order="K", subok=None, shape=None):
    return make(partial(np.full_like, shape=shape), host(a), host(fill_value), dtype, order)


def arange(start, stop=None, step=1, dtype=None):
    return make(np.arange, *((0, start) if stop is None else (start, stop)), step, dtype)


def array(obj, dtype=None, copy=True, order="K", subok=False, ndmin=0, *, blocking=False):
    """Copy to the device: from the host, from a list of numbers, or on the device."""
    if isinstance(obj, ndarray):
        return make(partial(np.array, order=order, ndmin=ndmin), obj._host, dtype)
    obj = np.array(obj, dtype, order=order, ndmin=ndmin)
    if obj.ndim:  # a single number is copied into a kernel's arguments
        streams.upload(obj.nbytes)
    return make(np.copy, obj)


def asarray(a, dtype=None, order=None, *, copy=None, blocking=False):
    # Not `dtype in (None, a.dtype)`: for NumPy None is float64.
    if isinstance(a, ndarray) and (dtype is None or dtype == a.dtype) and not copy:
        return a
    return array(a, dtype, order=order or "K")


def ascontiguousarray(a, dtype=None):
    if isinstance(a, ndarray) and a.flags.c_contiguous and (dtype is None or dtype == a.dtype):
        return a
    return make(partial(np.array, order="C"), host(a), dtype)


def asnumpy(a, stream=None, order="C", out=None, *, blocking=True):
    return a.get(order=order) if isinstance(a, ndarray) else np.asarray(a)


def copyto(dst, src, casting="same_kind", where=None):
    where = True if where is None else where._host
    streams.write(lambda *args: np.copyto(*args[:2], casting, args[2]), dst._host, host(src), where)


# ---- arithmetic and comparison -----------------------------------------------------------------------


def clip(a, a_min, a_max, out=None):
    return a.clip(a_min, a_max, out)


def where(condition, x=None, y=None):
    if x is None and y is None:
        return condition.nonzero()
    return compute(np.where, condition.astype("?", copy=False), x, y)


def sum(a, axis=None, dtype=None, out=None, keepdims=False):
    return a.sum(axis, dtype=dtype, out=out, keepdims=keepdims)


def argmax(a, axis=None, dtype=None, out=None, keepdims=False):
    return make(partial(np.argmax, axis=axis, keepdims=keepdims), host(a))


def argmin(a, axis=None, dtype=None, out=None, keepdims=False):
    return make(partial(np.argmin, axis=axis, keepdims=keepdims), host(a))


def cumsum(a, axis=None, dtype=None, out=None):
    return make(np.cumsum, host(a), axis, dtype)


def take_along_axis(a, indices, axis):
    return make(np.take_along_axis, host(a), host(indices), axis)


def matmul(*args, axes=None, out=None):
    a, b = args
    if not (isinstance(a, ndarray) and isinstance(b, ndarray)):
        raise TypeError(f"matmul takes device arrays, got {type(a)} and {type(b)}")
    streams.refuse_cublas()
    return compute(np.matmul, a, b, out=out, **({} if axes is None else {"axes": axes}))


def einsum(*operands, dtype=None, optimize=False):
    streams.refuse_cublas()  # most of them end there
    form = partial(np.einsum, dtype=dtype, optimize=optimize)
    return make(form, operands[0], *(host(x) for x in operands[1:]))


def array_equal(a1, a2, equal_nan=False):
    return make(np.array_equal, host(a1), host(a2), equal_nan)


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
    if len(arrays) > 8 and sum_of(x.nbytes for x in arrays) < len(arrays) * 2**21:
        streams.upload(8 * len(arrays))  # one kernel copies all, and needs a list of where they are
    parts, options = tuple(x._host for x in arrays), {"dtype": dtype, "casting": casting}
    if out is None:
        return make(lambda parts: function(parts, axis, **options), parts)
    streams.write(lambda out, parts: function(parts, axis, out, **options), host(out), parts)
    return out


def repeat(a, repeats, axis=None):
    return a.repeat(repeats, axis)


def broadcast_to(array, shape):
    return ndarray(np.broadcast_to(host(array), shape))


def as_strided(x, shape=None, strides=None):
    return ndarray(np.lib.stride_tricks.as_strided(host(x), shape, strides))


# ---- the module --------------------------------------------------------------------------------------


class Device:
    """One of the devices, by default the current one. The memory of all of them is the host's."""

    _current = 0

    def __init__(self, device=None):
        self.id = Device._current if device is None else device
        self.pci_bus_id = f"0000:{self.id:02x}:00.0"

    def use(self):
        Device._current = self.id

    def synchronize(self):
        """Wait."""
        synchronise("Device.synchronize")


def _own_functions():
    made_here = [f for f in globals().values() if getattr(f, "__module__", None) == __name__]
    return {f.__name__: f for f in made_here if callable(f) and not f.__name__.startswith("_")}


def module():
    """Return a module that can stand in `sys.modules` for `cupy`."""
    cupy = ModuleType("cupy")
    private = {"module", "extras", "as_strided", "Device"}
    vars(cupy).update({name: f for name, f in _own_functions().items() if name not in private})
    vars(cupy).update({name: _ufunc(name) for name in UFUNCS})
    for name in (
        "float32",
        "float64",
        "int16",
        "int32",
        "int64",
        "uint8",
        "bool_",
        "finfo",
        "iinfo",
        "newaxis",
        "pi",
        "nan",
        "inf",
    ):
        setattr(cupy, name, getattr(np, name))
    cupy.add.at = _add_at
    cupy.abs, cupy.ndarray, cupy.ElementwiseKernel = cupy.absolute, ndarray, ElementwiseKernel
    cupy.lib = SimpleNamespace(stride_tricks=SimpleNamespace(as_strided=as_strided))
    runtime = SimpleNamespace(
        getDeviceCount=lambda: 1,
        memGetInfo=lambda: (1 << 36, 1 << 37),  # free, in all
        getDeviceProperties=lambda device: {"name": b"a double", "major": 9, "minor": 0},
        runtimeGetVersion=lambda: 13000,
        CUDARuntimeError=streams.CUDARuntimeError,
    )
    cupy.cuda = SimpleNamespace(
        runtime=runtime,
        Device=Device,
        is_available=lambda: True,
        Stream=streams.Stream,
        Graph=streams.Graph,
        get_current_stream=streams.get_current_stream,
        MemoryPool=memory.MemoryPool,
        using_allocator=memory.using_allocator,
        set_pinned_memory_allocator=streams.set_pinned_memory_allocator,
    )
    cupy.get_default_memory_pool = lambda: SimpleNamespace(
        total_bytes=lambda: 0, free_all_blocks=lambda: None
    )
    cupy.get_default_pinned_memory_pool = lambda: SimpleNamespace(malloc=lambda size: None)
    cupy.cublas = ModuleType("cupy.cublas")
    cupy.__version__ = "14 (a double)"
    return cupy
