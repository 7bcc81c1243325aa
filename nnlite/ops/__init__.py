"""Pure array functions, forward and backward side by side, one body for NumPy and CuPy.

What has to differ between the two is behind one object per device: `get_ops(x)` returns `NumpyOps` (threads,
blocks that fit in the cache, sparse matrices) or `CupyOps` (CUDA kernels, cuBLAS). A function asks the arrays
that it is given for their library or operations. Only what has no array to ask, because it allocates the
first ones, is passed the library as `xp`.
"""

from functools import cache
from types import ModuleType

import numpy as np

from ..backend import get_array_module
from .cupy_ops import CupyOps
from .numpy_ops import NumpyOps


def get_ops(x):
    """Return the operations for an array, or for an array library itself (`numpy` or `cupy`)."""
    return _ops(x if isinstance(x, ModuleType) else get_array_module(x))


@cache
def _ops(xp):
    return NumpyOps() if xp is np else CupyOps(xp)
