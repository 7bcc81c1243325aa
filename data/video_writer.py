"""Write pictures to a video file, MP4 or GIF, one after the other and in constant memory."""

from fractions import Fraction
from pathlib import Path

import numpy as np

from nnlite.files import replacing

from .av_frame import load_av

#: The first of these that this PyAV can encode, with options for good quality.
_MP4_ENCODERS = {"libx264": {"crf": "16"}, "mpeg4": {"flags": "qscale", "global_quality": "354"}}


def write_video(path, frames, rate):
    """Write frames (H, W, 3), uint8, to `path`, whose ending .mp4 or .gif says how; return the codec's name.

    frames: any iterable; of each only one picture is in memory. rate: frames a second. MP4 is H.264 where
    PyAV can encode it ("h264"), else "mpeg4"; both need even sides, so an odd side gets its last row or
    column twice. Each frame of a GIF has 256 colours of its own. The file is written under another name and
    renamed at the end: whatever goes wrong, also in `frames`, an earlier one stays. ValueError, naming the
    file, when there is no frame, or one of another shape or type.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in (".mp4", ".gif"):
        raise ValueError(f"{path}: a video is written as .mp4 or .gif, by the ending of its name")
    if not 0 < rate < float("inf"):
        raise ValueError(f"{path}: rate must be a positive number of frames a second, got {rate!r}")
    av = load_av()
    write, pictures = _write_mp4 if kind == ".mp4" else _write_gif, _checked(path, frames)
    with replacing(path) as part:
        try:
            with av.open(f"file:{part}", "w", format=kind[1:]) as container:
                return write(av, container, pictures, Fraction(rate).limit_denominator(1001))
        except av.FFmpegError as error:
            raise OSError(f"{path}: the video could not be written ({error.strerror})") from error


def _checked(path, frames):
    """Yield the frames; ValueError when one does not fit, or there is none."""
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


def _write_mp4(av, container, pictures, rate):
    name = next(name for name in _MP4_ENCODERS if name in av.codecs_available)
    stream = None
    for picture in pictures:
        height, width, _ = picture.shape
        picture = np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        if stream is None:
            stream = container.add_stream(name, rate=rate, options=_MP4_ENCODERS[name])
            stream.height, stream.width = picture.shape[:2]
            stream.pix_fmt = "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
    container.mux(stream.encode())
    return "h264" if name == "libx264" else name


def _write_gif(av, container, pictures, rate):
    stream = graph = None
    for number, picture in enumerate(pictures):
        height, width, _ = picture.shape
        if stream is None:
            graph = _own_colours(av, width, height, rate)
            stream = container.add_stream("gif", rate=rate)
            stream.height, stream.width, stream.pix_fmt = height, width, "pal8"
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
        frame.pts, frame.time_base = number, 1 / rate
        graph.push(frame)
        container.mux(stream.encode(graph.pull()))
    container.mux(stream.encode())
    return "gif"


def _own_colours(av, width, height, rate):
    """Return a filter that reduces each frame to the 256 colours that suit it."""
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
