"""Single image files (PNG, JPEG and whatever else Pillow reads), with errors that name the file."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from nnlite.files import write_bytes
from nnlite.limits import TooLarge, allowed, check_claim

#: What red, green and blue add to grey (BT.601).
LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)
#: Of a pixel: four colours of 16 bits.
MOST_BYTES = 8


def open_picture(path):
    """Return the Pillow image in a file, completely read.

    FileNotFoundError if there is no such file; ValueError naming the file if it is no image, damaged, or
    takes more memory than `nnlite.limits` allows.
    """
    try:
        content = Path(path).read_bytes()  # of a file Pillow would read as much as a chunk claims to hold
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no picture {path}") from None
    try:
        with Image.open(io.BytesIO(content)) as image:
            check_picture(path, image.size)
            image.load()
    except TooLarge:
        raise
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        # Pillow reports a broken PNG chunk as a SyntaxError.
        raise ValueError(f"{path}: not a picture, or a damaged one ({error})") from error
    return image


def check_picture(path, size):
    """Raise `TooLarge`, naming the file, unless a picture of `size`, (width, height), may be read."""
    width, height = size
    check_claim(path, f"a picture of {width} x {height} pixels", MOST_BYTES * width * height)


def most_pixels(path):
    """Return FFmpeg's limit for a picture: it counts sides that are rounded up to 64."""
    return 4 * (allowed(path) // MOST_BYTES) + 64 * 64


def rgb(image, size=None):
    """Return a Pillow image as (H, W, 3) uint8, resized to `size`, (height, width), by a Lanczos filter."""
    image = image.convert("RGB")
    if size is not None and image.size != size[::-1]:
        image = image.resize(size[::-1], Image.Resampling.LANCZOS)
    return np.asarray(image)


def resize_labels(labels, size):
    """Return labels (H, W) resized to `size`, (height, width), by nearest-neighbour interpolation."""
    rows, columns = (
        ((np.arange(new) + 0.5) * old / new).astype(np.int64) for old, new in zip(labels.shape, size)
    )
    return labels[rows[:, None], columns]


def write_indexed(path, labels, palette):
    """Write labels (H, W) to a PNG whose pixels are these numbers, shown in the colours `palette` (K, 3)."""
    image, content = Image.fromarray(np.asarray(labels, np.uint8), "L"), io.BytesIO()
    image.putpalette(np.asarray(palette, np.uint8).tobytes())
    image.save(content, "PNG")
    write_bytes(path, content.getvalue())
