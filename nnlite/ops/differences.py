"""Central differences of feature maps: the fixed stencil [-1/2, 0, 1/2] with zero padding."""

from ..backend import get_array_module


def central_difference(x, axis):
    """Return (x[i+1] - x[i-1]) / 2 along `axis`, an axis counted from the end; x is zero outside."""
    out = get_array_module(x).zeros_like(x)
    half = 0.5 * x
    inner = (slice(None),) * (-1 - axis)
    first, last = (..., slice(None, -1), *inner), (..., slice(1, None), *inner)
    out[first] += half[last]
    out[last] -= half[first]
    return out


def central_difference_adjoint(g, axis):
    """Return Dᵀ g for the matrix D of `central_difference`, which is antisymmetric: Dᵀ = -D."""
    return -central_difference(g, axis)
