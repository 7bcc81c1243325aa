"""The matrix product that everything in nnlite goes through."""

import numpy as np

from ..backend import get_array_module
from . import cublas

_through_cublas = False


def product(a, b, out=None):
    """Return a @ b of arrays (..., m, k) and (..., k, n), leading axes broadcast; into `out` when given."""
    if isinstance(a, np.ndarray):
        return np.matmul(a, b, out=out)
    if _through_cublas:
        return cublas.matmul(a, b, out)
    return get_array_module(a).matmul(a, b, out=out)


def use_cublas(on=True):
    """Let products on the GPU go straight to cuBLAS from now on, or through CuPy; return what was set before.

    Going straight (see `cublas`) they can be captured in a CUDA graph, all of them round to TF32 if that is
    asked for, and transposed operands are not copied.
    """
    global _through_cublas
    before, _through_cublas = _through_cublas, on
    return before
