"""The copies between tiles and tiles with halo of `tiles` as one CUDA kernel each.

Copied piece by piece, from every neighbour on its own, they were half of all kernels of a training step. The
bodies are plain C over one element of the result; the tests compile them for the host and compare them with
the NumPy copies.
"""

from functools import cache

from ..backend import get_array_module

#: What both kernels are told: the sizes of a `Tiling`, the maps C, and the side L of a tile with its halo.
SIZES = ", ".join(
    f"int32 {name}" for name in ("images", "rows", "columns", "tile", "before_y", "before_x", "maps", "side")
)

#: Entry (y, x, c, b) of an array (SIDE, SIDE, C, B) in C order, and tile b = (row, column, n).
PLACE = """
    const int batch = rows * columns * images, at = i, b = at % batch, c = at / batch % maps;
    const int x = at / batch / maps % SIDE, y = at / batch / maps / SIDE;
    const int image = b % images, column = b / images % columns, row = b / images / columns;
"""

SPREAD = (
    PLACE.replace("SIDE", "side")
    + """
    const int py = row * tile + y - before_y, px = column * tile + x - before_x;  // in the image
    const bool inside = py >= 0 && px >= 0 && py < rows * tile && px < columns * tile;
    const int from = inside ? (py / tile * columns + px / tile) * images + image : 0;
    u = inside ? tiles[((py % tile * tile + px % tile) * maps + c) * batch + from] : T(0);
"""
)

FOLD = (
    PLACE.replace("SIDE", "tile")
    + """
    T total = 0;
    for (int up = -1; up <= 1; up++)
        for (int left = -1; left <= 1; left++) {
            const int from_row = row - up, from_y = y + before_y + up * tile;
            const int from_column = column - left, from_x = x + before_x + left * tile;
            if (from_row >= 0 && from_row < rows && from_y >= 0 && from_y < side && from_column >= 0
                && from_column < columns && from_x >= 0 && from_x < side)
                total += du[from_y * step_y + from_x * step_x + c * batch
                            + (from_row * columns + from_column) * images + image];
        }
    tiles = total;
"""
)


def spread(tiling, tiles, u):
    """Do as `Tiling.spread` does, on CuPy arrays; what no tile covers is set to zero. tiles: contiguous."""
    _kernels()[0](tiles, *_sizes(tiling, tiles, len(u)), u)


def fold(tiling, du, tiles):
    """Do as `Tiling.fold` does, on CuPy arrays, but for what lies past the image.

    du: (L, L, C, B), of contiguous (C, B).
    """
    steps = [step // du.itemsize for step in du.strides[:2]]
    reach = (len(du) - 1) * sum(steps) + du.shape[2] * du.shape[3]
    memory = get_array_module(du).lib.stride_tricks.as_strided(du, (reach,), (du.itemsize,))
    _kernels()[1](memory, *steps, *_sizes(tiling, tiles, len(du)), tiles)


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
        cupy.ElementwiseKernel(f"raw T tiles, {SIZES}", "T u", SPREAD, "nnlite_spread"),
        cupy.ElementwiseKernel(
            f"raw T du, int32 step_y, int32 step_x, {SIZES}", "T tiles", FOLD, "nnlite_fold"
        ),
    )
