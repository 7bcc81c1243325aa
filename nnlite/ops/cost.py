"""How long each algorithm of convolution takes, in seconds, estimated from the shapes alone.

`convolution.choose` and `SeqConvLSTM` take the algorithm with the lowest estimate. All rates were measured in
float32 on two cores of a CPU, and only their ratios matter. For a GPU `cost_gpu` has the same functions.
"""

from functools import lru_cache

from . import gemm, spectral, spectral_rows
from .overlap import Axis

#: Of `gemm`: the time of a multiplication, of a number gathered from the input, of one of the products that
#: are shifted and added when multiplying first, of one of the output, and of all calls.
GEMM_MULTIPLICATION, GEMM_GATHERED, GEMM_PRODUCT, GEMM_OUTPUT, GEMM_CALLS = (
    1 / 134e9,
    0.50e-9,
    0.45e-9,
    0.30e-9,
    30e-6,
)

#: Of `spectral_rows`: of a multiplication, of moving a number, of a number of the weights' spectra, and of
#: all calls.
ROWS_MULTIPLICATION, ROWS_MOVE, ROWS_WEIGHT, ROWS_CALLS = 1 / 117e9, 0.146e-9, 2.6e-9, 54e-6

#: A matrix product with fewer rows takes as long as one with this many.
LEAST_ROWS = 8

#: The same for `spectral_frames`: of a multiplication in the transforms and in the products of spectra, of
#: moving a number, of a number of the weights' spectra, and of all calls.
FRAME_TRANSFORM, FRAME_PRODUCT, FRAME_MOVE, FRAME_WEIGHT, FRAME_CALLS = (
    1 / 225e9,
    1 / 115e9,
    1 / 1.6e9,
    1 / 6e9,
    300e-6,
)

#: The smallest and the largest tiles that `choose_frame_tiling` considers.
LEAST_TILE, LARGEST_TILE = 8, 24

#: What `gemm_seconds` estimates.
OPERATIONS = "forward", "grad_input", "grad_weight"


def gemm_seconds(operation, shape, weight_shape, padding):
    """Return the time of one of OPERATIONS of `gemm` with stride 1.

    shape: that of x, (N, n_in, H, W). All three are correlations: of x, of the gradient, or, for the weight,
    of whichever of the two has fewer channels.
    """
    (images, n_in, *size), (n_out, _, kh, kw) = shape, weight_shape
    height, width = gemm.output_size(size, (kh, kw), padding, (1, 1))
    if operation == "grad_input":
        n_in, n_out, (height, width) = n_out, n_in, size
    elif operation == "grad_weight":
        n_in, n_out = sorted((n_in, n_out))
    if operation != "grad_weight" and gemm.multiplies_first(n_in, n_out, (kh, kw)):
        products = images * (height + kh - 1) * (width + kw - 1) * n_out * kh * kw
        return products * (n_in * GEMM_MULTIPLICATION + GEMM_PRODUCT) + GEMM_CALLS
    pixels, gathered = images * height * width, n_in * kw
    products = gathered * (max(n_out, LEAST_ROWS) * kh * GEMM_MULTIPLICATION + GEMM_GATHERED)
    return pixels * (products + n_out * GEMM_OUTPUT) + GEMM_CALLS


