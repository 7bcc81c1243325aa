"""The passes of `gates` as one CUDA kernel each, so that every number is read and written once.

The bodies are plain C over one element, in the names of `gates`; the tests compile them for the host and
compare them with the NumPy passes.
"""

from functools import cache

from .gates import split_rows

FORWARD = """
    a_i = tanh(a_i); a_c = tanh(a_c); a_f = tanh(a_f); a_o = tanh(a_o);
    c = T(0.5) * ((T(1) + a_i) * a_c + (T(1) + a_f) * c_prev);
    h = T(0.5) * (T(1) + a_o) * tanh(c);
"""

BACKWARD = """
    const T tanh_c = tanh(c);
    const T total = dc + T(0.5) * dh * (T(1) + a_o) * (T(1) - tanh_c * tanh_c);
    dc = T(0.5) * (T(1) + a_f) * total;
    const T slope = T(0.5) * (T(1) + a_i) * total * (T(1) - a_c * a_c);
    a_o = T(0.5) * dh * tanh_c * (T(1) - a_o * a_o);
    a_f = T(0.5) * total * c_prev * (T(1) - a_f * a_f);
    a_i = T(0.5) * total * a_c * (T(1) - a_i * a_i);
    a_c = slope;
"""


def forward(a, c_prev, c, h):
    """Do the same as `gates.forward`, on CuPy arrays."""
    _kernels()[0](_or_zero(c_prev, c), *split_rows(a), c, h)


def backward(a, c_prev, c, dh, dc):
    """Do the same as `gates.backward`, on CuPy arrays."""
    _kernels()[1](_or_zero(c_prev, c), c, dh, *split_rows(a), dc)


def _or_zero(c_prev, like):
    return like.dtype.type(0) if c_prev is None else c_prev


@cache
def _kernels():
    import cupy

    # CuPy reserves the names i, n and those that begin with an underscore.
    rows = "T a_i, T a_c, T a_f, T a_o"
    return (
        cupy.ElementwiseKernel("T c_prev", f"{rows}, T c, T h", FORWARD, "nnlite_gates_forward"),
        cupy.ElementwiseKernel("T c_prev, T c, T dh", f"{rows}, T dc", BACKWARD, "nnlite_gates_backward"),
    )
