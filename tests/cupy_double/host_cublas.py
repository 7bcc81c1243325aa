"""cuBLAS on the host: the functions of its C interface that nnlite calls, with the checks that they make.

They are real C function pointers with the prototypes of cublas_api.h, and compute column by column on the
addresses that they are given, in device memory only.
"""

import traceback
from ctypes import CFUNCTYPE, POINTER, c_double, c_float, c_int, c_int64, c_longlong, c_size_t, c_void_p

import numpy as np

from . import memory, streams

STATUS = {
    0: b"CUBLAS_STATUS_SUCCESS",
    7: b"CUBLAS_STATUS_INVALID_VALUE",
    14: b"CUBLAS_STATUS_INTERNAL_ERROR",
}
#: Types of arguments. Of a matrix: address, data type, leading dimension, stride between matrices.
MATRIX = (c_void_p, c_int, c_int64, c_longlong)
#: Of the batched product: handle, two transpositions, m, n, k, alpha, before A, B, beta and C ...
HANDLE_AND_SIZES = (c_void_p, c_int, c_int, c_int64, c_int64, c_int64, c_void_p)
#: ... and the number of products, compute type and algorithm after them.
COUNT_AND_MODES = (c_int64, c_int, c_int)
PROTOTYPES = {
    "cublasCreate_v2": (POINTER(c_void_p),),
    "cublasSetPointerMode_v2": (c_void_p, c_int),
    "cublasSetStream_v2": (c_void_p, c_void_p),
    "cublasSetWorkspace_v2": (c_void_p, c_void_p, c_size_t),
    "cublasGemmStridedBatchedEx_64": (
        *HANDLE_AND_SIZES,
        *MATRIX,
        *MATRIX,
        c_void_p,
        *MATRIX,
        *COUNT_AND_MODES,
    ),
}
HANDLE = 4711
#: Of a cudaDataType: the dtype, C's type, and the compute types that go with it.
KINDS = {0: (np.float32, c_float, (68, 77)), 1: (np.float64, c_double, (70,))}


class HostCublas:
    """The library, with its functions as attributes; `products` counts them, `compute` is the last's type."""

    def __init__(self, name):
        self.name, self.products, self.compute = name, 0, None
        self._stream, self._workspace = 0, None
        functions = (
            self._create,
            self._set_pointer_mode,
            self._set_stream,
            self._set_workspace,
            self._gemm_strided_batched,
        )
        for (name, types), function in zip(PROTOTYPES.items(), functions, strict=True):
            setattr(self, name, CFUNCTYPE(c_int, *types)(_checked(function)))

        def status_name(status):
            return STATUS[status]

        self.cublasGetStatusName = status_name

    def _create(self, handle):
        streams.refuse_to_wait()
        handle[0] = HANDLE

    def _set_pointer_mode(self, handle, mode):
        return handle == HANDLE and mode == 0

    def _set_stream(self, handle, stream):
        # With its stream a handle loses its workspace, and goes back to one of the library's own.
        self._stream, self._workspace = stream or 0, None
        return handle == HANDLE

    def _set_workspace(self, handle, address, size):
        self._workspace = address, np.uint8, (size,), (1,)
        return handle == HANDLE

    def _gemm_strided_batched(self, handle, turn_a, turn_b, m, n, k, alpha, *rest):
        (a, b, beta, c), (count, compute, algorithm) = (rest[:4], rest[4:8], rest[8], rest[9:13]), rest[13:]
        dtype, number, computes = KINDS[c[1]]
        stored = [(a, *((k, m) if turn_a else (m, k))), (b, *((n, k) if turn_b else (k, n))), (c, m, n)]
        if handle != HANDLE or not {turn_a, turn_b} <= {0, 1} or algorithm != -1 or min(m, n, k, count) < 1:
            return False
        if any(x[1] != c[1] or x[2] < rows for x, rows, _ in stored) or compute not in computes:
            return False
        stream = streams.get_current_stream()
        if self._stream != stream.ptr or self._workspace is None:
            raise RuntimeError("a handle needs the current stream, and then a workspace of its own")
        memory.at(*self._workspace)
        matrices = [
            _matrices(address, dtype, (count, rows, columns), (step, 1, leading))
            for (address, _, leading, step), rows, columns in stored
        ]
        scale, keep = (number.from_address(factor).value for factor in (alpha, beta))
        self.products, self.compute = self.products + 1, compute
        streams.write(_multiply, *matrices, turn_a, turn_b, dtype(scale), dtype(keep), compute)


def _matrices(address, dtype, shape, strides):
    """Return the matrices at an address, strides in entries."""
    return memory.at(address, dtype, shape, tuple(np.dtype(dtype).itemsize * step for step in strides))


def _multiply(a, b, c, turn_a, turn_b, scale, keep, compute):
    """Write scale · op(a) op(b) + keep · c to c; where `keep` is zero c is not read."""
    a, b = (x.swapaxes(1, 2) if turn else x for x, turn in ((a, turn_a), (b, turn_b)))
    if compute == 77:
        a, b = _to_tf32(a), _to_tf32(b)
    product = scale * np.matmul(a, b)
    c[...] = product if keep == 0 else product + keep * c


def _to_tf32(x):
    """Return float32 numbers rounded to 10 bits after the point."""
    bits = np.ascontiguousarray(x).view(np.uint32) + np.uint32(1 << 12)
    return (bits & np.uint32(0xFFFFE000)).view(np.float32)


def _checked(function):
    """Return `function` with a status for its result: no exception gets through C."""

    def call(*args):
        try:
            return 0 if function(*args) in (None, True) else 7
        except Exception:
            traceback.print_exc()
            return 14

    return call
