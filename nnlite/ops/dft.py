"""The two-dimensional DFT of many small real images as matrix products.

Images lie in memory as (rows, columns, batch), where `batch` holds all axes that are not transformed. With
ω = e^{-2πi/L}, the transform over rows is one product with a (2F, rows) matrix, F = L/2 + 1 (a real image
needs only half the spectrum), and the transform over columns, complex in and out, one with a
(2L, 2·columns) matrix per row frequency. Real and imaginary parts are interleaved in the matrices' rows
and columns so that every product reads and writes contiguous arrays and nothing is ever transposed:

    (rows, columns, batch) -> (F, 2, columns, batch) -> (F, L, 2, batch)
"""

import numpy as np


def rows_forward(length, rows, offset=0):
    """Return the (2F, rows) matrix of the half-spectrum DFT of real rows at offset.. offset + rows - 1."""
    phase = _phase(np.arange(length // 2 + 1), offset + np.arange(rows), length)
    return np.stack([np.cos(phase), -np.sin(phase)], axis=1).reshape(2 * len(phase), rows)


def columns_forward(length, columns, offset=0):
    """Return the (L·2, 2·columns) matrix of the complex DFT; rows (frequency, re/im), columns (re/im, j)."""
    phase = _phase(np.arange(length), offset + np.arange(columns), length)
    cos, sin = np.cos(phase), np.sin(phase)
    return np.stack([np.hstack([cos, sin]), np.hstack([-sin, cos])], axis=1).reshape(2 * length, 2 * columns)


def columns_forward_twice(length, columns, offset=0):
    """Return the (L·4, 2·columns) matrix that yields x̂ like `columns_forward`, and then -i x̂.

    Rows are (frequency, re/im/im/-re).
    """
    once = columns_forward(length, columns, offset).reshape(length, 2, -1)
    real, imaginary = once[:, 0], once[:, 1]
    return np.stack([real, imaginary, imaginary, -real], axis=1).reshape(-1, 2 * columns)


def rows_inverse(length, rows, offset=0):
    """Return the (rows, 2F) matrix that turns a half spectrum into the real rows offset.. offset + rows - 1.

    The other half is the complex conjugate: every frequency except 0 and L/2 counts twice.
    """
    phase = _phase(offset + np.arange(rows), np.arange(length // 2 + 1), length)
    twice = np.full(length // 2 + 1, 2.0)
    twice[0] = 1.0
    if length % 2 == 0:
        twice[-1] = 1.0
    cos, sin = twice * np.cos(phase) / length, twice * np.sin(phase) / length
    return np.stack([cos, -sin], axis=2).reshape(rows, -1)


def columns_inverse(length, columns, offset=0):
    """Return the (2·columns, L·2) matrix of the inverse complex DFT, ordered as `columns_forward`."""
    phase = _phase(offset + np.arange(columns), np.arange(length), length)
    cos, sin = np.cos(phase) / length, np.sin(phase) / length
    real = np.stack([cos, -sin], axis=2).reshape(columns, -1)
    imaginary = np.stack([sin, cos], axis=2).reshape(columns, -1)
    return np.vstack([real, imaginary])


def _phase(a, b, length):
    """Return the angles 2π a b / L, the product reduced modulo L while it is still an integer."""
    return 2.0 * np.pi * (np.outer(a, b) % length) / length
