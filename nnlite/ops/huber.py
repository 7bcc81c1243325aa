"""The Huber function and its derivative (eq. 2)."""

from ..backend import get_array_module


def huber(a, delta):
    """Return H_δ(a) = a² / 2 where |a| <= δ, δ (|a| - δ / 2) elsewhere."""
    xp = get_array_module(a)
    size = xp.abs(a)
    return xp.where(size <= delta, 0.5 * size * size, delta * (size - 0.5 * delta))


def huber_derivative(a, delta):
    """Return H'_δ(a) = a where |a| <= δ, δ sign(a) elsewhere."""
    return get_array_module(a).clip(a, -delta, delta)
