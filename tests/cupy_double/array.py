"""The device array: a NumPy array in a wrapper that lets nothing of the host in or out unasked."""

import operator
import traceback
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from . import streams

#: Where the host had to wait for the device, in order.
synchronisations = []

_HERE = Path(__file__).parent
_ROOT = _HERE.parents[1]


def synchronise(what):
    """Note that the host waits here, with the place outside the double that made it wait."""
    streams.refuse_to_wait()
    streams.get_current_stream().pending = False
    frames = [frame for frame in traceback.extract_stack() if Path(frame.filename).parent != _HERE]
    path = Path(frames[-1].filename)
    place = path.relative_to(_ROOT) if path.is_relative_to(_ROOT) else path.name
    synchronisations.append(f"{place}:{frames[-1].lineno} {what}")


def host(x):
    """Return the NumPy array of a device array, or a scalar as it is; TypeError for anything else."""
    if isinstance(x, ndarray):
        return x._host
    if isinstance(x, bool | int | float | complex | np.generic):
        return x
    raise TypeError(f"Unsupported type {type(x)}")


def make(function, *args):
    """Return function(*args), of NumPy arrays, as a new device array."""
    return ndarray(streams.make(function, *args))


def compute(function, *args, out=None, **options):
    """Call a NumPy function on device arrays and scalars, at least one of them an array."""
    args = [host(x) for x in args]
    if out is None:
        return make(partial(function, **options), *args)
    if not isinstance(out, ndarray):
        raise TypeError("Output arguments type must be cupy.ndarray")
    streams.write(lambda out, *args: function(*args, out=out, **options), out._host, *args)
    return out


def _reduction(name, *keywords):
    """Return the method `name` that takes an axis, keepdims and the given keywords."""

    def method(self, axis=None, *, keepdims=False, **options):
        if set(options) - {*keywords, "out"}:
            raise TypeError(f"{name}() got an unexpected keyword argument: {options}")
        return compute(getattr(np, name), self, axis=axis, keepdims=keepdims, **options)

    return method


def _binary(function, swapped=False):
    def method(self, other):
        return compute(function, other, self) if swapped else compute(function, self, other)

    return method


def _in_place(function):
    def method(self, other):
        return compute(function, self, other, out=self)

    return method


def _waiting(convert):
    """Return the conversion of an array with one element to a Python number."""

    def method(self):
        synchronise(convert.__name__)
        return convert(self._host.item())

    return method


