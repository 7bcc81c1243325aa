"""Streams, and the capture of what is asked of them as a graph."""

import itertools

import numpy as np

from . import memory


class CUDARuntimeError(RuntimeError):
    """What CUDA's calls raise."""


class Stream:
    """A queue of work for the device. The double does everything at once, but wants the waiting to be right:

    Going over to another stream, or back, while there is work that nobody waited for is an error; on a GPU
    the two streams would run side by side.
    """

    _pointers = itertools.count(1 << 20)

    def __init__(self, null=False, non_blocking=False):
        self.ptr = 0 if null else next(self._pointers)
        self.non_blocking, self.pending = non_blocking, False
        self._captured, self._valid = None, True

    def __enter__(self):
        _hand_over(get_current_stream(), self)
        _current.append(self)
        return self

    def __exit__(self, kind, *_):
        _current.pop()
        if kind is None:
            _hand_over(self, get_current_stream())

    def synchronize(self):
        if self.is_capturing():
            self._valid = False
            raise CUDARuntimeError("cudaErrorStreamCaptureUnsupported: operation not permitted")
        self.pending = False

    def begin_capture(self, mode=None):
        if self.ptr == 0:
            raise RuntimeError("cannot capture on the default (legacy) stream")
        if not self.non_blocking:
            raise RuntimeError("the default stream could not be used meanwhile")
        if self.pending:
            raise RuntimeError("the double wants work before a capture to be waited for")
        self._captured, self._valid = [], True

    def end_capture(self):
        operations, self._captured = self._captured, None
        if operations is None:
            raise CUDARuntimeError("cudaErrorIllegalState: the operation cannot be performed in this state")
        if not self._valid:
            raise CUDARuntimeError("cudaErrorStreamCaptureInvalidated: operation failed during capture")
        return Graph(operations)

    def is_capturing(self):
        return self._captured is not None


Stream.null = Stream(null=True)
_current = [Stream.null]
_allocators = []  # of page-locked memory; one, or none yet


class Graph:
    """Operations with the places of what they read and write."""

    def __init__(self, operations):
        self._operations = operations

    def launch(self, stream=None):
        (stream or get_current_stream()).pending = True
        for function, args in self._operations:
            with np.errstate(all="ignore"):
                function(*_with(memory.Place, memory.Place.array, args))


def get_current_stream(device_id=-1):
    return _current[-1]


def reset():
    """Go back to the default stream, with nothing to wait for."""
    _current[:], _allocators[:] = [Stream.null], []
    Stream.null.pending = False


def refuse_to_wait():
    """Raise if the current stream captures: what makes the host wait would wait for ever."""
    if get_current_stream().is_capturing():
        raise RuntimeError("the current stream is capturing, so synchronous API calls are disallowed")


def refuse_cublas():
    """Raise if the current stream captures, as CuPy does before every call of cuBLAS."""
    if get_current_stream().is_capturing():
        raise NotImplementedError("calling cuBLAS API during stream capture is currently unsupported")


def write(function, *args):
    """Let the device do function(*args), which writes to NumPy arrays among the args, or in tuples there."""
    stream = get_current_stream()
    if memory.is_counting():
        return
    if stream.is_capturing():
        stream._captured.append((function, _with(np.ndarray, memory.Place, args)))
        return
    stream.pending = True
    with np.errstate(all="ignore"):  # a GPU does not warn
        function(*args)


def make(function, *args):
    """Return function(*args) in new device memory."""
    with np.errstate(all="ignore"):
        value = np.asarray(_empty_product(*args) if _is_product(function) else function(*args))
    value = new(value if value.base is None else value.copy(order="K"))
    if get_current_stream().is_capturing():
        write(_assign, value, function, *args)
    else:
        get_current_stream().pending = True
    return value


def _is_product(function):
    return memory.is_counting() and getattr(function, "func", None) is np.matmul


def _empty_product(a, b):
    """Return memory for a @ b, where sizes alone count."""
    shape = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    return np.empty((*shape, a.shape[-2], b.shape[-1]), a.dtype)


def new(array):
    """Enter a new NumPy array as device memory, with rubbish in it while capturing; return it."""
    if memory.is_counting() and array.dtype.kind in "iu":
        array.fill(0)
    if get_current_stream().is_capturing():
        if not memory.in_own_pool():
            raise RuntimeError("a graph that is captured must not take memory of the default pool")
        # Zero as an index is good enough to find out the shapes of what follows.
        array.fill(np.nan if array.dtype.kind in "fc" else 0)
    return memory.take(array)


def set_pinned_memory_allocator(allocator):
    """Let every copy from host memory take its page-locked memory there."""
    _allocators[:] = [allocator]


def upload(nbytes):
    """Take note of a copy from host memory; CuPy would let a graph capture it, whatever it reads later."""
    for allocate in _allocators:
        allocate(nbytes)
    if get_current_stream().is_capturing():
        raise RuntimeError("a graph has captured a copy from host memory")


def _assign(target, function, *args):
    target[...] = function(*args)


def _hand_over(before, after):
    if before is not after and before.pending:
        raise RuntimeError(f"stream {after.ptr} goes on where {before.ptr} may not be ready yet")


def _with(kind, replace, args):
    """Return nested tuples and lists with replace(x) for every x of the given kind."""
    if isinstance(args, tuple | list):
        return type(args)(_with(kind, replace, entry) for entry in args)
    return replace(args) if isinstance(args, kind) else args
