"""Matrix products of CuPy arrays straight from cuBLAS, on the operands as they lie in memory.

`cupy.matmul` copies transposed operands, rounds to TF32 only between two matrices, and refuses to work while
a stream is being captured. cuBLAS has none of these limits. It is called here through `ctypes`, with a handle
of our own.

cuBLAS stores matrices column by column. The rows of a matrix are the columns of its transpose, so the product
requested is Cᵀ = Bᵀ Aᵀ, and C comes out row by row. A whole batch of products is one call if consecutive
matrices are equally far apart in memory; other leading axes are looped over.
"""

import ctypes
import itertools
from functools import cache

import numpy as np

from .. import backend

#: Scratch memory of the handle, of the size that NVIDIA recommends for Hopper; a captured product cannot
#: allocate any.
WORKSPACE_BYTES = 32 << 20

#: For each dtype the cudaDataType, the cublasComputeType_t, and alpha = 1 and beta = 0 as C has them.
TYPES = {
    np.dtype(np.float32): (0, 68, ctypes.c_float(1), ctypes.c_float(0)),
    np.dtype(np.float64): (1, 70, ctypes.c_double(1), ctypes.c_double(0)),
}
COMPUTE_32F_FAST_TF32 = 77
GEMM_DEFAULT = -1
POINTER_MODE_HOST = 0

_INT, _LONG, _POINTER = ctypes.c_int, ctypes.c_int64, ctypes.c_void_p
#: The argument types of the functions of cublas_api.h used here; all return a cublasStatus_t.
SIGNATURES = {
    "cublasCreate_v2": [ctypes.POINTER(_POINTER)],
    "cublasSetPointerMode_v2": [_POINTER, _INT],
    "cublasSetStream_v2": [_POINTER, _POINTER],
    "cublasSetWorkspace_v2": [_POINTER, _POINTER, ctypes.c_size_t],
    "cublasGemmStridedBatchedEx_64": [
        *(_POINTER, _INT, _INT, _LONG, _LONG, _LONG, _POINTER),  # handle, transposed?, m, n, k, alpha
        *(_POINTER, _INT, _LONG, ctypes.c_longlong),  # A, its type, leading dimension, stride of the batch
        *(_POINTER, _INT, _LONG, ctypes.c_longlong),  # B
        _POINTER,  # beta
        *(_POINTER, _INT, _LONG, ctypes.c_longlong),  # C
        *(_LONG, _INT, _INT),  # batch count, compute type, algorithm
    ],
}


def matmul(a, b, out=None):
    """Return a @ b of arrays (..., m, k) and (..., k, n), leading axes broadcast; into `out` when given.

    `out` must not overlap with a or b. Raises ValueError or TypeError for shapes or dtypes that do not fit,
    and RuntimeError if cuBLAS fails.
    """
    shape = _result_shape(a, b)
    if out is None:
        out = backend.get_array_module(a).empty(shape, a.dtype)
    elif out.shape != shape:
        raise ValueError(f"matmul: out must have shape {shape}, got {out.shape}")
    if a.dtype not in TYPES or not a.dtype == b.dtype == out.dtype:
        raise TypeError(f"matmul: operands must be float32 or float64, got {a.dtype}, {b.dtype}, {out.dtype}")
    if out.size and a.shape[-1]:
        _multiply(a, b, out)
    elif out.size:
        out.fill(0)
    return out


def _result_shape(a, b):
    if a.ndim < 2 or b.ndim < 2 or a.shape[-1] != b.shape[-2]:
        raise ValueError(f"matmul: shapes {a.shape} and {b.shape} do not fit")
    return (*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), a.shape[-2], b.shape[-1])


def _multiply(a, b, out):
    """Write a @ b to `out`, where nothing is empty."""
    xp, layout = backend.get_array_module(a), _layout(out)
    if layout is None:
        result = xp.empty(out.shape, out.dtype)
        _multiply(a, b, result)
        out[...] = result
        return
    if layout[0]:  # column by column: then outᵀ = bᵀ aᵀ is row by row
        a, b, out = (x.swapaxes(-1, -2) for x in (b, a, out))
    a, b = (x if _layout(x) else xp.ascontiguousarray(x) for x in (a, b))
    operands = b, a, out
    (b_transposed, b_leading), (a_transposed, a_leading), (_, out_leading) = map(_layout, operands)
    kind, compute, one, zero = TYPES[out.dtype]
    if out.dtype == np.float32 and backend.uses_tf32():
        compute = COMPUTE_32F_FAST_TF32
    (count, strides), others = _batch(out.shape[:-2], operands)
    handle = _handle()
    for place in itertools.product(*(range(size) for size, _ in others)):
        at = [x.data.ptr for x in operands]
        for i, (_, distances) in zip(place, others):
            at = [p + i * d * out.itemsize for p, d in zip(at, distances)]
        handle.call(
            "cublasGemmStridedBatchedEx_64",
            *(b_transposed, a_transposed, b.shape[-1], a.shape[-2], a.shape[-1], ctypes.byref(one)),
            *(at[0], kind, b_leading, strides[0]),
            *(at[1], kind, a_leading, strides[1], ctypes.byref(zero)),
            *(at[2], kind, out_leading, strides[2]),
            *(count, compute, GEMM_DEFAULT),
        )


