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
- While a stream captures, nothing is done but noted; `graph.launch` does it, on the same places in memory.
  Then whatever makes the host wait raises, CuPy's own calls of cuBLAS do, and so does what CuPy allows but no
  graph must do: copy from host memory, take memory of the default pool, use memory that was given back.
- cuBLAS, loaded by ctypes, is `host_cublas`.

The facts are CuPy 14.2's: signatures (`test_cupy_double.py` compares them where CuPy is installed) and,
on docs.cupy.dev, "Differences between CuPy and NumPy", "User-Defined Kernels" (which names are reserved),
cupy.ufunc (`out`, `casting` and `dtype` are all its keywords), cupy.ndarray, cupy.ufunc.at, cupy.matmul.

What it cannot show: a device's own numbers (fused multiply-adds, the order of atomic additions), races, time.
"""

import contextlib
import ctypes
import sys
from types import SimpleNamespace
from unittest import mock

from nnlite import backend

from . import functions, streams
from .array import synchronisations
from .host_cublas import HostCublas

#: What tests of the GPU's code run on: the double everywhere, and CuPy itself where there is a GPU.
LIBRARIES = ["double"] if backend.cuda_unavailable_reason() else ["double", "gpu"]


def library(name):
    """Return a context in which `import cupy` gives one of LIBRARIES."""
    return installed() if name == "double" else _cupy_itself()


@contextlib.contextmanager
def installed():
    """Put the double in CuPy's place; give the list of what made the host wait, as "file:line name"."""
    from nnlite.ops import cublas

    replacements = {"cupy": functions.module()}
    host_ctypes = SimpleNamespace(**vars(ctypes) | {"CDLL": HostCublas})
    synchronisations.clear()
    with mock.patch.dict(sys.modules, replacements), mock.patch.object(cublas, "ctypes", host_ctypes):
        _forget()
        try:
            yield synchronisations
        finally:
            _forget()


@contextlib.contextmanager
def _cupy_itself():
    _forget()
    try:
        yield
    finally:
        _forget()


def is_installed():
    """Say whether the double is in CuPy's place now."""
    return getattr(sys.modules.get("cupy"), "__version__", "").endswith("(a double)")


def _forget():
    """Drop what nnlite keeps of whichever CuPy there was."""
    from nnlite import ops
    from nnlite.ops import (
        cublas,
        cupy_ops,
        gates_cuda,
        spectral_frames,
        spectral_rows,
        tiles_cuda,
        updates_cuda,
    )

    for function in (
        ops._ops,
        updates_cuda._kernels,
        tiles_cuda._kernels,
        gates_cuda._kernels,
        cublas._handle,
        spectral_frames._matrix,
        spectral_rows._matrices,
    ):
        function.cache_clear()
    cupy_ops.use_cublas(False)
    backend._cuda_process = None
    streams.reset()
