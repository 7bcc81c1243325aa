"""How long each algorithm of convolution takes on a GPU, in seconds, estimated from the shapes alone.

The functions of `cost`, in place of which `estimates.on` returns this module. A GPU does one kernel after the
other, so an algorithm is a sum over its kernels, and each of these is limited by one of two rates: it takes

    max(operations / rate of products, bytes / rate of memory) + LAUNCH,

in which a product is rounded up to the squares of TILE x TILE outputs that cuBLAS computes at a time. That is
what sets a large batch apart: its products fill whole squares with small transforms as well, the spectra of
the weights are read once for all of it, and the transforms and copies, which grow with the halos, remain.

None of the rates has been measured here: they are 0.6 to 0.7 of an H100's data sheet (67 and 495 TFLOP/s,
3.35 TB/s). Only their ratios matter, which are much the same for an A100 and an H200.
`python -m benchmarks.gpu` measures them, and every estimate beside the time that it stands for.
"""

from functools import lru_cache

from .. import backend
from . import gemm, spectral, spectral_rows
from .cost import OPERATIONS as OPERATIONS
from .cost import candidate_tiles, candidate_tilings

#: Operations a second of matrix products, exact and with TF32.
PRODUCTS, PRODUCTS_TF32 = 45e12, 300e12

#: Bytes a second, read or written.
MEMORY = 2.2e12

#: Seconds from one kernel of a CUDA graph to the next.
LAUNCH = 2e-6

#: The side of the square of outputs that one block of a product computes.
TILE = 64

#: Bytes of a number.
FLOAT = 4


