"""Where arrays live: lazy imports, device names, conversion."""

import os
import subprocess
import sys

import numpy as np
import pytest

from nnlite import backend
from tests import cupy_double

NO_GPU = backend.cuda_unavailable_reason()


def test_import_brings_nothing_heavy():
    heavy = ["cupy", "scipy", "h5py", "matplotlib", "tqdm", "av", "torch"]
    code = f"import nnlite, sys; print([name for name in {heavy} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


@pytest.mark.skipif(NO_GPU is None, reason="there is a GPU")
def test_cuda_without_gpu_is_a_clear_error():
    with pytest.raises(RuntimeError, match=r"device .cuda. asked for, but \w+"):
        backend.resolve_device("cuda")
    with pytest.raises(RuntimeError, match=r"device .cuda. asked for, but \w+"):
        backend.array_module("cuda")


def test_missing_cupy_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)  # as if it were not installed
    with pytest.raises(RuntimeError, match=r"CuPy is not installed \(pip install cupy-cuda13x, or"):
        backend.resolve_device("cuda")
    assert backend.resolve_device("auto") == "cpu"


def test_resolve_device():
    assert backend.resolve_device("cpu") == "cpu"
    assert backend.resolve_device("auto") == ("cpu" if NO_GPU else "cuda")
    with pytest.raises(ValueError, match="device must be 'cpu' or 'cuda', got 'gpu'"):
        backend.resolve_device("gpu")


def test_numpy_is_the_array_library_of_the_cpu():
    assert backend.array_module("cpu") is np
    assert backend.get_array_module(np.zeros(2), 3.0) is np
    assert backend.device_of(np.zeros(2)) == "cpu"


def test_tf32_is_for_gpus(monkeypatch):
    monkeypatch.delenv("CUPY_TF32", raising=False)
    with pytest.raises(ValueError, match="TF32 is a mode of GPUs"):
        backend.use_tf32("cpu")
    assert "CUPY_TF32" not in os.environ
    monkeypatch.setenv("CUPY_TF32", "0")
    backend.use_tf32("cuda")
    assert os.environ["CUPY_TF32"] == "1"


def test_is_array():
    assert backend.is_array(np.zeros(2))
    assert not any(backend.is_array(x) for x in ([1.0], 1.0, None, "a", np.float32(1)))


def test_asarray_copies_only_when_it_must():
    x = np.arange(3, dtype=np.float32)
    assert backend.asarray(x) is x
    assert backend.asarray(x, np.float32, "cpu") is x
    double = backend.asarray(x, np.float64)
    assert double.dtype == np.float64 and not np.shares_memory(double, x)
    np.testing.assert_array_equal(backend.asarray([1, 2], np.float32), np.array([1, 2], np.float32))
    assert backend.as_numpy(x) is x and backend.as_numpy(2.5).shape == ()


def test_pointer_tells_shared_memory():
    x = np.zeros((2, 3))
    assert backend.pointer(x) == backend.pointer(x.reshape(6)) == backend.pointer(x[:1])
    assert backend.pointer(x) != backend.pointer(x[1:]) != backend.pointer(x.copy())


def test_synchronize_on_the_cpu_does_nothing():
    assert backend.synchronize("cpu") is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_of_a_process_that_uses_the_gpu_is_told_so():
    with cupy_double.installed():
        x = backend.asarray(np.zeros(2), device="cuda")
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            for use in (lambda: backend.device_of(x), lambda: backend.resolve_device("auto")):
                try:
                    use()
                except RuntimeError as error:
                    os.write(writing, f"{error}\n".encode())
            os._exit(0)
        os.close(writing)
        os.waitpid(child, 0)
        with open(reading) as pipe:
            messages = pipe.read().splitlines()
        assert len(messages) == 2 and all("forked from one that uses the GPU" in line for line in messages)
        assert backend.device_of(x) == "cuda" and backend.resolve_device("auto") == "cuda"
