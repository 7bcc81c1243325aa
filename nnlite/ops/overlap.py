"""An axis divided into tiles that overlap in what they read (overlap-save)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Axis:
    """How one axis is divided: `size` inputs, `outputs` outputs in tiles of `tile`, for `kernel` taps.

    padding: the zeros before the first input, negative to skip inputs.
    """

    size: int
    outputs: int
    kernel: int
    padding: int
    tile: int

    @property
    def count(self):
        """The number of tiles."""
        return -(-self.outputs // self.tile)

    @property
    def length(self):
        """L; for a tile that is all of the axis, the zeros before the inputs also serve as those after."""
        if self.tile >= self.outputs and self.padding >= 0:
            return max(self.size + self.padding, self.tile, self.kernel)
        return self.tile + self.kernel - 1

    @property
    def half(self):
        """The number of frequencies of a real axis."""
        return self.length // 2 + 1

    def window(self, t):
        """Return (start, stop, offset): the inputs that tile t reads, and the place of the first in it."""
        first = t * self.tile - self.padding
        start = min(max(first, 0), self.size)
        stop = min(max(first + self.reach, start), self.size)
        return start, stop, start - first

    @property
    def reach(self):
        """How many positions a tile reads."""
        return self.tile + self.kernel - 1

    def read(self, tiles):
        """Return the slice of the inputs that a slice of tiles reads."""
        windows = [self.window(t) for t in range(tiles.start, tiles.stop)]
        return slice(windows[0][0], max(stop for _, stop, _ in windows))

    def outputs_alone(self):
        """Return the division of the outputs into the same tiles, without the inputs around them."""
        return _Outputs(self.outputs, self.outputs, 1, 0, self.tile, self.length)


@dataclass(frozen=True)
class _Outputs(Axis):
    """Tiles that read only what they hold, but have the transform's length of those that read more."""

    transform_length: int

    @property
    def length(self):
        return self.transform_length
