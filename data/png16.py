"""PNG pictures with three channels of 16 bits, which Pillow and matplotlib reduce to 8.

A PNG is a signature and chunks (length, name, body, CRC); the IDAT chunks together hold the zlib-compressed
rows, each preceded by the number of the filter that predicts a byte x from its neighbours: the same byte of
the pixel to the left (a), above (b) and above left (c). 0: nothing, 1: a, 2: b, 3: ⌊(a + b) / 2⌋,
4 (Paeth): the one of a, b, c nearest to a + b - c. (W3C, Portable Network Graphics, section 9.)
"""

import struct
import zlib

import numpy as np

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_LARGEST_SIZE = 99_999
_BYTES = 6  # of a pixel


def encode_png16(image):
    """Return the bytes of a PNG file with the picture `image` (H, W, 3), uint16."""
    height, width, _ = image.shape
    rows = np.zeros((height, 1 + _BYTES * width), np.uint8)  # column 0: filter 0
    rows[:, 1:] = np.ascontiguousarray(image, ">u2").view(np.uint8).reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes())), (b"IEND", b""))
    return _SIGNATURE + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )


def decode_png16(content, name):
    """Return the picture (H, W, 3), uint16, in the bytes of a PNG file.

    ValueError, beginning with the file's `name`, when it is something else, broken or interlaced.
    """
    chunks = _chunks(content, name)
    if not chunks or chunks[0][0] != b"IHDR" or len(chunks[0][1]) != 13:
        raise ValueError(f"{name}: the PNG does not begin with its header")
    width, height, depth, colour, *methods = struct.unpack(">IIBBBBB", chunks[0][1])
    if (depth, colour) != (16, 2):
        raise ValueError(
            f"{name}: the PNG has {depth} bits and colour type {colour}; wanted are 16 bits, type 2 (RGB)"
        )
    if methods != [0, 0, 0]:
        raise ValueError(f"{name}: interlaced or unknown kind of PNG")
    if not (1 <= width <= _LARGEST_SIZE and 1 <= height <= _LARGEST_SIZE):
        raise ValueError(f"{name}: width {width} and height {height} must be between 1 and {_LARGEST_SIZE}")
    expected = height * (1 + _BYTES * width)
    try:
        packed = b"".join(body for kind, body in chunks if kind == b"IDAT")
        rows = zlib.decompressobj().decompress(packed, expected + 1)
    except zlib.error as error:
        raise ValueError(f"{name}: the PNG's rows do not decompress ({error})") from error
    if len(rows) != expected:
        raise ValueError(f"{name}: the PNG's rows are not the {expected} bytes of {width} x {height} pixels")
    rows = np.frombuffer(rows, np.uint8).reshape(height, -1)
    if rows[:, 0].max() > 4:
        raise ValueError(f"{name}: the PNG has a row with the unknown filter {rows[:, 0].max()}")
    pixels = _unfilter(rows[:, 0], rows[:, 1:].reshape(height, width, _BYTES))
    return np.ascontiguousarray(pixels).view(">u2").astype(np.uint16)


def _chunks(content, name):
    """Return the (name, body) pairs of a PNG up to its end mark, their checksums verified."""
    if content[: len(_SIGNATURE)] != _SIGNATURE:
        raise ValueError(f"{name}: not a PNG file")
    chunks, at = [], len(_SIGNATURE)
    while not chunks or chunks[-1][0] != b"IEND":
        length = int.from_bytes(content[at : at + 4], "big")
        end = at + 12 + length
        if end > len(content):
            raise ValueError(f"{name}: the PNG is cut short")
        if zlib.crc32(content[at + 4 : end - 4]) != int.from_bytes(content[end - 4 : end], "big"):
            raise ValueError(f"{name}: wrong checksum in the PNG's chunk {content[at + 4 : at + 8]!r}")
        chunks.append((content[at + 4 : at + 8], content[at + 8 : end - 4]))
        at = end
    return chunks


def _unfilter(filters, residues):
    """Return the bytes (H, W, 6) from the number of each row's filter and what it left over.

    A byte needs those to its left and above, so all of one anti-diagonal are computed at once.
    """
    if not filters.any():
        return residues
    height, width, _ = residues.shape
    out = np.zeros((height + 1, width + 1, _BYTES), np.int16)  # with a border of zeros above and to the left
    for diagonal in range(height + width - 1):
        row = np.arange(max(0, diagonal - width + 1), min(height, diagonal + 1))
        column = diagonal - row
        a, b, c = out[row + 1, column], out[row, column + 1], out[row, column]
        to_a, to_b, to_c = abs(b - c), abs(a - c), abs(a + b - 2 * c)
        paeth = np.where((to_a <= to_b) & (to_a <= to_c), a, np.where(to_b <= to_c, b, c))
        predicted = np.choose(filters[row, None], (0, a, b, (a + b) >> 1, paeth))
        out[row + 1, column + 1] = (residues[row, column] + predicted) & 255
    return out[1:, 1:].astype(np.uint8)
