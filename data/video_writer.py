"""Writes pictures to a video file, MP4 or GIF, one at a time and in constant memory."""

from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np

from nnlite.files import CannotWrite
from nnlite.library_file import file_for_library

from .av_frame import load_av

#: Encoders with options for good quality; the first one that this PyAV has is used.
_MP4_ENCODERS = {"libx264": {"crf": "16"}, "mpeg4": {"flags": "qscale", "global_quality": "354"}}
#: The durations in a GIF are hundredths of a second.
_GIF_RATE = 100
#: The one for pictures that must come back as they were, and that has one result for one input: libx264 has
#: been seen to write several.
_LOSSLESS = {"png": {}}


def write_video(path, frames, rate, lossless=False):
    """Write frames (H, W, 3), uint8, to `path`, an .mp4 or .gif file; return the codec's name.

    frames: any iterable; only one picture at a time is in memory. rate: frames a second. MP4 is H.264 if PyAV
    can encode it ("h264"), else "mpeg4"; both need even sides, so for an odd side the last row or column is
    doubled. lossless: the codec of an MP4 is "png", which few players show; the same frames always give the
    same bytes, and these the same frames. Each frame of a GIF has its own palette of 256 colours. The file is
    replaced atomically: if anything fails, `frames` included, an earlier file is kept. ValueError, naming the
    file, if there is no frame, or one of a different shape or type.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (".mp4", ".gif"):
        raise ValueError(f"{path}: the name of a video must end in .mp4 or .gif")
    if not 0 < rate < float("inf"):
        raise ValueError(f"{path}: rate must be a positive number of frames a second, got {rate!r}")
    if suffix == ".gif" and rate > _GIF_RATE:
        raise ValueError(
            f"{path}: a GIF shows at most {_GIF_RATE} frames a second, got {rate:g}; write an .mp4, or take "
            "fewer (--rate)"
        )
    av = load_av()
    if lossless and suffix != ".mp4":
        raise ValueError(f"{path}: only .mp4 can be lossless")
    encoders = _LOSSLESS if lossless else _MP4_ENCODERS
    write = partial(_write_mp4, encoders) if suffix == ".mp4" else _write_gif
    pictures = _checked(path, frames)
    with file_for_library(path) as target:
        try:
            with av.open(target, "w", format=suffix[1:]) as container:
                pictures = _until_full(target, pictures)
                return write(av, container, pictures, Fraction(rate).limit_denominator(1001))
        except av.FFmpegError as error:
            raise CannotWrite(error.errno, error.strerror, str(path)) from error


def _until_full(target, pictures):
    """Yield the pictures as long as what was made of them can be written."""
    for picture in pictures:
        target.check()
        yield picture


def _checked(path, frames):
    """Yield the frames; ValueError if one has a wrong shape or type, or there is none."""
    shape, number = None, -1
    for number, frame in enumerate(frames):
        frame = np.asarray(frame)
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or not frame.size:
            raise ValueError(
                f"{path}: frame {number} must be (H, W, 3) of uint8, got {frame.shape} of {frame.dtype}"
            )
        shape = shape or frame.shape
        if frame.shape != shape:
            raise ValueError(f"{path}: frame {number} is {frame.shape}, those before it {shape}")
        yield frame
    if number < 0:
        raise ValueError(f"{path}: there is no frame to write")


def _write_mp4(encoders, av, container, pictures, rate):
    name = next(name for name in encoders if name in av.codecs_available)
    stream = None
    for picture in pictures:
        if name != "png":
            height, width, _ = picture.shape
            picture = np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        if stream is None:
            stream = container.add_stream(name, rate=rate, options=encoders[name])
            stream.height, stream.width = picture.shape[:2]
            stream.pix_fmt = "rgb24" if name == "png" else "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
    container.mux(stream.encode())
    return "h264" if name == "libx264" else name


def _write_gif(av, container, pictures, rate):
    stream = graph = None
    for number, picture in enumerate(pictures):
        height, width, _ = picture.shape
        if stream is None:
            graph = _palette_filter(av, width, height, rate)
            stream = container.add_stream("gif", rate=rate)
            stream.height, stream.width, stream.pix_fmt = height, width, "pal8"
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
        frame.pts, frame.time_base = number, 1 / rate
        graph.push(frame)
        container.mux(stream.encode(graph.pull()))
    container.mux(stream.encode())
    return "gif"


def _palette_filter(av, width, height, rate):
    """Return a filter that reduces each frame to 256 colours of its own."""
    graph = av.filter.Graph()
    source = graph.add_buffer(width=width, height=height, format="rgb24", time_base=1 / rate)
    split = graph.add("split")
    palette = graph.add("palettegen", "stats_mode=single:reserve_transparent=0")
    reduce = graph.add("paletteuse", "new=1:dither=none")
    sink = graph.add("buffersink")
    source.link_to(split)
    split.link_to(reduce, 0, 0)
    split.link_to(palette, 1, 0)
    palette.link_to(reduce, 0, 1)
    reduce.link_to(sink)
    graph.configure()
    return graph
