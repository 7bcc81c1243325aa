"""Image sequences: a folder of PNG or JPEG pictures, one a frame, in natural order (2 before 10)."""

import re
from pathlib import Path

from .av_frame import Pictures, load_av

SUFFIXES = {".png", ".jpg", ".jpeg"}
#: Frames a second that a folder of pictures is taken to have, since it does not say.
RATE = 25.0

_DECODERS = {b"\x89PNG": "png", b"\xff\xd8\xff": "mjpeg"}
_JPEG_SCAN, _JPEG_END = b"\xff\xda", b"\xff\xd9"


def natural_key(name):
    """Return a key that sorts names as people do: digits as numbers, capitals beside small letters."""
    parts = re.split(r"([0-9]+)", str(name).lower())
    return [int(part) if i % 2 else part for i, part in enumerate(parts)], str(name)


def image_files(folder):
    """Return the pictures directly in a folder, in natural order of their names."""
    found = (path for path in Path(folder).iterdir() if path.suffix.lower() in SUFFIXES)
    shown = (path for path in found if not path.name.startswith(".") and path.is_file())
    return sorted(shown, key=lambda path: natural_key(path.name))


def decode_images(folder, size=None, colour="grey", first=0):
    """Yield the pictures of a folder from number `first` on, each (C, H, W), uint8 (see `Pictures`).

    ValueError names the file that cannot be read or whose size is not that of the folder's first.
    """
    files = image_files(folder)
    if not files:
        raise ValueError(f"{folder}: there is no picture in this folder ({', '.join(sorted(SUFFIXES))})")
    expected = None
    pictures = Pictures(size, colour)
    for path in [files[0], *files[first:]] if first else files:
        frame = _decode(path)
        found = (frame.width, frame.height)
        if expected is None:
            expected = found
            if first:
                continue
        if found != expected:
            raise ValueError(
                f"{path}: is {found[0]} x {found[1]} pixels, but {files[0].name} of the same sequence "
                f"{expected[0]} x {expected[1]}; all pictures of a folder must have one size"
            )
        yield pictures(frame)


def _decode(path):
    """Return the picture in a file as PyAV's frame; what it is, is seen from its first bytes."""
    av = load_av()
    content = path.read_bytes()
    name = next((name for magic, name in _DECODERS.items() if content.startswith(magic)), None)
    if name is None:
        raise ValueError(f"{path}: is neither a PNG nor a JPEG picture (it begins with {content[:4]!r})")
    # The decoder fills what is missing at the end of a JPEG with grey, without a word.
    if name == "mjpeg" and content.rfind(_JPEG_END) < content.rfind(_JPEG_SCAN):
        raise ValueError(f"{path}: the JPEG is cut short (it has no end mark)")
    decoder = av.CodecContext.create(name, "r")
    try:
        found = decoder.decode(av.Packet(content)) or decoder.decode(None)
    except av.FFmpegError as error:
        raise ValueError(f"{path}: the {'PNG' if name == 'png' else 'JPEG'} is broken") from error
    if not found:
        raise ValueError(f"{path}: there is no picture in it")
    return found[0]
