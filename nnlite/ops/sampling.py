"""Bilinear sampling of images (B, H, W, D) at positions (B, h, w, 2).

Positions are (y, x), normalised so that -1 and +1 are the centres of the first and the last pixel. An output
pixel is a sum over its four neighbours; pixels outside the image count as zero:

    output[p] = Σ_k w_k(p) · image[index_k(p)],   w = (weight along y) · (weight along x).

With the weights as the rows of a sparse matrix A (four entries a row) this is output = A · image, the
gradient with respect to the image is Aᵀ · g, and the derivative by y (or x) has the same entries with the
weights along y (or x) replaced by their derivatives, -1 and +1.
"""

import numpy as np

from ..backend import get_array_module


def base_grid(height, width):
    """Return the positions of all pixels, (2, height, width) in float64, channel 0 = y, channel 1 = x.

    Written -1 + (i / (size - 1)) · 2 in this order: where a pixel lies a rounding error off its centre
    decides which of its two one-sided derivatives the sampler takes.
    """
    y, x = (-1.0 + np.arange(size) / max(size - 1, 1) * 2.0 for size in (height, width))
    return np.stack(np.broadcast_arrays(y[:, None], x[None, :]))


def sample(images, grids):
    """Return the images read at the positions `grids`, shape (B, h, w, D)."""
    index, (wy, wx), _ = _neighbours(grids, images.shape)
    out = _gather(images.reshape(-1, images.shape[-1]), index, _products(wy, wx))
    return out.reshape(*grids.shape[:-1], images.shape[-1])


def grad_images(shape, grids, grad_output):
    """Return the gradient of Σ grad_output ⊙ sample(images, grids) with respect to images of `shape`."""
    index, (wy, wx), _ = _neighbours(grids, shape)
    rows = grad_output.reshape(-1, shape[-1])
    return _scatter(rows, index, _products(wy, wx), shape[0] * shape[1] * shape[2]).reshape(shape)


def grad_grids(images, grids, grad_output):
    """Return the gradient of Σ grad_output ⊙ sample(images, grids) with respect to `grids`."""
    xp = get_array_module(images)
    _, height, width, depth = images.shape
    index, (wy, wx), (dy, dx) = _neighbours(grids, images.shape)
    pixels, rows = images.reshape(-1, depth), grad_output.reshape(-1, depth)
    grad = xp.empty((len(rows), 2), images.dtype)
    for axis, weights, size in ((0, _products(dy, wx), height), (1, _products(wy, dx), width)):
        slope = _dot_rows(_gather(pixels, index, weights), rows)
        grad[:, axis] = slope * (size - 1) / 2
    return grad.reshape(grids.shape)


def _neighbours(grids, shape):
    """Return the four neighbours of every position in a batch of images of `shape`.

    index: (P, 4) rows of the images seen as (B·H·W, D): top left, top right, bottom left, bottom right.
    Then, each for y and x, the pair of arrays (P,) that belong to the first and the second neighbour along
    the axis: the weights, and their derivatives by the pixel coordinate. Both are zero outside the image,
    where the index is that of some pixel inside.
    """
    xp = get_array_module(grids)
    batch, height, width, _ = shape
    places, weights, slopes = [], [], []
    for axis, size in ((0, height), (1, width)):
        coordinate = (grids[..., axis].reshape(-1) + 1) * (size - 1) / 2
        # Beyond one pixel outside all is zero; clipping keeps the integers below small.
        coordinate = xp.clip(coordinate, -2, size + 1)
        below = xp.floor(coordinate)
        fraction = coordinate - below
        with np.errstate(invalid="ignore"):  # NaN stays in the weights, its integer does not matter
            first = below.astype(np.int32)
        second = first + 1
        inside = [((i >= 0) & (i < size)).astype(grids.dtype) for i in (first, second)]
        places.append([xp.clip(i, 0, size - 1) for i in (first, second)])
        weights.append([(1 - fraction) * inside[0], fraction * inside[1]])
        slopes.append([-inside[0], inside[1]])
    (y0, y1), (x0, x1) = places
    start = xp.repeat(xp.arange(batch, dtype=np.int32) * (height * width), grids.shape[1] * grids.shape[2])
    y0, y1 = start + y0 * width, start + y1 * width
    index = xp.empty((len(start), 4), np.int32)
    for k, (y, x) in enumerate(((y0, x0), (y0, x1), (y1, x0), (y1, x1))):
        xp.add(y, x, out=index[:, k])
    return index, weights, slopes


def _products(along_y, along_x):
    """Return the (P, 4) products of the pairs along y and x, in the order of the neighbours."""
    xp = get_array_module(along_y[0])
    products = xp.empty((len(along_y[0]), 4), along_y[0].dtype)
    for k in range(4):
        xp.multiply(along_y[k // 2], along_x[k % 2], out=products[:, k])
    return products


def _gather(pixels, index, weights):
    """Return A · pixels: row p is Σ_k weights[p, k] · pixels[index[p, k]]."""
    xp = get_array_module(pixels)
    if xp is np:
        return _matrix(index, weights, len(pixels)) @ pixels
    weights = weights[..., None]
    # where: what is not read must not count, not even an infinite value
    return (weights * xp.where(weights == 0, 0, pixels[index])).sum(axis=1)


def _dot_rows(a, b):
    """Return Σ_d a[p, d] · b[p, d]."""
    # CuPy would make matrix products of this einsum, each of one row with one column.
    return np.einsum("pd,pd->p", a, b) if isinstance(a, np.ndarray) else (a * b).sum(axis=1)


def _scatter(rows, index, weights, count):
    """Return Aᵀ · rows: rows[p] times weights[p, k] added up in row index[p, k] of `count` rows."""
    xp = get_array_module(rows)
    if xp is np:
        return _matrix(index, weights, count).T @ rows
    weights = weights[..., None]
    out = xp.zeros((count, rows.shape[1]), rows.dtype)
    xp.add.at(out, index, weights * xp.where(weights == 0, 0, rows[:, None]))
    return out


def _matrix(index, weights, columns):
    """Return the sparse matrix A; on the CPU its products are several times faster than indexing."""
    from scipy.sparse import csr_array  # here, because it takes longer to import than the whole package

    starts = np.arange(0, index.size + 1, 4)
    matrix = csr_array((weights.flatten(), index.flatten(), starts), shape=(len(index), columns))
    matrix.eliminate_zeros()  # in place, hence the copies: pixels outside are not read
    return matrix
