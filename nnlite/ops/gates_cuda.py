"""The passes of `gates` as one CUDA kernel each: every number is read and written once.

The bodies are plain C over one element, in the names of `gates`; `tests/test_cuda_sources.py` compiles them
for the host and compares them with the NumPy passes.
"""

from functools import cache

FORWARD = """
    i = tanh(i); g = tanh(g); f = tanh(f); o = tanh(o);
    c = T(0.5) * ((T(1) + i) * g + (T(1) + f) * c_prev);
    h = T(0.5) * (T(1) + o) * tanh(c);
"""

BACKWARD = """
    const T tanh_c = tanh(c);
    const T total = dc + T(0.5) * dh * (T(1) + o) * (T(1) - tanh_c * tanh_c);
    dc = T(0.5) * (T(1) + f) * total;
    const T slope = T(0.5) * (T(1) + i) * total * (T(1) - g * g);
    o = T(0.5) * dh * tanh_c * (T(1) - o * o);
    f = T(0.5) * total * c_prev * (T(1) - f * f);
    i = T(0.5) * total * g * (T(1) - i * i);
    g = slope;
"""


def forward(i, g, f, o, c_prev, c, h):
    """Do as `gates.forward` does, on CuPy arrays; the rows of a come as four views."""
    _kernels()[0](_or_zero(c_prev, c), i, g, f, o, c, h)


def backward(i, g, f, o, c_prev, c, dh, dc):
    """Do as `gates.backward` does, on CuPy arrays; the rows of a come as four views."""
    _kernels()[1](_or_zero(c_prev, c), c, dh, i, g, f, o, dc)


def _or_zero(c_prev, like):
    return like.dtype.type(0) if c_prev is None else c_prev


@cache
def _kernels():
    import cupy

    return (
        cupy.ElementwiseKernel("T c_prev", "T i, T g, T f, T o, T c, T h", FORWARD, "nnlite_gates_forward"),
        cupy.ElementwiseKernel(
            "T c_prev, T c, T dh", "T i, T g, T f, T o, T dc", BACKWARD, "nnlite_gates_backward"
        ),
    )