def rows_seconds(shape, weight_shape, padding):
    """Return the time of any one of the three operations of `spectral_rows`.

    shape: that of x. Counts the multiplications of the two DFTs and of the products with the kernel rows, the
    moves of all spectra and products, and for the weight its DFT and the arrangement of its blocks.
    """
    (images, n_in, height, width), (n_out, _, kh, kw) = shape, weight_shape
    out_height, out_width = gemm.output_size(shape[2:], weight_shape[2:], padding, (1, 1))
    columns = -(-out_width // spectral_rows.SIDE)
    reals = (width // columns + padding[1]) // 2 * 2 + 2  # 2F
    dft_products = reals * (n_in * height * width + n_out * out_height * out_width)
    products = columns * reals * 2 * n_in * n_out * kh * height
    moves = columns * reals * (n_in * height + n_out * kh * (height + out_height))
    weights = reals * kh * n_in * n_out
    multiplications = images * (dft_products + products) + weights * kw
    moved = images * moves * ROWS_MOVE + weights * ROWS_WEIGHT
    return multiplications * ROWS_MULTIPLICATION + moved + ROWS_CALLS


def frames_seconds(shape, weight_shape, padding):
    """Return the time of any one of the three operations of `spectral_frames`; shape: that of x."""
    return _tiling_seconds(shape, weight_shape, *choose_frame_tiling(shape, weight_shape, tuple(padding)))


@lru_cache
def choose_frame_tiling(shape, weight_shape, padding):
    """Return the division of rows and of columns, two `Axis`, with the least time in `spectral_frames`."""
    pairs = candidate_tilings(shape, weight_shape, padding)
    return min(pairs, key=lambda pair: _tiling_seconds(shape, weight_shape, *pair))


def candidate_tilings(shape, weight_shape, padding):
    """Return pairs of `Axis`: each axis of the output in equal tiles of LEAST_TILE to LARGEST_TILE."""
    sizes = (
        shape[2:],
        gemm.output_size(shape[2:], weight_shape[2:], padding, (1, 1)),
        weight_shape[2:],
        padding,
    )
    candidates = [
        [Axis(n, outputs, k, p, tile) for tile in _tiles(outputs)] for n, outputs, k, p in zip(*sizes)
    ]
    return [(rows, columns) for rows in candidates[0] for columns in candidates[1]]


def _tiles(outputs):
    tiles = dict.fromkeys(-(-outputs // count) for count in range(1, outputs + 1))
    return [m for m in tiles if LEAST_TILE <= m <= LARGEST_TILE] or [min(outputs, LARGEST_TILE)]


def _tiling_seconds(shape, weight_shape, rows, columns):
    """Return the time of `spectral_frames` with one division: the products of all stages, and the moves."""
    (images, n_in, height, _), n_out = shape, weight_shape[0]
    strips, reals = images * columns.count, 2 * columns.half
    tiles, frequencies = strips * rows.count, columns.half * rows.length
    transforms = strips * reals * (columns.length * n_in * height + columns.tile * n_out * rows.outputs)
    transforms += tiles * columns.half * 4 * rows.length * (rows.reach * n_in + rows.tile * n_out)
    products = tiles * frequencies * 4 * n_in * n_out
    moves = strips * reals * (height * n_in + rows.outputs * n_out)
    moves += tiles * frequencies * 2 * (2 * n_in + n_out)
    weights = frequencies * 4 * n_in * n_out
    return (
        FRAME_CALLS
        + transforms * FRAME_TRANSFORM
        + products * FRAME_PRODUCT
        + moves * FRAME_MOVE
        + weights * FRAME_WEIGHT
    )


def choose_tile(height, width, images, kernel, n_in, n_out):
    """Return the tile size m with the least `spectral_step_seconds`."""
    candidates = candidate_tiles(height, width, kernel)
    return min(candidates, key=lambda m: spectral_step_seconds(m, height, width, images, kernel, n_in, n_out))


def candidate_tiles(height, width, kernel):
    """Return the sizes that divide the longer side into 1, 2, 3, ... equal tiles, none below the halo."""
    side, halo = max(height, width), max(kernel - 1, 1)
    tiles = [-(-side // count) for count in range(1, side + 1)]
    return [m for m in dict.fromkeys(tiles) if m >= halo] or [halo]


def spectral_step_seconds(tile, height, width, images, kernel, n_in, n_out):
    """Return the time of one step of `spectral.SpectralConvolution`, forward and backward.

    The estimate adds three products per frequency (forward and the two gradients), twice the weights' spectra
    and twice the transforms, and half a millisecond for all the calls. The rates were fitted to 48
    combinations of tile, batch and channels on two cores of a CPU with AVX-512 and to the same with AVX2.
    They reproduce those times within 16% (root mean square); the tiles chosen took 3% longer than the best.
    """
    padding = spectral.whole_map_padding(tile, height, width, kernel)
    length = spectral.transform_length(tile, kernel, padding)
    half, side = length // 2 + 1, length if padding is None else tile
    batch = -(-height // tile) * -(-width // tile) * images
    weights = 2 * length * half * n_in * n_out
    transforms_in = half * side * (4 * side + 16 * length)
    transforms_out = half * tile * (4 * tile + 8 * length)
    transforms = batch * (transforms_in * n_in + transforms_out * n_out)
    return 500e-6 + 3 * 4 * weights * batch / 180e9 + 2 * (4 * weights / 23e9 + transforms / 150e9)