def _layout(x):
    """Return whether matrices (..., rows, columns) must be transposed, 0 or 1, and their leading dimension.

    Matrices stored row by row need no transposition, those stored column by column do; the leading dimension
    is the distance between two rows, or columns, in entries. None for matrices stored in neither way.
    """
    (rows, columns), (down, across) = x.shape[-2:], (stride // x.itemsize for stride in x.strides[-2:])
    if (across == 1 or columns == 1) and (down >= columns or rows == 1):
        return 0, down if rows > 1 else columns
    if (down == 1 or rows == 1) and (across >= rows or columns == 1):
        return 1, across if columns > 1 else rows
    return None


def _batch(shape, operands):
    """Return (size, distances) of the longest leading axis, and a list of these for the other axes.

    distances: from one matrix to the next along the axis, in entries of each operand. Neighbouring axes that
    are contiguous in all operands are merged first.
    """
    axes = []
    for axis, size in enumerate(shape):
        distances = [_distance(x, axis - len(shape) - 2) for x in operands]
        if axes and all(d * size == before for d, before in zip(distances, axes[-1][1])):
            axes[-1] = axes[-1][0] * size, distances
        elif size > 1:
            axes.append((size, distances))
    axes.sort(key=lambda entry: -entry[0])
    return (axes[0], axes[1:]) if axes else ((1, (0, 0, 0)), [])


def _distance(x, axis):
    """Return the stride of an axis (counted from the end) in entries, 0 where it is broadcast."""
    return x.strides[axis] // x.itemsize if x.ndim >= -axis and x.shape[axis] > 1 else 0


class _Handle:
    """A cuBLAS handle with its own workspace, for streams that take turns."""

    def __init__(self):
        import cupy

        self.library, self.stream, self._handle = _library(), None, ctypes.c_void_p()
        self._check("cublasCreate_v2", self.library.cublasCreate_v2(ctypes.byref(self._handle)))
        self.workspace = cupy.empty(WORKSPACE_BYTES, np.uint8)
        self._set("cublasSetPointerMode_v2", POINTER_MODE_HOST)

    def call(self, name, *arguments):
        """Call the function `name` on CuPy's current stream; raise RuntimeError unless it succeeds."""
        import cupy

        stream = cupy.cuda.get_current_stream().ptr
        if stream != self.stream:
            self._set("cublasSetStream_v2", stream)
            # Afterwards, because setting the stream resets the workspace.
            self._set("cublasSetWorkspace_v2", self.workspace.data.ptr, WORKSPACE_BYTES)
            self.stream = stream
        self._set(name, *arguments)

    def _set(self, name, *arguments):
        self._check(name, getattr(self.library, name)(self._handle, *arguments))

    def _check(self, name, status):
        if status:
            reason = self.library.cublasGetStatusName(status).decode()
            raise RuntimeError(f"{name.removesuffix('_v2').removesuffix('_64')} failed: {reason}")


@cache
def _handle():
    return _Handle()


def _library():
    """Return the cuBLAS that CuPy uses; raise RuntimeError if it cannot be loaded."""
    import cupy
    from cupy import cublas  # noqa: F401  CuPy loads it here, wherever it is, so that its name suffices below

    name = f"libcublas.so.{cupy.cuda.runtime.runtimeGetVersion() // 1000}"
    try:
        library = ctypes.CDLL(name)
    except OSError as error:
        raise RuntimeError(f"cuBLAS cannot be loaded as {name}, which CuPy uses: {error}") from error
    for function, types in SIGNATURES.items():
        getattr(library, function).argtypes = types
        getattr(library, function).restype = ctypes.c_int
    library.cublasGetStatusName.argtypes, library.cublasGetStatusName.restype = [_INT], ctypes.c_char_p
    return library
