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
    if grad.flags.c_contiguous:
        grad = grad.reshape(-1)
        get_ops(grad).by_elements(lambda g: clip(g, -bound, bound, out=g), grad)
    else:
        clip(grad, -bound, bound, out=grad)


def clip_by_norm(grad: Array, max_norm: float) -> float:
    """Scale the array `grad` by max_norm / ‖grad‖₂ where that is below 1, in place.

    Returns ‖grad‖₂ before clipping as a float (which waits for the GPU). It is summed in float64, so that a
    large float32 gradient does not overflow. A gradient that contains infinity or NaN is left unchanged: no
    factor makes it usable, and the returned norm reveals it. ValueError unless max_norm >= 0.
    Source: Pascanu, Mikolov & Bengio 2013, Algorithm 1.
    """
    if not max_norm >= 0:
        raise ValueError(f"clip_by_norm: max_norm must not be negative, got {max_norm}")
    flat = grad.reshape(-1)
    blocks = get_ops(grad).blocked(slice(0, flat.size), threads.ELEMENTS)
    with single_blas_thread():
        norm = math.sqrt(sum(float(wide @ wide) for wide in (flat[at].astype("float64") for at in blocks)))
    if max_norm < norm < math.inf:
        grad *= float(max_norm / norm)
    return norm
