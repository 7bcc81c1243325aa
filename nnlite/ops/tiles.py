"""Maps cut into tiles, with the halo of neighbouring pixels that a convolution needs.

Images (N, C, H, W) become tiles (m, m, C, B), B = rows of tiles x columns of tiles x N: the layout of
`spectral`. Where m does not divide H or W the last tiles reach past the image; what lies there is kept
at zero (`clear_outside`).
"""

from dataclasses import dataclass

import numpy as np

from ..backend import get_array_module
from . import tiles_cuda
from .threads import split

#: How many numbers lie between the rows of a scratch array: a line of the cache in float32.
PADDING = 16


@dataclass(frozen=True)
class Tiling:
    """How images of one size are cut: tile size m, halo (before, after) of each axis."""

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
        """Whether some tiles reach past the image."""
        return self.height % self.tile != 0 or self.width % self.tile != 0

    def cut(self, x, tiles, xp):
        """Copy images x (..., N, C, H, W) into tiles (..., m, m, C, B)."""
        x, tiles = _steps(x), _steps(tiles)
        if xp is not np:
            if self.ragged:
                tiles.fill(0)
            for image, part in self._parts(x, tiles):
                part[...] = image
            return

        def piece(steps):
            staged = self._staged(tiles, pixels_first=False)
            for x_step, tiles_step in zip(x[steps], tiles[steps]):
                for image, part in self._parts(x_step, staged):
                    part[...] = image
                tiles_step[...] = staged

        split(piece, len(x), xp)

    def join(self, tiles, x, xp):
        """Copy tiles (..., m, m, C, B) back into images x (..., N, C, H, W)."""
        x, tiles = _steps(x), _steps(tiles)
        if xp is not np:
            for image, part in self._parts(x, tiles):
                image[...] = part
            return

        def piece(steps):
            staged = self._staged(tiles, pixels_first=True)
            for x_step, tiles_step in zip(x[steps], tiles[steps]):
                staged[...] = tiles_step
                for image, part in self._parts(x_step, staged):
                    image[...] = part

        split(piece, len(x), xp)

    def spread(self, tiles, u):
        """Copy tiles (m, m, C, B) with their neighbours' pixels into u (L, L, C, B).

        Pixels of u that no tile covers are not written: they must be zero and stay so.
        """
        if get_array_module(u) is not np:
            return tiles_cuda.spread(self, tiles, u)
        source, target = self._grid(tiles), self._grid(u)
        for (to_y, from_y, to_row, from_row), (to_x, from_x, to_column, from_column) in self._pieces():
            target[to_y, to_x, :, to_row, to_column] = source[from_y, from_x, :, from_row, from_column]

    def fold(self, du, tiles):
        """Add up du (L, L, C, B) where `spread` copied from, into tiles (m, m, C, B): its adjoint."""
        if get_array_module(du) is not np:
            tiles_cuda.fold(self, du, tiles)
            return self.clear_outside(tiles)
        source, target = self._grid(du), self._grid(tiles)
        first = True
        for (to_y, from_y, to_row, from_row), (to_x, from_x, to_column, from_column) in self._pieces():
            place = target[from_y, from_x, :, from_row, from_column]
            values = source[to_y, to_x, :, to_row, to_column]
            if first:
                place[...] = values
            else:
                place += values
            first = False
        self.clear_outside(tiles)

    def clear_outside(self, tiles):
        """Set what lies past the image to zero."""
        if self.ragged:
            grid = self._grid(tiles)
            grid[self.height - (self.rows - 1) * self.tile :, :, :, -1] = 0
            grid[:, self.width - (self.columns - 1) * self.tile :, :, :, -1] = 0

    def _grid(self, tiles):
        """Return a view with B split into (rows, columns, N)."""
        return tiles.reshape(*tiles.shape[:-1], self.rows, self.columns, self.images)

    def _pieces(self):
        """Return the copies of `spread`, per axis (to, from, to tile, from tile); the centre first."""
        m = self.tile
        axes = []
        for before, after in zip(self.before, self.after):
            pieces = [(slice(before, before + m), slice(0, m), slice(None), slice(None))]
            if before:
                pieces.append((slice(0, before), slice(m - before, m), slice(1, None), slice(None, -1)))
            if after:
                pieces.append(
                    (slice(before + m, before + m + after), slice(0, after), slice(None, -1), slice(1, None))
                )
            axes.append(pieces)
        return [(y, x) for y in axes[0] for x in axes[1]]

    def _parts(self, x, tiles):
        """Yield, tile by tile, the views (..., N, C, h, w) of x and of tiles that hold the same pixels."""
        grid, m = self._grid(tiles), self.tile
        for row in range(self.rows):
            for column in range(self.columns):
                image = x[..., row * m : (row + 1) * m, column * m : (column + 1) * m]
                h, w = image.shape[-2:]
                part = grid[..., :h, :w, :, row, column, :]
                yield image, part.swapaxes(-1, -4).swapaxes(-2, -3).swapaxes(-1, -2)

    def _staged(self, tiles, pixels_first):
        """Return tiles of zeros (m, m, C, B) for one step, for a transposing copy to pass through.

        Such a copy jumps through what it reads. In images and tiles the jumps are powers of two, which share
        a few sets of the cache, so what it reads is first brought into rows that are a little longer: a row
        for each pixel, or for each map of each image.
        """
        m, _, maps, batch = tiles.shape[-4:]
        pixels, images = m * m, maps * batch
        rows, columns = (pixels, images) if pixels_first else (images, pixels)
        scratch = np.zeros((rows, columns + PADDING), tiles.dtype)[:, :columns]
        return (scratch if pixels_first else scratch.T).reshape(m, m, maps, batch)


def _steps(x):
    """Return a view of x with its leading axes as one."""
    return x.reshape(-1, *x.shape[-4:])
