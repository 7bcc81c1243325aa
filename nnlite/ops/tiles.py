"""Images divided into tiles, with the halo of neighbouring pixels that a convolution needs.

Images (N, C, H, W) become tiles (m, m, C, B), B = rows of tiles x columns of tiles x N: the layout of
`spectral`. Where m does not divide H or W the last tiles extend past the image; there they are kept at zero
(`clear_outside`). The four copies at the end are NumPy's, those of CuPy are in `tiles_cuda`.
"""

from dataclasses import dataclass

import numpy as np

from .threads import parallel_for

#: How many numbers lie between the rows of a scratch array: a line of the cache in float32.
PADDING = 16


@dataclass(frozen=True)
class Tiling:
    """How images of one size are divided: tile size m, halo (before, after) of each axis."""

    images: int
    height: int
    width: int
    tile: int
    before: tuple
    after: tuple

    @property
    def rows(self):
        """The number of tiles one below the other."""
        return -(-self.height // self.tile)

    @property
    def columns(self):
        """The number of tiles side by side."""
        return -(-self.width // self.tile)

    @property
    def batch(self):
        """The number of tiles of all images, B."""
        return self.rows * self.columns * self.images

    @property
    def ragged(self):
        """Whether some tiles extend past the image."""
        return self.height % self.tile != 0 or self.width % self.tile != 0

    def clear_outside(self, tiles):
        """Set everything past the image to zero."""
        if self.ragged:
            grid = self.grid(tiles)
            grid[self.height - (self.rows - 1) * self.tile :, :, :, -1] = 0
            grid[:, self.width - (self.columns - 1) * self.tile :, :, :, -1] = 0

    def grid(self, tiles):
        """Return a view with B split into (rows, columns, N)."""
        return tiles.reshape(*tiles.shape[:-1], self.rows, self.columns, self.images)

    def pairs(self, x, tiles):
        """Yield, tile by tile, the views (..., N, C, h, w) of x and of tiles that hold the same pixels."""
        grid, m = self.grid(tiles), self.tile
        for row in range(self.rows):
            for column in range(self.columns):
                image = x[..., row * m : (row + 1) * m, column * m : (column + 1) * m]
                h, w = image.shape[-2:]
                part = grid[..., :h, :w, :, row, column, :]
                yield image, part.swapaxes(-1, -4).swapaxes(-2, -3).swapaxes(-1, -2)

    def neighbours(self):
        """Return the copies of `gather_halo`, per axis (to, from, to tile, from tile); the centre first."""
        m = self.tile
        axes = []
        for before, after in zip(self.before, self.after):
            copies = [(slice(before, before + m), slice(0, m), slice(None), slice(None))]
            if before:
                copies.append((slice(0, before), slice(m - before, m), slice(1, None), slice(None, -1)))
            if after:
                copies.append(
                    (slice(before + m, before + m + after), slice(0, after), slice(None, -1), slice(1, None))
                )
            axes.append(copies)
        return [(y, x) for y in axes[0] for x in axes[1]]


def to_tiles(tiling, x, tiles):
    """Copy images x (..., N, C, H, W) into tiles (..., m, m, C, B)."""
    x, tiles = merge_leading(x), merge_leading(tiles)

    def copy(channels):
        scratch = _scratch(tiles[..., channels, :], pixels_first=False)
        for x_step, tiles_step in zip(x[:, :, channels], tiles[..., channels, :]):
            for image, part in tiling.pairs(x_step, scratch):
                part[...] = image
            tiles_step[...] = scratch

    parallel_for(copy, x.shape[2])


def from_tiles(tiling, tiles, x):
    """Copy tiles (..., m, m, C, B) back into images x (..., N, C, H, W)."""
    x, tiles = merge_leading(x), merge_leading(tiles)

    def copy(channels):
        scratch = _scratch(tiles[..., channels, :], pixels_first=True)
        for x_step, tiles_step in zip(x[:, :, channels], tiles[..., channels, :]):
            scratch[...] = tiles_step
            for image, part in tiling.pairs(x_step, scratch):
                image[...] = part

    parallel_for(copy, x.shape[2])


def gather_halo(tiling, tiles, u):
    """Copy tiles (m, m, C, B) with their neighbours' pixels into u (L, L, C, B).

    Pixels of u that no tile covers are not written: they must be zero beforehand.
    """
    source, target = tiling.grid(tiles), tiling.grid(u)
    for (to_y, from_y, to_row, from_row), (to_x, from_x, to_column, from_column) in tiling.neighbours():
        target[to_y, to_x, :, to_row, to_column] = source[from_y, from_x, :, from_row, from_column]


def overlap_add(tiling, du, tiles):
    """Add every entry of du (L, L, C, B) to the pixel of tiles (m, m, C, B) that `gather_halo` read it from.

    Its adjoint; whatever `tiles` held before is overwritten.
    """
    source, target = tiling.grid(du), tiling.grid(tiles)
    first = True
    for (to_y, from_y, to_row, from_row), (to_x, from_x, to_column, from_column) in tiling.neighbours():
        place = target[from_y, from_x, :, from_row, from_column]
        values = source[to_y, to_x, :, to_row, to_column]
        if first:
            place[...] = values
        else:
            place += values
        first = False
    tiling.clear_outside(tiles)


def merge_leading(x):
    """Return a view of images (..., N, C, H, W), or of tiles, with all leading axes as one."""
    return x.reshape(-1, *x.shape[-4:])


def _scratch(tiles, pixels_first):
    """Return tiles of zeros (m, m, C, B) for one step, for a transposing copy to pass through.

    Such a copy jumps through what it reads. In images and tiles the jumps are powers of two, which share
    a few sets of the cache, so what it reads is first brought into rows that are a little longer: a row
    for each pixel, or for each channel of each image.
    """
    m, _, channels, batch = tiles.shape[-4:]
    pixels, images = m * m, channels * batch
    rows, columns = (pixels, images) if pixels_first else (images, pixels)
    scratch = np.zeros((rows, columns + PADDING), tiles.dtype)[:, :columns]
    return (scratch if pixels_first else scratch.T).reshape(m, m, channels, batch)
