"""A strict double of CuPy 14 for tests on machines without a GPU.

    with cupy_double.installed() as synchronisations:
        ...  # `import cupy` gives the double

Its arrays lie in host memory, but behave as CuPy's do where a program can go wrong:

- Device and host do not mix. A ufunc, function, operator or `out=` that meets a NumPy array raises TypeError,
  so does np.asarray(device array); an assignment from one raises ValueError. Python and NumPy scalars are
  fine, with NumPy 2's promotion: a NumPy scalar and a 0-d array keep their dtype, a Python number gives way.
- Reductions return 0-d device arrays, and so does indexing down to one element.
- Whatever makes the host wait for the GPU is noted in the list that `installed` gives: float(), int(),
  bool(), item(), get(), printing, boolean indices, nonzero, Device.synchronize.
- There are only the functions and keywords that CuPy has (no `where=` in ufuncs and reductions, no `ctypes`).
  Of these it has what nnlite uses: for more, look CuPy's up and add it.
- New memory is not zero: `empty` is full of NaN, or of a large integer.
- An `ElementwiseKernel` is compiled by the host's C++ compiler, in the loop that CuPy puts around it.

The facts are CuPy 14.2's: signatures (`test_cupy_double.py` compares them where CuPy is installed) and,
on docs.cupy.dev, "Differences between CuPy and NumPy", "User-Defined Kernels" (which names are reserved),
cupy.ufunc (`out`, `casting` and `dtype` are all its keywords), cupy.ndarray, cupyx.scatter_add, cupy.matmul.

What it cannot show: a device's own numbers (fused multiply-adds, the order of atomic additions), races, time.
"""

import contextlib
import sys
from unittest import mock

from . import functions
from .array import synchronisations


@contextlib.contextmanager
def installed():
    """Put the double in CuPy's place; give the list of what made the host wait, as "file:line name"."""
    from nnlite.ops import gates_cuda

    cupy = functions.module()
    gates_cuda._kernels.cache_clear()  # it keeps the kernels of whichever CuPy there was
    synchronisations.clear()
    try:
        with mock.patch.dict(sys.modules, {"cupy": cupy, "cupyx": functions.extras()}):
            yield synchronisations
    finally:
        gates_cuda._kernels.cache_clear()
