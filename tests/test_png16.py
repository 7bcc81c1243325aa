"""PNG files of 16 bits: libpng's files, every filter, broken files."""

import base64
import struct
import zlib

import numpy as np
import pytest
from nnlite.data.png16 import decode_png16, encode_png16

PICTURE = [
    [[33006, 32000, 0], [33307, 31910, 1], [33600, 31820, 1], [33907, 31730, 1], [34204, 31640, 1]],
    [[33004, 32700, 1], [33305, 32610, 1], [33602, 32520, 1], [33908, 32430, 1], [34200, 32340, 0]],
    [[33002, 33400, 1], [33303, 33310, 1], [33605, 33220, 1], [33903, 33130, 0], [34201, 33040, 1]],
    [[33000, 34100, 1], [33300, 34010, 1], [33600, 33920, 0], [33901, 33830, 1], [34208, 33740, 1]],
]
LIBPNG = {  # PICTURE as libpng 1.6 writes it, with all rows in one filter
    "average": (
        "iVBORw0KGgoAAAANSUhEUgAAAAUAAAAEEAIAAACZwb5UAAAAbklEQVQImUXJwQ0BQRiA0e+baUBCNrGJqEGcTcauDp"
        "SgBBwlmqACcf/vSlCLM6d1411fPr9OQHcrd+yW5YP9dvXEflfmmOtx/UCvKcAmBdi6AEcpGHI99O2vpwY4TsFgkwJz"
        "3W/e6MUAJ/9wZsAXxUEaPrRWefUAAAAASUVORK5CYII="
    ),
    "paeth": (
        "iVBORw0KGgoAAAANSUhEUgAAAAUAAAAEEAIAAACZwb5UAAAAUElEQVQImU3JsQ0CQQwAMOf+JCahoKBiPiSmyRSZiQ"
        "WAhAoJt96P5x3rOiniLInbJHGRbL1KaImlEFN4K7P1UWiFYwovaYQSv/78RSvhNMUX80ci/XeVzi4AAAAASUVORK5C"
        "YII="
    ),
}


def png(rows, header=(5, 4, 16, 2, 0, 0, 0), name=b"IDAT"):
    """Return the bytes of a PNG file with these unfiltered rows, each with its filter number."""
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", *header)), (name, zlib.compress(bytes(rows))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


@pytest.mark.parametrize("filter", LIBPNG)
def test_png_written_by_libpng(filter):
    np.testing.assert_array_equal(decode_png16(base64.b64decode(LIBPNG[filter]), "a.png"), PICTURE)


def test_png_with_every_filter():
    """Filter each row by the definition, byte by byte, and read it back."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 2**16, (40, 9, 3)).astype(np.uint16)
    image[20:] = image[20:] // 4096 * 37  # some smooth rows too
    lines = image.astype(">u2").view(np.uint8).reshape(40, -1).astype(int)
    rows = []
    for y, line in enumerate(lines):
        kind = y % 5
        rows.append(kind)
        for x in range(len(line)):
            a = line[x - 6] if x >= 6 else 0
            b = lines[y - 1, x] if y else 0
            c = lines[y - 1, x - 6] if y and x >= 6 else 0
            nearest = min((a, b, c), key=lambda z: abs(a + b - c - z))
            rows.append((line[x] - (0, a, b, (a + b) // 2, nearest)[kind]) % 256)
    decoded = decode_png16(png(rows, (9, 40, 16, 2, 0, 0, 0)), "a.png")
    np.testing.assert_array_equal(decoded, image)


def test_png_read_by_another_reader(tmp_path):
    """Pillow knows only the upper 8 bits of such a file, but those it reads."""
    from matplotlib.image import imread

    image = np.random.default_rng(0).integers(0, 2**16, (6, 5, 3)).astype(np.uint16)
    (tmp_path / "a.png").write_bytes(encode_png16(image))
    np.testing.assert_array_equal(np.rint(imread(tmp_path / "a.png") * 255), image >> 8)


ROWS = bytes(4 * (1 + 5 * 6))


@pytest.mark.parametrize(
    "content, message",
    [
        (b"GIF89a", "not a PNG file"),
        (png(ROWS)[:-15], "cut short"),
        (png(ROWS)[:33], "cut short"),
        (png(ROWS)[:20] + b"\1" + png(ROWS)[21:], "wrong checksum in the PNG's chunk b'IHDR'"),
        (png(ROWS, (5, 4, 8, 2, 0, 0, 0)), "8 bits and colour type 2; wanted are 16 bits"),
        (png(ROWS, (5, 4, 16, 2, 0, 0, 1)), "interlaced"),
        (png(ROWS, (0, 4, 16, 2, 0, 0, 0)), "width 0 and height 4 must be"),
        (png(ROWS[:-1]), "rows are not the 124 bytes of 5 x 4"),
        (png(ROWS + b"\0"), "rows are not the 124 bytes"),
        (png(b"\5" + ROWS[1:]), "unknown filter 5"),
        (png(ROWS, name=b"tEXt"), "do not decompress|are not the 124 bytes"),
        (png(ROWS)[:8] + png(ROWS)[33:], "does not begin with its header"),
    ],
)
def test_broken_png_files_are_named(content, message):
    with pytest.raises(ValueError, match=rf"broken\.png: .*({message})"):
        decode_png16(content, "broken.png")