def product_seconds(count, rows, inner, columns, shared=False):
    """Return the time of `count` products (rows, inner) @ (inner, columns); shared: of one left factor."""
    rate = PRODUCTS_TF32 if backend.uses_tf32() else PRODUCTS
    whole = -(-rows // TILE) * -(-columns // TILE) * TILE * TILE
    numbers = (1 if shared else count) * rows * inner + count * (inner + rows) * columns
    return max(2 * count * whole * inner / rate, numbers * FLOAT / MEMORY) + LAUNCH


def copy_seconds(numbers):
    """Return the time of a kernel that reads and writes `numbers` in all."""
    return numbers * FLOAT / MEMORY + LAUNCH


def gemm_seconds(operation, shape, weight_shape, padding):
    """Return the time of one of OPERATIONS of `gemm` with stride 1; as `cost.gemm_seconds`."""
    (images, n_in, *size), (n_out, _, kh, kw) = shape, weight_shape
    height, width = gemm.output_size(size, (kh, kw), padding, (1, 1))
    if operation == "grad_input":
        n_in, n_out, (height, width) = n_out, n_in, size
    elif operation == "grad_weight":
        n_in, n_out = sorted((n_in, n_out))
    pixels = images * height * width
    if operation != "grad_weight" and gemm.multiplies_first(n_in, n_out, (kh, kw)):
        wide, products = images * (height + kh - 1) * (width + kw - 1), n_out * kh * kw
        return product_seconds(1, products, n_in, wide) + copy_seconds(products * wide + 4 * pixels * n_out)
    strips = copy_seconds((1 + 2 * kw) * pixels * n_in)
    if operation == "grad_weight":
        rows = copy_seconds(2 * pixels * n_out) + copy_seconds(height * n_out * kh * n_in * kw)
        return strips + rows + product_seconds(height, n_out, images * width, kh * n_in * kw)
    blocks = copy_seconds(3 * pixels * n_out)
    return strips + blocks + product_seconds(height, n_out, kh * n_in * kw, images * width, shared=True)


def rows_seconds(shape, weight_shape, padding):
    """Return the time of any one of the three operations of `spectral_rows`; as `cost.rows_seconds`."""
    (images, n_in, height, width), (n_out, _, kh, kw) = shape, weight_shape
    out_height, out_width = gemm.output_size(shape[2:], weight_shape[2:], padding, (1, 1))
    columns = -(-out_width // spectral_rows.SIDE)
    reals = (width // columns + padding[1]) // 2 * 2 + 2  # 2F
    strips, products = images * columns, kh * 2 * n_out * (height + 2 * padding[0])
    return (
        product_seconds(strips, reals, width, n_in * height, shared=True)
        + product_seconds(strips * reals // 2, kh * 2 * n_out, 2 * n_in, height)
        + 2 * copy_seconds(strips * reals // 2 * products)
        + product_seconds(strips, n_out * out_height, reals, out_width)
        + product_seconds(1, reals, kw, kh * n_in * n_out)
        + copy_seconds(8 * reals * kh * n_in * n_out)
    )


def frames_seconds(shape, weight_shape, padding):
    """Return the time of any one of the three operations of `spectral_frames`; shape: that of x."""
    return _tiling_seconds(shape, weight_shape, *choose_frame_tiling(shape, weight_shape, tuple(padding)))


def choose_frame_tiling(shape, weight_shape, padding):
    """Return the division of rows and of columns with the least time; as `cost.choose_frame_tiling`."""
    return _choose_frame_tiling(shape, weight_shape, padding, backend.uses_tf32())


@lru_cache
def _choose_frame_tiling(shape, weight_shape, padding, _tf32):
    pairs = candidate_tilings(shape, weight_shape, padding)
    return min(pairs, key=lambda pair: _tiling_seconds(shape, weight_shape, *pair))


def _tiling_seconds(shape, weight_shape, rows, columns):
    """Return the time of `spectral_frames` with one division, kernel by kernel."""
    (images, n_in, height, _), n_out = shape, weight_shape[0]
    strips, half, length = images * columns.count, columns.half, rows.length
    tiles, frequencies = strips * rows.count, columns.half * rows.length
    return (
        product_seconds(strips, 2 * half, columns.length, n_in * height, shared=True)
        + copy_seconds(4 * tiles * half * rows.reach * n_in)
        + product_seconds(half * tiles, 2 * length, 2 * rows.reach, n_in, shared=True)
        + product_seconds(frequencies, tiles, 2 * n_in, 2 * n_out)
        + product_seconds(half * tiles, 2 * rows.tile, 2 * length, n_out, shared=True)
        + product_seconds(strips, columns.tile, 2 * half, n_out * rows.outputs, shared=True)
        + copy_seconds(6 * frequencies * 2 * n_in * n_out)
    )


def choose_tile(height, width, images, kernel, n_in, n_out):
    """Return the tile size m with the least `spectral_step_seconds`; as `cost.choose_tile`."""
    candidates = candidate_tiles(height, width, kernel)
    return min(candidates, key=lambda m: spectral_step_seconds(m, height, width, images, kernel, n_in, n_out))


def spectral_step_seconds(tile, height, width, images, kernel, n_in, n_out):
    """Return the time of one step of `spectral.SpectralConvolution`, forward and backward, with its tiles.

    The weight gradient counts as if made after every step, whose spectra are then as large as its products.
    """
    padding = spectral.whole_map_padding(tile, height, width, kernel)
    length = spectral.transform_length(tile, kernel, padding)
    half, side = length // 2 + 1, length if padding is None else tile
    batch, frequencies = -(-height // tile) * -(-width // tile) * images, half * length
    once = (
        product_seconds(1, 2 * half, side, side * n_in * batch)
        + product_seconds(half, 4 * length, 2 * side, n_in * batch, shared=True)
        + product_seconds(half, 2 * tile, 2 * length, n_out * batch, shared=True)
        + product_seconds(1, tile, 2 * half, tile * n_out * batch)
        + copy_seconds(2 * side * side * n_in * batch)  # tiles with their halos
        + copy_seconds(8 * tile * tile * n_out * batch)  # the gates
    )
    kept = copy_seconds(4 * frequencies * n_in * batch) + copy_seconds(4 * frequencies * n_out * batch)
    spectra = product_seconds(frequencies, n_out, 2 * n_in, batch)
    spectra += product_seconds(frequencies, 2 * n_in, n_out, batch)
    gradient = product_seconds(frequencies, 2 * n_out, batch, 2 * n_in)
    return 2 * once + kept + 2 * spectra + gradient
