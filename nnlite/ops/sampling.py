"""Bilinear sampling of images (B, H, W, D) at positions (B, h, w, 2).

Positions are (y, x), normalised so that -1 and +1 are the centres of the first and the last pixel. An output
pixel is a sum over its four neighbours; pixels outside the image count as zero:

    output[p] = Σ_k w_k(p) · image[index_k(p)],   w = (weight along y) · (weight along x).

With the weights as the rows of a sparse matrix A (four entries per row) this is output = A · image, the
gradient with respect to the image is Aᵀ · g, and the derivative with respect to y (or x) has the same entries
with the weights along y (or x) replaced by their derivatives, -1 and +1.
"""

import numpy as np

from ..backend import get_array_module
from . import get_ops


def base_grid(height, width):
    """Return the positions of all pixels, (2, height, width) in float64, channel 0 = y, channel 1 = x.

    Computed as -1 + (i / (size - 1)) · 2 in exactly this order: the rounding error of a pixel's position
    decides which of the two one-sided derivatives the sampler takes there.
    """
    y, x = (-1.0 + np.arange(size) / max(size - 1, 1) * 2.0 for size in (height, width))
    return np.stack(np.broadcast_arrays(y[:, None], x[None, :]))


def sample(images, grids):
    """Return the images read at the positions `grids`, shape (B, h, w, D)."""
    index, (wy, wx), _ = _neighbours(grids, images.shape)
    out = get_ops(images).weighted_gather(images.reshape(-1, images.shape[-1]), index, _products(wy, wx))
    return out.reshape(*grids.shape[:-1], images.shape[-1])


def grad_images(shape, grids, grad_output):
    """Return the gradient of Σ grad_output ⊙ sample(images, grids) with respect to images of `shape`."""
    index, (wy, wx), _ = _neighbours(grids, shape)
    rows = grad_output.reshape(-1, shape[-1])
    count = shape[0] * shape[1] * shape[2]
    return get_ops(rows).weighted_scatter(rows, index, _products(wy, wx), count).reshape(shape)


def grad_grids(images, grids, grad_output):
    """Return the gradient of Σ grad_output ⊙ sample(images, grids) with respect to `grids`."""
    ops = get_ops(images)
    _, height, width, depth = images.shape
    index, (wy, wx), (dy, dx) = _neighbours(grids, images.shape)
    pixels, rows = images.reshape(-1, depth), grad_output.reshape(-1, depth)
    grad = ops.xp.empty((len(rows), 2), images.dtype)
    for axis, weights, size in ((0, _products(dy, wx), height), (1, _products(wy, dx), width)):
        slope = ops.dot_rows(ops.weighted_gather(pixels, index, weights), rows)
        grad[:, axis] = slope * (size - 1) / 2
    return grad.reshape(grids.shape)


def _neighbours(grids, shape):
    """Return the four neighbours of every position in a batch of images of `shape`.

    index: (P, 4) rows of the images seen as (B·H·W, D): top left, top right, bottom left, bottom right.
    Then, each for y and x, the pair of arrays (P,) that belong to the first and the second neighbour along
    the axis: the weights, and their derivatives with respect to the pixel coordinate. Both are zero outside
    the image, where the index is that of some pixel inside.
    """
    xp = get_array_module(grids)
    batch, height, width, _ = shape
    places, weights, slopes = [], [], []
    for axis, size in ((0, height), (1, width)):
        coordinate = (grids[..., axis].reshape(-1) + 1) * (size - 1) / 2
        # More than one pixel outside everything is zero; clipping keeps the integers below small.
        coordinate = xp.clip(coordinate, -2, size + 1)
        below = xp.floor(coordinate)
        fraction = coordinate - below
        with np.errstate(invalid="ignore"):  # NaN stays in the weights; its integer does not matter
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
