"""Gradient clipping, in place."""

import math

from .. import backend
from ..ops import get_ops, threads
from ..ops.blas import single_blas_thread
from ..typing import Array


def clip_by_value(grad: Array, bound: float) -> None:
    """Clip every entry of the array `grad` to -bound..bound, in place.

    NaN stays NaN. ValueError unless bound >= 0. Source: torch.clamp as in the published main-mnist.lua.

        >>> from nnlite import optim
        >>> gradient = np.float32([-100, 2])
        >>> optim.clip_by_value(gradient, 50)
        >>> gradient.tolist()
        [-50.0, 2.0]
    """
    if not bound >= 0:
        raise ValueError(f"clip_by_value: bound must not be negative, got {bound}")
    clip, bound = backend.get_array_module(grad).clip, float(bound)
    _change(grad, lambda g: clip(g, -bound, bound, out=g))


def clip_by_norm(grad: Array, max_norm: float) -> float:
    """Scale the array `grad` by max_norm / ‖grad‖₂ where that is below 1, in place.

    Returns ‖grad‖₂ before clipping as a float (which waits for the GPU). It is summed in float64, so that a
    large float32 gradient does not overflow. A gradient that contains infinity or NaN is left unchanged: no
    factor makes it usable, and the returned norm reveals it. ValueError unless max_norm >= 0.
    Source: Pascanu, Mikolov & Bengio 2013, Algorithm 1.
    """
    if not max_norm >= 0:
        raise ValueError(f"clip_by_norm: max_norm must not be negative, got {max_norm}")
    flat, ops = grad.reshape(-1), get_ops(grad)
    blocks = list(ops.blocked(slice(0, flat.size), threads.ELEMENTS))

    def square(one):
        wide = flat[blocks[one.start]].astype("float64")
        return float(wide @ wide)

    with single_blas_thread():
        norm = math.sqrt(sum(ops.parallel_for(square, len(blocks), 1)))
    if max_norm < norm < math.inf:
        xp, factor = backend.get_array_module(grad), float(max_norm / norm)
        _change(grad, lambda g: xp.multiply(g, factor, out=g))
    return norm


def _change(array, work):
    """Call `work`, which changes every element for itself, on all of an array."""
    if array.flags.c_contiguous:
        get_ops(array).by_elements(work, array.reshape(-1))
    else:
        work(array)
