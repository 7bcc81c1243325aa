"""The copies of `tiles` for CuPy: those between tiles and tiles with halo are one CUDA kernel each.

Copied neighbour by neighbour, they were half of all kernels of a training step. The bodies are plain C over
one element of the result; the tests compile them for the host and compare them with the NumPy copies.
"""

from functools import cache

from ..backend import get_array_module
from .tiles import merge_leading

#: Arguments of both kernels: the sizes of a `Tiling`, the channels C, and the side L of a tile with its halo.
SIZES = ", ".join(
    f"int32 {name}"
    for name in ("images", "rows", "columns", "tile", "before_y", "before_x", "channels", "side")
)

#: Entry (y, x, c, b) of an array (SIDE, SIDE, C, B) in C order, and tile b = (row, column, n).
PLACE = """
    const int batch = rows * columns * images, at = i, b = at % batch, c = at / batch % channels;
    const int x = at / batch / channels % SIDE, y = at / batch / channels / SIDE;
    const int image = b % images, column = b / images % columns, row = b / images / columns;
"""

GATHER_HALO = (
    PLACE.replace("SIDE", "side")
    + """
    const int py = row * tile + y - before_y, px = column * tile + x - before_x;  // in the image
    const bool inside = py >= 0 && px >= 0 && py < rows * tile && px < columns * tile;
    const int from = inside ? (py / tile * columns + px / tile) * images + image : 0;
    u = inside ? tiles[((py % tile * tile + px % tile) * channels + c) * batch + from] : T(0);
"""
)

OVERLAP_ADD = (
    PLACE.replace("SIDE", "tile")
    + """
    T total = 0;
    for (int up = -1; up <= 1; up++)
        for (int left = -1; left <= 1; left++) {
            const int from_row = row - up, from_y = y + before_y + up * tile;
            const int from_column = column - left, from_x = x + before_x + left * tile;
            if (from_row >= 0 && from_row < rows && from_y >= 0 && from_y < side && from_column >= 0
                && from_column < columns && from_x >= 0 && from_x < side)
                total += du[from_y * stride_y + from_x * stride_x + c * batch
                            + (from_row * columns + from_column) * images + image];
        }
    tiles = total;
"""
)


def to_tiles(tiling, x, tiles):
    """Do the same as `tiles.to_tiles`, on CuPy arrays."""
    x, tiles = merge_leading(x), merge_leading(tiles)
    if tiling.ragged:
        tiles.fill(0)
    for image, part in tiling.pairs(x, tiles):
        part[...] = image


def from_tiles(tiling, tiles, x):
    """Do the same as `tiles.from_tiles`, on CuPy arrays."""
    for image, part in tiling.pairs(merge_leading(x), merge_leading(tiles)):
        image[...] = part


def gather_halo(tiling, tiles, u):
    """Do the same as `tiles.gather_halo`, on CuPy arrays; whatever no tile covers is set to zero.

    tiles: contiguous.
    """
    _kernels()[0](tiles, *_sizes(tiling, tiles, len(u)), u)


def overlap_add(tiling, du, tiles):
    """Do the same as `tiles.overlap_add`, on CuPy arrays. du: (L, L, C, B), of contiguous (C, B)."""
    strides = [stride // du.itemsize for stride in du.strides[:2]]
    extent = (len(du) - 1) * sum(strides) + du.shape[2] * du.shape[3]
    memory = get_array_module(du).lib.stride_tricks.as_strided(du, (extent,), (du.itemsize,))
    _kernels()[1](memory, *strides, *_sizes(tiling, tiles, len(du)), tiles)
    tiling.clear_outside(tiles)


def _sizes(tiling, tiles, side):
    """Return the numbers of SIZES."""
    return (
        *(tiling.images, tiling.rows, tiling.columns, tiling.tile),
        *(tiling.before[0], tiling.before[1], tiles.shape[2], side),
    )


@cache
def _kernels():
    import cupy

    return (
        cupy.ElementwiseKernel(f"raw T tiles, {SIZES}", "T u", GATHER_HALO, "nnlite_gather_halo"),
        cupy.ElementwiseKernel(
            f"raw T du, int32 stride_y, int32 stride_x, {SIZES}",
            "T tiles",
            OVERLAP_ADD,
            "nnlite_overlap_add",
        ),
    )
