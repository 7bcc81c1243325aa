"""The one place that knows NumPy from CuPy: devices, dtypes and array conversion.

All other code gets the array library from an array (`get_array_module`) or a device (`array_module`) and then
has one body for both; operations that need two are in `nnlite.ops.get_ops`. CuPy is imported only when a GPU
is requested.
"""

import os
import sys

import numpy as np

FLOAT_DTYPES = (np.dtype(np.float32), np.dtype(np.float64))

#: The process that has started CUDA. What it passes on to a child made by fork works only in itself.
_cuda_process = None


def get_array_module(*arrays):
    """Return `cupy` when any of `arrays` is a CuPy array, else `numpy`."""
    cupy = sys.modules.get("cupy")
    if cupy is not None and any(isinstance(x, cupy.ndarray) for x in arrays):
        return cupy
    return np


def array_module(device):
    """Return the array library of a device: `numpy` for "cpu", `cupy` for "cuda".

    Raises RuntimeError with the reason and the fix when the GPU cannot be used.
    """
    if device == "cpu":
        return np
    if device != "cuda":
        raise ValueError(f"device must be 'cpu' or 'cuda', got {device!r}")
    reason = cuda_unavailable_reason()
    if reason:
        raise RuntimeError(f"device 'cuda' asked for, but {reason}")
    import cupy

    return cupy


def cuda_unavailable_reason():
    """Return the reason why no GPU can be used, or None when one can.

    RuntimeError in a process that was forked from one that uses the GPU.
    """
    global _cuda_process
    try:
        import cupy
    except ImportError:
        return "CuPy is not installed (pip install cupy-cuda13x, or cupy-cuda12x for CUDA 12)"
    try:
        _check_process()
        if cupy.cuda.runtime.getDeviceCount() > 0:
            _cuda_process = os.getpid()
            return None
    except cupy.cuda.runtime.CUDARuntimeError as error:
        return f"CUDA does not start: {error}"
    return "this machine has no CUDA device"


def _check_process():
    """Raise RuntimeError in a process that was forked from one that uses the GPU."""
    if _cuda_process not in (None, os.getpid()):
        raise RuntimeError(
            "this process was forked from one that uses the GPU, and CUDA does not work in such a child: "
            "start it with multiprocessing.get_context('spawn'), or fork before the GPU is first used"
        )


def resolve_device(name="auto"):
    """Turn a `--device` option (auto, cpu, cuda) into "cpu" or "cuda".

    "auto" takes the GPU when there is one. "cuda" without one raises RuntimeError.
    """
    if name == "auto":
        return "cpu" if cuda_unavailable_reason() else "cuda"
    array_module(name)
    return name


def use_tf32(device):
    """Let the GPU round the factors of float32 products to TF32 (10 bits) from now on.

    CuPy reads the setting at the first product: call this before. ValueError on the CPU, which has no such
    mode.
    """
    if device == "cpu":
        raise ValueError("TF32 is a mode of GPUs: run with device 'cuda', or without it")
    os.environ["CUPY_TF32"] = "1"


def uses_tf32():
    """Return whether products may round to TF32, from the variable that CuPy reads as well."""
    return int(os.environ.get("CUPY_TF32") or 0) > 0


def is_array(x):
    """Return whether `x` is a NumPy or a CuPy array."""
    return isinstance(x, np.ndarray) or isinstance(x, get_array_module(x).ndarray)


def device_of(x):
    """Return the device, "cpu" or "cuda", on which the array `x` lives."""
    if isinstance(x, np.ndarray):
        return "cpu"
    _check_process()
    return "cuda"


def asarray(x, dtype=None, device="cpu"):
    """Return `x` as an array of the given dtype on the given device, copied only if necessary."""
    if device == "cpu":
        return np.asarray(as_numpy(x), dtype=dtype)
    return array_module(device).asarray(x, dtype=dtype)


def as_numpy(x):
    """Return the array or scalar `x` as a NumPy array in host memory."""
    return x.get() if hasattr(x, "get") and not isinstance(x, dict) else np.asarray(x)


def pointer(x):
    """Return the address of the first element of `x`: equal addresses mean shared memory."""
    return x.ctypes.data if isinstance(x, np.ndarray) else x.data.ptr


def forbid_writing(x):
    """Make a NumPy array read-only; a CuPy array is left as it is, because CuPy has no such flag."""
    if isinstance(x, np.ndarray):
        x.flags.writeable = False


def synchronize(device):
    """Wait until everything queued on `device` is done; on the CPU this returns at once."""
    if device == "cuda":
        array_module("cuda").cuda.Device().synchronize()
