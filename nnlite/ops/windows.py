"""Rectangles of feature maps padded with a constant."""

from ..backend import get_array_module


def window(x, rows, columns, fill=0.0):
    """Return some rows and columns of the maps x (..., H, W), which have the value `fill` outside.

    rows, columns: (start, stop); start may be negative and stop beyond the size. The result is a view of x if
    nothing has to be filled in, and a new array otherwise.
    """
    (top, bottom), (left, right) = rows, columns
    height, width = x.shape[-2:]
    inside = x[..., max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    if top >= 0 and left >= 0 and bottom <= height and right <= width:
        return inside
    filled = get_array_module(x).full((*x.shape[:-2], bottom - top, right - left), fill, x.dtype)
    down, across = max(-top, 0), max(-left, 0)
    filled[..., down : down + inside.shape[-2], across : across + inside.shape[-1]] = inside
    return filled


def add_window(x, rows, columns, values):
    """Add values to some rows and columns of the maps x, dropping those outside: the adjoint of `window`."""
    (top, bottom), (left, right) = rows, columns
    inside = x[..., max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    down, across = max(-top, 0), max(-left, 0)
    inside += values[..., down : down + inside.shape[-2], across : across + inside.shape[-1]]
