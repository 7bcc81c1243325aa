"""The optimiser updates of `updates` as one CUDA kernel each, so that every number is read and written once.

The bodies are plain C over one element, in the names of the formulas; the tests compile them for the host and
compare them with the NumPy updates.
"""

from functools import cache

ADAM = """
    m = beta1 * m + (T(1) - beta1) * g;
    v = beta2 * v + (T(1) - beta2) * g * g;
    x -= rate * m / (sqrt(v) + epsilon);
"""

NESTEROV = """
    m = mu * m + (T(1) - mu) * g;
    u = mu * m + (T(1) - mu) * g;
"""


def adam(x, g, m, v, rate, options):
    """Do the same as `updates.adam`, on CuPy arrays."""
    _kernels()[0](g, rate, options.beta1, options.beta2, options.epsilon, x, m, v)


def nesterov(u, g, m, momentum):
    """Do the same as `updates.nesterov`, on CuPy arrays."""
    _kernels()[1](g, momentum, m, u)


@cache
def _kernels():
    import cupy

    return (
        cupy.ElementwiseKernel(
            "T g, T rate, T beta1, T beta2, T epsilon", "T x, T m, T v", ADAM, "nnlite_adam"
        ),
        cupy.ElementwiseKernel("T g, T mu", "T m, T u", NESTEROV, "nnlite_nesterov"),
    )
