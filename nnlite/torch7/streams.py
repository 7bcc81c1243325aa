"""The numbers and strings of a .t7 file, one after the other: packed, or as text."""

import struct

import numpy as np

from .types import CHAR, DOUBLE, INT, LONG, Torch7Error

_INT, _LONG, _DOUBLE = (struct.Struct(code).unpack_from for code in ("<i", "<q", "<d"))


class _Stream:
    """Numbers and strings from the bytes `data`, from `place` on; `path` and `mode` are for messages."""

    mode = ""
    sure = True

    def __init__(self, path, data):
        self.path, self.data, self.size = path, data, len(data)
        self.place = 0
        self.strangers = {}  # classes of unknown libraries met so far, in order

    def fail(self, message, place):
        hint = ""
        if self.strangers:
            names = ", ".join(self.strangers)
            hint = (
                f"; before it are objects of {names}: a class with a body of its own is read by Torch7 alone"
            )
        raise Torch7Error(f"{self.path}: {message}, at byte {place} (read as {self.mode}){hint}")

    def check(self, count, dtype, size):
        """Fail unless `count` numbers that take at least `size` bytes each can be in what is left."""
        left = self.size - self.place
        if not 0 <= count * size <= left:
            self.fail(
                f"{count} numbers of type {dtype} do not fit in the {left} bytes that are left", self.place
            )

    def packed(self, dtype, count):
        """Read `count` numbers as they lie in memory."""
        self.check(count, dtype, dtype.itemsize)
        if count == 0:
            return np.empty(0, dtype)
        values = np.frombuffer(self.data, dtype, count, self.place).copy()
        self.place += values.nbytes
        return values


class BinaryStream(_Stream):
    """Packed, little-endian numbers; longs take `long_size` bytes.

    `sure` tells whether something read says that this is their size. With 8 bytes nothing needs to; a long
    of 4 bytes with other than zeros behind it cannot be the lower half of one of 8 in a file cut off.
    """

    mode = "binary"

    def __init__(self, path, data, long_size=8):
        super().__init__(path, data)
        self.long_size, self.sure = long_size, long_size == 8
        if long_size == 4:
            self.mode = "binary with longs of 4 bytes"

    def integer(self):
        start = self.place
        try:
            (value,) = _INT(self.data, start)
        except struct.error:
            self.check(1, INT, 4)
        self.place = start + 4
        return value

    tag = integer

    def long(self):
        if self.long_size == 4:
            value = self.integer()
            self.sure |= any(self.data[self.place : self.place + 4])
            return value
        start = self.place
        try:
            (value,) = _LONG(self.data, start)
        except struct.error:
            self.check(1, LONG, 8)
        self.place = start + 8
        return value

    def double(self):
        start = self.place
        try:
            (value,) = _DOUBLE(self.data, start)
        except struct.error:
            self.check(1, DOUBLE, 8)
        self.place = start + 8
        return value

    def string(self):
        count = self.integer()
        start = self.place
        end = start + count
        if count < 0 or end > self.size:
            self.check(count, CHAR, 1)
        self.place = end
        return self.data[start:end].decode("utf-8", "surrogateescape")

    def layout(self, dimensions):
        """Read the sizes, strides and offset of a tensor."""
        if self.long_size == 4:
            values = self.packed(INT, 2 * dimensions).tolist()
            return values[:dimensions], values[dimensions:], self.long()
        count, start = 2 * dimensions + 1, self.place
        self.check(count, LONG, 8)
        self.place = start + 8 * count
        *values, offset = struct.unpack_from(f"<{count}q", self.data, start)
        return values[:dimensions], values[dimensions:], offset

    def numbers(self, dtype, count):
        """Read an array of `count` numbers."""
        if dtype == LONG and self.long_size == 4:
            return self.packed(INT, count).astype(LONG)
        return self.packed(dtype, count)

    def left(self):
        """Return how many bytes are left."""
        return self.size - self.place


class AsciiStream(_Stream):
    """Numbers as text, a run of them on a line; bytes and strings are raw, with a newline after them."""

    mode = "ascii"

    def integer(self):
        return int(self.numbers(INT, 1)[0])

    def tag(self):
        """Read an integer; return -1 where there is none."""
        try:
            return self.integer()
        except Torch7Error:
            return -1

    def long(self):
        return int(self.numbers(LONG, 1)[0])

    def double(self):
        return float(self.numbers(DOUBLE, 1)[0])

    def string(self):
        count = self.integer()
        self.check(count, CHAR, 1)
        start, self.place = self.place, self.place + count
        text = self.data[start : self.place].decode("utf-8", "surrogateescape")
        self.newline()
        return text

    def layout(self, dimensions):
        """Read the sizes, strides and offset of a tensor."""
        sizes, strides = (self.numbers(LONG, dimensions).tolist() for _ in range(2))
        return sizes, strides, self.long()

    def numbers(self, dtype, count):
        """Read an array of `count` numbers."""
        if dtype.itemsize == 1:
            values = self.packed(dtype, count)
            if count:
                self.newline()
            return values
        self.check(count, dtype, 2)
        if count == 0:
            return np.empty(0, dtype)
        start = self.place
        end = self.data.find(b"\n", start, min(start + 64 * count, self.size))
        if end < 0:  # without it the last number may be the beginning of a longer one
            self.fail(f"{count} numbers without the end of their line", start)
        self.place = end + 1
        words = self.data[start:end].split()
        if len(words) != count:
            self.fail(f"expected {count} numbers on a line, found {len(words)}", start)
        try:
            with np.errstate(over="ignore"):
                return np.array(words).astype(dtype)
        except (ValueError, OverflowError) as error:
            self.fail(f"expected numbers of type {dtype}: {error}", start)

    def newline(self):
        self.place += self.data[self.place : self.place + 1] == b"\n"

    def left(self):
        """Return how many bytes are left, white space at the end not counted."""
        while self.place < self.size and self.data[self.place : self.place + 1].isspace():
            self.place += 1
        return self.size - self.place
