"""Image sequences: folders of PNG or JPEG pictures, one per frame, in natural order (2 before 10)."""

import re
from pathlib import Path

from .av_frame import FrameConverter, load_av

SUFFIXES = {".png", ".jpg", ".jpeg"}
#: Frames a second assumed for a folder of pictures, which does not say.
RATE = 25.0

_DECODERS = {b"\x89PNG": "png", b"\xff\xd8\xff": "mjpeg"}
_JPEG_SCAN, _JPEG_END = b"\xff\xda", b"\xff\xd9"


def natural_key(name):
    """Return a key that sorts names as people do: digits as numbers, ignoring case."""
    parts = re.split(r"([0-9]+)", str(name).lower())
    return [int(part) if i % 2 else part for i, part in enumerate(parts)], str(name)


def image_files(folder):
    """Return the pictures directly in a folder, in natural order of their names."""
    pictures = (path for path in Path(folder).iterdir() if path.suffix.lower() in SUFFIXES)
    visible = (path for path in pictures if not path.name.startswith(".") and path.is_file())
    return sorted(visible, key=lambda path: natural_key(path.name))


def decode_images(folder, size=None, colour="grey", first=0):
    """Yield the pictures of a folder from number `first` on, each (C, H, W), uint8 (see `FrameConverter`).

    ValueError names the file that cannot be read or differs in size from the first in the folder.
    """
    files = image_files(folder)
    if not files:
        raise ValueError(f"{folder}: there is no picture in this folder ({', '.join(sorted(SUFFIXES))})")
    expected = None
    convert = FrameConverter(size, colour)
    for path in [files[0], *files[first:]] if first else files:
        frame = _decode(path)
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
        yield convert(frame)


def _decode(path):
    """Return the picture in a file as PyAV's frame; the first bytes tell its format."""
    av = load_av()
    content = path.read_bytes()
    name = next((name for magic, name in _DECODERS.items() if content.startswith(magic)), None)
    if name is None:
        raise ValueError(f"{path}: is neither a PNG nor a JPEG picture (it begins with {content[:4]!r})")
    # The decoder fills what is missing at the end of a JPEG with grey, silently.
    if name == "mjpeg" and content.rfind(_JPEG_END) < content.rfind(_JPEG_SCAN):
        raise ValueError(f"{path}: the JPEG is cut short (it has no end marker)")
    decoder = av.CodecContext.create(name, "r")
    try:
        frames = decoder.decode(av.Packet(content)) or decoder.decode(None)
    except av.FFmpegError as error:
        raise ValueError(f"{path}: the {'PNG' if name == 'png' else 'JPEG'} is broken") from error
    if not frames:
        raise ValueError(f"{path}: there is no picture in it")
    return frames[0]
