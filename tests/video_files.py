"""Small videos for tests: pictures whose brightness is their number, and files made of them."""

import struct
from fractions import Fraction

import av
import numpy as np

QUARTER_TURN = (0, 1, -1, 0)  # clockwise, as a phone held upright writes it


def pictures(count, height=48, width=64, first=0):
    """Return `count` grey pictures (H, W, 3), uint8, that `number_of` tells apart, with some texture."""
    y, x = np.mgrid[:height, :width]
    texture = 8 * np.sin(x / 5) * np.sin(y / 7)
    return [
        np.repeat((30 + 4 * k + texture).round().astype(np.uint8)[..., None], 3, axis=2)
        for k in range(first, first + count)
    ]


def number_of(picture):
    """Return which of `pictures` this is, values in [0, 1], also after compression and resizing."""
    return round((255 * float(np.mean(picture)) - 30) / 4)


def make_video(path, frames, rate=25, codec=None, times=None, **options):
    """Write frames (H, W, 3) to a file of the format its name says; return its path.

    codec: H.264 by default, MPEG-4 for AVI. times: in seconds, for a varying rate. options: FFmpeg's, for
    the encoder, such as g, the distance of key frames.
    """
    codec = codec or ("mpeg4" if str(path).endswith(".avi") else "libx264")
    options = {"g": "12", "bf": "2"} | {name: str(value) for name, value in options.items()}
    with av.open(f"file:{path}", "w") as container:
        stream = container.add_stream(codec, rate=rate, options=options)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt, stream.bit_rate = "yuv420p", 2_000_000
        for k, frame in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            if times:
                frame.pts, frame.time_base = round(90000 * times[k]), Fraction(1, 90000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def make_picture(path, pixels):
    """Write one picture (H, W, 3) as PNG or JPEG, as the name says; return its path."""
    codec, form = ("png", "rgb24") if path.suffix.lower() == ".png" else ("mjpeg", "yuvj420p")
    encoder = av.CodecContext.create(codec, "w")
    encoder.height, encoder.width = pixels.shape[:2]
    encoder.pix_fmt, encoder.time_base = form, Fraction(1, 25)
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24").reformat(format=form)
    path.write_bytes(b"".join(bytes(p) for p in [*encoder.encode(frame), *encoder.encode(None)]))
    return path


def make_folder(folder, frames, name="{}.png"):
    """Write frames as the pictures name.format(0), ... of a new folder; return its path."""
    folder.mkdir(parents=True)
    for k, frame in enumerate(frames):
        make_picture(folder / name.format(k), frame)
    return folder


def turn(path, matrix):
    """Make an MP4 file ask for being displayed through the 2x2 matrix (a, b, c, d)."""
    content = bytearray(path.read_bytes())
    a, b, c, d = (round(n * 65536) for n in matrix)
    start = content.index(b"tkhd") + 44
    content[start : start + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)


def change_size(path):
    """Write an H.264 stream whose first 5 frames are 64 x 48 pixels and the other 5 are 96 x 64."""
    parts = [path.with_suffix(f".{k}.h264") for k in (1, 2)]
    make_video(parts[0], pictures(5))
    make_video(parts[1], pictures(5, 64, 96))
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    for part in parts:
        part.unlink()
    return path


def cut(path, share):
    """Keep only the first `share` of a file's bytes."""
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    return path
