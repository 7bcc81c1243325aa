"""The microscope's page: all numbers and pictures of a run in one HTML file that needs nothing else."""

import base64
import html
import json
import math
import re
import zlib
from pathlib import Path

import numpy as np

from nnlite.data.flow_colour import colour_wheel
from nnlite.files import write_bytes

TEMPLATES = Path(__file__).parent / "web"
#: In the order in which they become the script of the page.
SCRIPTS = ("pictures.js", "charts.js", "state.js", "grid.js", "detail.js", "sections.js", "main.js")
GRADIENTS = Path(__file__).parents[2] / "docs" / "gradients.md"
#: The most bytes of a page, and pixels of all maps of one array together: fewer and fewer until it fits.
LIMIT = 9_000_000
PIXELS = 65536, 49152, 32768, 16384, 8192, 4096, 2048, 1024
#: The longest side of a map that is kept pixel by pixel; larger ones are averaged.
SIDE = 128


def write(path, content, summaries, strip, pixels=PIXELS[0]):
    """Write the page to the file `path`, replacing it as a whole.

    content: what goes into the page as JSON. summaries: a list of `TensorSummary`s. strip: rows of pictures,
    see `frame_strip`. pixels: how many pixels to keep of the maps of one array, fewer if the page would grow
    too large; the maps with the smallest gradients are dropped.
    """
    allowed = [n for n in PIXELS if n <= pixels]
    # Compressed and in base64, a byte of a picture takes at least half a byte of the page.
    while len(allowed) > 1 and _bytes(summaries, allowed[0]) > 2 * LIMIT:
        allowed.pop(0)
    for limit in allowed:
        page = _page(content, summaries, strip, limit)
        if len(page) < LIMIT:
            break
    write_bytes(path, page)


def docs_links():
    """Return {class: "docs/gradients/page.md#section"}, empty where the documentation is not installed."""
    text = GRADIENTS.read_text(encoding="utf-8") if GRADIENTS.exists() else ""
    return {n: f"docs/{link}" for n, link in re.findall(r"\[`(\w+)`\]\((gradients/\w+\.md#[\w-]+)\)", text)}


def _page(content, summaries, strip, pixels):
    """Return the page as bytes, with at most so many pixels of each array."""
    store = _Store()
    packed = content | {
        "summaries": [s.statistics | {"maps": store.maps(s, pixels)} for s in summaries],
        "frame_strip": [_strip_row(store, row) for row in strip],
        "wheel": store.picture(colour_wheel(96)),
    }
    parts = {
        "STYLE": (TEMPLATES / "style.css").read_text(encoding="utf-8"),
        "SCRIPT": "\n".join((TEMPLATES / name).read_text(encoding="utf-8") for name in SCRIPTS),
        "TITLE": html.escape(packed["title"]),
        "DATA": as_json(packed),
        "PICTURES": base64.b64encode(zlib.compress(b"".join(store.chunks), 6)).decode(),
    }
    template = (TEMPLATES / "page.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], template).encode(
        "utf-8", "backslashreplace"
    )


def as_json(content):
    """Return content as JSON for a script element; numbers that are not finite become null.

    Names may hold anything: without a "<" there is no tag, no comment and no end of the element in it.
    """
    return json.dumps(_finite(content), separators=(",", ":")).replace("<", "\\u003c")


def _finite(x):
    if isinstance(x, dict):
        return {key: _finite(value) for key, value in x.items()}
    if isinstance(x, list | tuple):
        return [_finite(value) for value in x]
    return None if isinstance(x, float) and not math.isfinite(x) else x


def _strip_row(store, row):
    """Store the pictures of a row of the frame strip; return the row with their locations."""
    if row["format"] == "picture":
        return row | {"steps": {t: store.picture(picture) for t, picture in row["steps"].items()}}
    return row | {"steps": {t: store.signed(maps, range(len(maps))) for t, maps in row["steps"].items()}}


class _Store:
    """The bytes of all pictures, one after the other; their offsets go into the JSON."""

    def __init__(self):
        self.chunks, self.length = [], 0

    def maps(self, summary, pixels):
        """Store the maps of a `TensorSummary`, the most important ones in their order."""
        count = _kept(summary.maps.shape, pixels)
        chosen = np.sort(np.argsort(-summary.importance, kind="stable")[:count])
        return self.signed(summary.maps, chosen)

    def signed(self, maps, chosen):
        """Store maps (C, H, W) as bytes, -127..127 for -scale..scale, each with a scale of its own.

        Large maps are averaged block by block.
        """
        _, height, width = maps.shape
        small = _reduced(maps[chosen].astype(np.float32))
        with np.errstate(invalid="ignore"):
            small = np.nan_to_num(small, nan=0.0, posinf=0.0, neginf=0.0)
        scales = np.abs(small).max(axis=(1, 2), initial=0.0)
        levels = np.rint(small / np.where(scales > 0, scales, 1)[:, None, None] * 127).astype(np.int8)
        location = self._append(levels) | {"of": len(maps), "full": [height, width]}
        location["scales"] = [float(f"{scale:.4g}") for scale in scales]
        return location if len(chosen) == len(maps) else location | {"chosen": [int(c) for c in chosen]}

    def picture(self, picture):
        """Store a picture (H, W, 1 or 3) of bytes."""
        return self._append(np.ascontiguousarray(picture, np.uint8))

    def _append(self, array):
        location = {"at": self.length, "shape": array.shape}
        self.chunks.append(array.tobytes())
        self.length += array.nbytes
        return location


def _bytes(summaries, pixels):
    """Return the size of all maps in bytes."""
    return sum(_kept(s.maps.shape, pixels) * math.prod(_size(s.maps.shape)) for s in summaries)


def _kept(shape, pixels):
    """Return the number of maps of an array that are kept."""
    return min(shape[0], max(1, pixels // math.prod(_size(shape))))


def _size(shape):
    """Return height and width of maps as they are kept."""
    return tuple(-(-n // -(-n // SIDE)) for n in shape[1:])


def _reduced(maps):
    """Return maps averaged over blocks so that no side is longer than `SIDE`."""
    for axis in (1, 2):
        n = maps.shape[axis]
        block = -(-n // SIDE)
        if block > 1:
            starts = np.arange(0, n, block)
            lengths = np.minimum(block, n - starts).astype(maps.dtype)
            maps = np.add.reduceat(maps, starts, axis=axis)
            maps /= lengths[:, None] if axis == 1 else lengths
    return maps
