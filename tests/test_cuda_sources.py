"""The bodies of the CUDA kernels, compiled for the host, against the NumPy passes that they stand for."""

import ctypes
import shutil
import subprocess

import numpy as np
import pytest

from nnlite.ops import gates, gates_cuda

COMPILER = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
pytestmark = pytest.mark.skipif(
    COMPILER is None, reason="no C++ compiler to compile the kernels' bodies with"
)


def host_kernel(folder, body, names):
    """Return a function of float64 arrays (all of one size) that runs `body` on every element."""
    pointers = ", ".join(f"double *{name}_" for name in names)
    elements = "\n".join(f"double &{name} = {name}_[n];" for name in names)
    source = folder / "kernel.cc"
    source.write_text(
        "#include <cmath>\nusing std::tanh; typedef double T;\n"
        f'extern "C" void kernel(long count, {pointers}) {{\n'
        f"for (long n = 0; n < count; ++n) {{\n{elements}\n{body}\n}} }}\n"
    )
    library = folder / "kernel.so"
    subprocess.run([COMPILER, "-shared", "-fPIC", "-o", library, source], check=True)
    kernel = ctypes.CDLL(str(library)).kernel

    def run(*arrays):
        for array in arrays:
            assert array.dtype == np.float64 and array.flags.c_contiguous
        kernel(ctypes.c_long(arrays[0].size), *(ctypes.c_void_p(array.ctypes.data) for array in arrays))

    return run


@pytest.mark.parametrize("first", [False, True], ids=["later step", "first step"])
def test_gates(tmp_path, first):
    rng = np.random.default_rng(0)
    n, batch = 3, 5
    a, c_prev = rng.standard_normal((4 * n, batch)), rng.standard_normal((n, batch))
    dh, dc = rng.standard_normal((2, n, batch))
    zero = np.zeros_like(c_prev) if first else c_prev
    c, h = np.empty((2, n, batch))
    blocks = [block.copy() for block in a.reshape(4, n, batch)]
    c_host, h_host = np.empty((2, n, batch))

    gates.forward(a, None if first else c_prev, c, h, np)
    forward = host_kernel(tmp_path, gates_cuda.FORWARD, ["c_prev", "i", "g", "f", "o", "c", "h"])
    forward(zero.copy(), *blocks, c_host, h_host)
    for mine, other in zip([a.reshape(4, n, batch), c, h], [np.stack(blocks), c_host, h_host]):
        np.testing.assert_allclose(mine, other, atol=1e-15)

    (tmp_path / "back").mkdir()
    names = ["c_prev", "c", "dh", "i", "g", "f", "o", "dc"]
    backward = host_kernel(tmp_path / "back", gates_cuda.BACKWARD, names)
    dc_host = dc.copy()
    backward(zero.copy(), c_host, dh.copy(), *blocks, dc_host)
    gates.backward(a, None if first else c_prev, c, dh, dc, np)
    np.testing.assert_allclose(a.reshape(4, n, batch), np.stack(blocks), atol=1e-15)
    np.testing.assert_allclose(dc, dc_host, atol=1e-15)
