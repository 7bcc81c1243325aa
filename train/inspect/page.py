"""The microscope's page: all numbers and pictures of a run in one HTML file that needs nothing else."""

import base64
import json
import math
import re
import zlib
from pathlib import Path

import numpy as np
from nnlite.data.flow_colour import colour_wheel

from nnlite.files import replacing

TEMPLATES = Path(__file__).parent / "web"
#: In the order in which they become the script of the page.
SCRIPTS = ("pictures.js", "charts.js", "state.js", "grid.js", "lens.js", "sections.js", "main.js")
GRADIENTS = Path(__file__).parent.parent / "docs" / "gradients.md"
#: The most bytes of a page, and pixels of all maps of a reading together: fewer and fewer until it fits.
LIMIT = 9_000_000
PIXELS = 65536, 49152, 32768, 16384, 8192, 4096, 2048, 1024
#: Sides of a map from which on pixels are averaged.
SIDE = 128


def write(path, content, readings, film, pixels=PIXELS[0]):
    """Write the page to the file `path`, replacing it as a whole.

    content: what goes into the page as JSON. readings: a list of `Reading`s. film: rows of pictures, see
    `inspection_film`. pixels: how many pixels to keep of the maps of one reading, less where the page would
    grow too large; maps with the least gradient are left out.
    """
    allowed = [n for n in PIXELS if n <= pixels]
    # Compressed and as base64, a byte of a picture takes at least half a byte of the page.
    while len(allowed) > 1 and _bytes(readings, allowed[0]) > 2 * LIMIT:
        allowed.pop(0)
    for most in allowed:
        page = _page(content, readings, film, most)
        if len(page) < LIMIT:
            break
    with replacing(path) as part:
        part.write_bytes(page)


def docs_links():
    """Return {class: "docs/gradients/page.md#section"}, empty where the documentation is not installed."""
    text = GRADIENTS.read_text(encoding="utf-8") if GRADIENTS.exists() else ""
    return {n: f"docs/{link}" for n, link in re.findall(r"\[`(\w+)`\]\((gradients/\w+\.md#[\w-]+)\)", text)}


def _page(content, readings, film, pixels):
    """Return the page as bytes, with at most so many pixels of each reading."""
    store = _Store()
    packed = content | {
        "readings": [reading.numbers | {"maps": store.maps(reading, pixels)} for reading in readings],
        "film": [_film_row(store, row) for row in film],
        "wheel": store.picture(colour_wheel(96)),
    }
    parts = {
        "STYLE": (TEMPLATES / "style.css").read_text(encoding="utf-8"),
        "SCRIPT": "\n".join((TEMPLATES / name).read_text(encoding="utf-8") for name in SCRIPTS),
        "TITLE": packed["title"],
        "DATA": as_json(packed),
        "PICTURES": base64.b64encode(zlib.compress(b"".join(store.chunks), 6)).decode(),
    }
    template = (TEMPLATES / "page.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], template).encode()


def as_json(content):
    """Return content as JSON that can stand in a script element; what is no finite number becomes null."""
    return json.dumps(_finite(content), ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/")


def _finite(x):
    if isinstance(x, dict):
        return {key: _finite(value) for key, value in x.items()}
    if isinstance(x, list | tuple):
        return [_finite(value) for value in x]
    return None if isinstance(x, float) and not math.isfinite(x) else x


def _film_row(store, row):
    """Store the pictures of a row of the film; return the row with their places."""
    if row["kind"] == "picture":
        return row | {"steps": {t: store.picture(picture) for t, picture in row["steps"].items()}}
    return row | {"steps": {t: store.signed(maps, range(len(maps))) for t, maps in row["steps"].items()}}


class _Store:
    """The bytes of all pictures, one after the other; where each begins goes into the JSON."""

    def __init__(self):
        self.chunks, self.length = [], 0

    def maps(self, reading, pixels):
        """Store the maps of a reading, the most important ones in their order."""
        count = _kept(reading.maps.shape, pixels)
        chosen = np.sort(np.argsort(-reading.importance, kind="stable")[:count])
        return self.signed(reading.maps, chosen)

    def signed(self, maps, chosen):
        """Store maps (C, H, W) as bytes, -127..127 for -scale..scale, each with a scale of its own.

        Where a map is large, blocks of it are averaged.
        """
        _, height, width = maps.shape
        small = _reduced(maps[chosen].astype(np.float32))
        with np.errstate(invalid="ignore"):
            small = np.nan_to_num(small, nan=0.0, posinf=0.0, neginf=0.0)
        scales = np.abs(small).max(axis=(1, 2), initial=0.0)
        levels = np.rint(small / np.where(scales > 0, scales, 1)[:, None, None] * 127).astype(np.int8)
        place = self._append(levels) | {"of": len(maps), "full": [height, width]}
        place["scales"] = [float(f"{scale:.4g}") for scale in scales]
        return place if len(chosen) == len(maps) else place | {"chosen": [int(c) for c in chosen]}

    def picture(self, picture):
        """Store a picture (H, W, 1 or 3) of bytes."""
        return self._append(np.ascontiguousarray(picture, np.uint8))

    def _append(self, array):
        place = {"at": self.length, "shape": array.shape}
        self.chunks.append(array.tobytes())
        self.length += array.nbytes
        return place


def _bytes(readings, pixels):
    """Return how many bytes the maps of all readings have."""
    return sum(_kept(r.maps.shape, pixels) * math.prod(_size(r.maps.shape)) for r in readings)


def _kept(shape, pixels):
    """Return how many maps of an array are kept."""
    return min(shape[0], max(1, pixels // math.prod(_size(shape))))


def _size(shape):
    """Return height and width of maps as they are kept."""
    return tuple(-(-n // -(-n // SIDE)) for n in shape[1:])


def _reduced(maps):
    """Return maps with blocks averaged so that no side is above `SIDE`."""
    for axis in (1, 2):
        n = maps.shape[axis]
        block = -(-n // SIDE)
        if block > 1:
            starts = np.arange(0, n, block)
            lengths = np.minimum(block, n - starts).astype(maps.dtype)
            maps = np.add.reduceat(maps, starts, axis=axis)
            maps /= lengths[:, None] if axis == 1 else lengths
    return maps
