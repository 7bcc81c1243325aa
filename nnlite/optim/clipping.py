"""Gradient clipping, in place."""

import math

from .. import backend
from .step import pieces


def clip_by_value(grad, bound):
    """Limit every entry of the array `grad` to -bound..bound, in place.

    NaN stays NaN. ValueError unless bound >= 0. Source: torch.clamp as in the published main-mnist.lua.
    """
    if not bound >= 0:
        raise ValueError(f"clip_by_value: bound must not be negative, got {bound}")
    backend.get_array_module(grad).clip(grad, -float(bound), float(bound), out=grad)


def clip_by_norm(grad, max_norm):
    """Scale the array `grad` by max_norm / ‖grad‖₂ where that is below 1, in place.

    Returns ‖grad‖₂ before, a float (on the GPU this waits). It is summed in float64, so that a large
    float32 gradient does not overflow. A gradient that holds infinity or NaN is left as it is: no factor
    makes it usable, and the returned norm says so. ValueError unless max_norm >= 0.
    Source: Pascanu, Mikolov & Bengio 2013, Algorithm 1.
    """
    if not max_norm >= 0:
        raise ValueError(f"clip_by_norm: max_norm must not be negative, got {max_norm}")
    wide = (piece.astype("float64") for (piece,) in pieces(grad.reshape(-1)))
    norm = math.sqrt(sum(float(piece @ piece) for piece in wide))
    if max_norm < norm < math.inf:
        grad *= float(max_norm / norm)
    return norm