class ndarray:
    """See the package; made by the functions of the module, never directly."""

    __slots__ = ("__weakref__", "_host")

    def __init__(self, array):
        self._host = array

    # ---- what is known without asking the device -----------------------------------------------------

    shape = property(lambda self: self._host.shape)
    strides = property(lambda self: self._host.strides)
    dtype = property(lambda self: self._host.dtype)
    ndim = property(lambda self: self._host.ndim)
    size = property(lambda self: self._host.size)
    nbytes = property(lambda self: self._host.nbytes)
    itemsize = property(lambda self: self._host.itemsize)
    T = property(lambda self: ndarray(self._host.T))

    @property
    def flags(self):
        flags = self._host.flags
        return SimpleNamespace(c_contiguous=flags.c_contiguous, f_contiguous=flags.f_contiguous)

    @property
    def data(self):
        return SimpleNamespace(ptr=self._host.__array_interface__["data"][0])

    def __len__(self):
        return len(self._host)

    # ---- the border between device and host ----------------------------------------------------------

    def __array__(self, *args, **kwargs):
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. Please use `.get()` to construct a NumPy "
            "array explicitly."
        )

    def __array_ufunc__(self, ufunc, method, *inputs, out=(), **options):
        import cupy

        own = getattr(cupy, ufunc.__name__, None)
        if method != "__call__" or own is None:
            return NotImplemented
        return own(*inputs, out=out[0] if out else None, **options)

    def __array_function__(self, function, types, args, kwargs):
        import cupy

        return getattr(cupy, function.__name__)(*args, **kwargs)

    def get(self, stream=None, order="C", out=None, blocking=True):
        synchronise("get")
        return self._host.copy(order)

    def item(self):
        synchronise("item")
        return self._host.item()

    __float__, __int__, __bool__ = _waiting(float), _waiting(int), _waiting(bool)
    __complex__ = _waiting(complex)

    def __repr__(self):
        synchronise("repr")
        return repr(self._host)

    def __format__(self, form):
        synchronise("format")
        return format(self._host if self.ndim else self._host.item(), form)

    # ---- elements ------------------------------------------------------------------------------------

    def __getitem__(self, index):
        index = _index(index)
        if any(isinstance(entry, list | np.ndarray) for entry in index):
            return make(operator.getitem, self._host, index)
        return ndarray(self._host[index])

    def __setitem__(self, index, value):
        if isinstance(value, np.ndarray) and value.ndim:
            raise ValueError("non-scalar numpy.ndarray cannot be used for fill")
        # A number is copied into the kernel's arguments.
        value = value.item() if isinstance(value, np.ndarray) else host(value)
        streams.write(operator.setitem, self._host, _index(index), value)

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def fill(self, value):
        self[...] = value

    def nonzero(self):
        synchronise("nonzero")
        return tuple(make(np.copy, index) for index in self._host.nonzero())

    # ---- forms ---------------------------------------------------------------------------------------

    def _view_or_copy(self, form):
        """Return form(array): a view if the array's memory allows it, else new memory."""
        view = form(self._host)
        return ndarray(view) if np.may_share_memory(view, self._host) else make(form, self._host)

    def reshape(self, *shape, order="C", copy=None):
        return self._view_or_copy(lambda x: x.reshape(*shape, order=order))

    def transpose(self, *axes):
        return ndarray(self._host.transpose(*axes))

    def swapaxes(self, axis1, axis2):
        return ndarray(self._host.swapaxes(axis1, axis2))

    def squeeze(self, axis=None):
        return ndarray(self._host.squeeze(axis))

    def ravel(self, order="C"):
        return self._view_or_copy(lambda x: x.ravel(order))

    def repeat(self, repeats, axis=None):
        if isinstance(repeats, ndarray):
            raise ValueError("cupy.ndaray cannot be specified as `repeats` argument.")
        return make(np.repeat, self._host, repeats, axis)

    def astype(self, dtype, order="K", casting=None, subok=None, copy=True):
        if not copy and self.dtype == dtype:
            return self
        return make(lambda x: x.astype(dtype, order), self._host)

    def copy(self, order="C"):
        return make(np.copy, self._host, order)

    def __deepcopy__(self, memo):
        return self.copy()

    # ---- arithmetic ----------------------------------------------------------------------------------

    sum, mean = _reduction("sum", "dtype"), _reduction("mean", "dtype")
    max, min = _reduction("max"), _reduction("min")
    any, all = _reduction("any"), _reduction("all")

    def clip(self, min=None, max=None, out=None):
        return compute(np.clip, self, *(_bound(bound) for bound in (min, max)), out=out)

    def __neg__(self):
        return compute(np.negative, self)

    def __abs__(self):
        return compute(np.absolute, self)

    def __invert__(self):
        return compute(np.invert, self)

    def __matmul__(self, other):
        import cupy

        return cupy.matmul(self, other)


def _bound(bound):
    return np.inf if bound is None else bound


def _index(index):
    """Return an index on host arrays; down to one element, it still gives a view."""
    entries = list(index) if isinstance(index, tuple) else [index]
    for k, entry in enumerate(entries):
        if isinstance(entry, ndarray):
            if entry.dtype == bool:
                synchronise("boolean index")
            entries[k] = entry._host
        elif isinstance(entry, list | np.ndarray) and np.ndim(entry):
            entries[k] = np.asarray(entry)
            streams.upload(entries[k].nbytes)
        elif hasattr(entry, "__index__") or entry is None or entry is Ellipsis or isinstance(entry, slice):
            continue
        else:
            raise IndexError(f"unsupported index {entry!r}")
    if not any(entry is Ellipsis for entry in entries):
        entries.append(Ellipsis)
    return tuple(entries)


_OPERATORS = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "truediv": np.true_divide,
    "floordiv": np.floor_divide,
    "mod": np.remainder,
    "pow": np.power,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
}
_COMPARISONS = {
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "eq": np.equal,
    "ne": np.not_equal,
}
for _name, _function in _OPERATORS.items():
    setattr(ndarray, f"__{_name}__", _binary(_function))
    setattr(ndarray, f"__r{_name}__", _binary(_function, swapped=True))
    setattr(ndarray, f"__i{_name}__", _in_place(_function))
for _name, _function in _COMPARISONS.items():
    setattr(ndarray, f"__{_name}__", _binary(_function))
