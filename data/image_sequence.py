"""Image sequences: folders of pictures, one per frame, in natural order (2 before 10).

The pictures whose names differ only in their numbers are a series. A folder stands for its longest series,
the path FOLDER/NAME*, with an asterisk, for the pictures with such names.
"""

import io
import re
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
from PIL import Image

from .av_frame import FrameConverter, load_av, naming
from .pictures import check_picture, most_pixels

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".pbm", ".pnm"}
#: Frames a second assumed for a folder of pictures, which does not say.
RATE = 25.0

#: Name and decoder of a format by the first bytes of a file.
_FORMATS = {
    b"\x89PNG": ("PNG", "png"),
    b"\xff\xd8\xff": ("JPEG", "mjpeg"),
    b"BM": ("BMP", "bmp"),
    b"II*\0": ("TIFF", "tiff"),
    b"MM\0*": ("TIFF", "tiff"),
    b"RIFF": ("WebP", "webp"),
    **{b"P%d" % n: ("PPM", name) for n, name in zip(range(1, 7), ["pbm", "pgm", "ppm"] * 2)},
}
_JPEG_SCAN, _JPEG_END = b"\xff\xda", b"\xff\xd9"
_ORIENTATION = 0x112
#: The display matrix of each orientation that Exif knows.
_UPRIGHT = {
    1: [[1, 0], [0, 1]],
    2: [[-1, 0], [0, 1]],
    3: [[-1, 0], [0, -1]],
    4: [[1, 0], [0, -1]],
    5: [[0, 1], [1, 0]],
    6: [[0, 1], [-1, 0]],
    7: [[0, -1], [-1, 0]],
    8: [[0, -1], [1, 0]],
}


def natural_key(name):
    """Return a key that sorts names as people do: digits as numbers, ignoring case."""
    parts = re.split(r"([0-9]+)", str(name).lower())
    return [int(part) if i % 2 else part for i, part in enumerate(parts)], str(name)


def is_image_sequence(source):
    """Return whether a source is a folder or FOLDER/NAME*, rather than a video file."""
    source = Path(source)
    return source.is_dir() or ("*" in source.name and not source.exists() and source.parent.is_dir())


def image_files(source):
    """Return the pictures of a folder's longest series, or of FOLDER/NAME*, in natural order of their names.

    Of series of the same length one whose names don't speak of flow is preferred, then the first in order.
    """
    source = Path(source)
    if not source.is_dir():
        return [path for path in _pictures(source.parent) if fnmatchcase(path.name, source.name)]
    series = {}
    for path in _pictures(source):
        series.setdefault(_pattern(path), []).append(path)
    return max(series.values(), key=lambda s: (len(s), "flow" not in s[0].name.lower()), default=[])


def _pictures(folder):
    """Return all pictures directly in a folder, in natural order of their names."""
    pictures = (path for path in Path(folder).iterdir() if path.suffix.lower() in SUFFIXES)
    visible = (path for path in pictures if not path.name.startswith(".") and path.is_file())
    return sorted(visible, key=lambda path: natural_key(path.name))


def is_animated(path):
    """Return whether a file is an animated WebP."""
    with open(path, "rb") as file:
        head = file.read(34)
    return head[:4] == b"RIFF" and head[8:12] == b"WEBP" and head[30:] == b"ANIM"


def _pattern(path):
    """Return what the names of a series have in common; names without a number are one series."""
    suffix = path.suffix.lower()
    pattern = re.sub(r"[0-9]+", "#", path.stem)
    return pattern if "#" in pattern else "", {".jpeg": ".jpg", ".tiff": ".tif"}.get(suffix, suffix)


def decode_images(source, size=None, colour="grey", first=0):
    """Yield the pictures of a folder from number `first` on, each (C, H, W), uint8 (see `FrameConverter`).

    ValueError names the file that cannot be read or differs in size from the first in the folder.
    """
    files = image_files(source)
    if not files:
        raise ValueError(f"{source}: there is no picture in this folder ({', '.join(sorted(SUFFIXES))})")
    expected = None
    convert = FrameConverter(size, colour)
    for path in [files[0], *files[first:]] if first else files:
        with naming(path):
            frame, matrix = _decode(path)
        actual = (frame.height, frame.width)
        if expected is None:
            expected = actual
            if first:
                continue
        if actual != expected:
            raise ValueError(
                f"{path}: is {actual[0]} x {actual[1]} pixels, but {files[0].name} in the same folder is "
                f"{expected[0]} x {expected[1]}; all pictures of a folder must have the same size"
            )
        with naming(path):
            picture = convert(frame, matrix)
        yield picture


def _decode(path):
    """Return the picture in a file as PyAV's frame, and its display matrix; the content tells the format."""
    av = load_av()
    content = path.read_bytes()
    name, decoder = next(
        (form for magic, form in _FORMATS.items() if content.startswith(magic)), (None, None)
    )
    if name is None:
        known = ", ".join(sorted({name for name, _ in _FORMATS.values()}))
        raise ValueError(f"{path}: is no picture in a known format, {known} (it begins with {content[:4]!r})")
    # The decoder fills what is missing at the end of a JPEG with grey, silently.
    if name == "JPEG" and content.rfind(_JPEG_END) < content.rfind(_JPEG_SCAN):
        raise ValueError(f"{path}: the JPEG is cut short (it has no end marker)")
    if is_animated(path):
        raise ValueError(f"{path}: the WebP is animated; a frame of a folder is one picture")
    _check_size(path, content)
    decoder = av.CodecContext.create(decoder, "r")
    # Without it what is damaged is filled with green or grey. It refuses TIFFs with tags it does not know.
    options = {} if name == "TIFF" else {"err_detect": "crccheck+explode"}
    decoder.options = options | {"max_pixels": str(most_pixels(path))}
    try:
        packet = av.Packet(_without_texts(content) if name == "PNG" else content)
        frames = decoder.decode(packet) or decoder.decode(None)
    except av.FFmpegError as error:
        raise ValueError(f"{path}: the {name} is broken") from error
    if not frames or frames[0].is_corrupt:
        raise ValueError(f"{path}: the {name} is broken" if frames else f"{path}: there is no picture in it")
    return frames[0], _exif_matrix(content)


def _check_size(path, content):
    """Raise `TooLarge`, naming the file, where the picture in it may not be read for its size."""
    try:
        with Image.open(io.BytesIO(content)) as image:
            size = image.size
    except Exception:  # Pillow's errors on damaged files are of many types
        return
    check_picture(path, size)


def _without_texts(content):
    """Return a PNG without its compressed texts and profile, which FFmpeg inflates without a bound."""
    kept, place = [content[:8]], 8
    while place < len(content):
        end = place + 12 + int.from_bytes(content[place : place + 4], "big")
        if content[place + 4 : place + 8] not in (b"zTXt", b"iTXt", b"iCCP"):
            kept.append(content[place:end])
        place = end
    return b"".join(kept)


def _exif_matrix(content):
    """Return the display matrix that Exif gives a picture, which FFmpeg 8.0 ignores but in JPEG.

    None if Pillow does not open what the decoder has read.
    """
    try:
        with Image.open(io.BytesIO(content)) as image:
            return np.array(_UPRIGHT.get(image.getexif().get(_ORIENTATION), _UPRIGHT[1]))
    except Exception:  # Pillow's errors on damaged Exif are of many types
        return None
