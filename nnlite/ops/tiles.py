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
        self._copy(x, tiles, xp, to_tiles=True)

    def join(self, tiles, x, xp):
        """Copy tiles (..., m, m, C, B) back into images x (..., N, C, H, W)."""
        self._copy(x, tiles, xp, to_tiles=False)

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

    def _copy(self, x, tiles, xp, to_tiles):
        """Copy between images and tiles, tile by tile, leading axes split over the workers."""
        n, channels = x.shape[-4:-2]
        images = x.reshape(-1, n, channels, self.height, self.width)
        grids = self._grid(tiles.reshape(-1, *tiles.shape[-4:]))

        def piece(steps):
            for row in range(self.rows):
                for column in range(self.columns):
                    y, x0 = row * self.tile, column * self.tile
                    image = images[steps, :, :, y : y + self.tile, x0 : x0 + self.tile].transpose(
                        0, 3, 4, 2, 1
                    )
                    grid = grids[steps, : image.shape[1], : image.shape[2], :, row, column]
                    if to_tiles:
                        grid[...] = image
                    else:
                        image[...] = grid

        if to_tiles and self.ragged:
            tiles.fill(0)
        split(piece, len(images), xp)
