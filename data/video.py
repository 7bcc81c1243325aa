"""Videos, frame by frame: files that PyAV can decode and folders of pictures, under one interface.

A *source* is the path of a video file or of a folder with an image sequence. Every function reads it once, in
constant memory. The rotation stored in a file is applied.
"""

from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import image_sequence
from .av_frame import FrameConverter, check_format, load_av

#: Frames a second assumed for a file that does not say.
_USUAL_RATE = 25.0
#: Times that differ by less, in seconds, are considered equal.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class DecodedFrame:
    """A decoded frame: picture (C, H, W) uint8, time in seconds, and `seek`, with which `decode` starts here.

    `seek` is None for frames that depend on earlier ones.
    """

    picture: np.ndarray
    time: float
    seek: int | None


@dataclass(frozen=True)
class VideoInfo:
    """The metadata of a source: upright size (height, width), frames a second, approximate number of frames.

    n_frames is None if the source does not say.
    """

    size: tuple
    rate: float
    n_frames: int | None


def read_frames(source, size=None, colour="grey", rate=None):
    """Return an iterator over the frames of a source, each (C, H, W) float32 in [0, 1].

    size: (height, width) to resize to, None for the source's own. colour: "grey" or "rgb". rate: frames a
    second; each of its instants gets the frame nearest in time, so frames are dropped or repeated. None gives
    each frame of the source once. Folders of pictures are assumed to have 25 frames a second. ValueError or
    OSError, naming the file, if it is missing, damaged, cut short or changes its size; the error is raised
    where the problem is noticed, after the good frames before it.
    """
    check_format(size, colour)
    check_rate(rate)
    timed = ((frame.time, frame.picture) for frame in decode(source, size, colour))
    return map(as_float, resample(timed, rate))


def as_float(picture):
    """Return pixel values 0..255 as float32 in [0, 1]."""
    return picture / np.float32(255)


def check_rate(rate):
    """Raise ValueError unless `rate` is None or a number of frames a second."""
    if rate is not None and not 0 < rate < float("inf"):
        raise ValueError(f"rate must be a positive number of frames a second or None, got {rate!r}")


def resample(timed, rate):
    """Yield from (time, item) pairs the items nearest to the times t₀ + k / rate; all if `rate` is None.

    t₀ is the time of the first item; the last item is valid until half of its distance to the one before has
    passed. Ties go to the earlier item.
    """
    if rate is None:
        yield from (item for _, item in timed)
        return
    k, start, end, last = 0, None, None, None
    for time, item in timed:
        if last is None:
            start = end = time
        else:
            change = (last[0] + time) / 2
            while start + k / rate <= change + _ROUNDING:
                yield last[1]
                k += 1
            end = time + (time - last[0]) / 2
        last = time, item
    while last is not None and (k == 0 or start + k / rate < end - _ROUNDING):
        yield last[1]
        k += 1


def decode(source, size=None, colour="grey", seek=None):
    """Yield each `DecodedFrame` of a source, from the first one or from the one with this `seek`.

    After a seek, some files resume a few frames early or late. Arguments and errors are those of
    `read_frames`.
    """
    source = Path(source)
    if source.is_dir():
        first = seek or 0
        for k, picture in enumerate(image_sequence.decode_images(source, size, colour, first), first):
            yield DecodedFrame(picture, k / image_sequence.RATE, k)
        return
    convert = FrameConverter(size, colour)
    expected, number, seeks = None, 0, deque()
    with _opened(source) as (container, stream):
        time_of = _clock(container, stream)
        if seek is not None:
            container.seek(seek, stream=stream)
        for packet in container.demux(stream):
            # In some formats this is the only sign that the file is truncated; what the decoder holds is
            # good.
            truncated = packet.is_corrupt
            if packet.is_keyframe:
                seeks.append(packet.pts if _has_times(container) else packet.dts)
            for frame in stream.decode(None) if truncated else packet.decode():
                if frame.is_corrupt:
                    raise _damaged(source, number)
                actual = (frame.height, frame.width)
                expected = expected or actual
                if actual != expected:
                    raise ValueError(
                        f"{source}: frame {number} is {actual[0]} x {actual[1]} pixels, those before it "
                        f"{expected[0]} x {expected[1]}; split the file there, or convert it to one size"
                    )
                frame_seek = seeks.popleft() if frame.key_frame and seeks else None
                yield DecodedFrame(convert(frame), time_of(frame), frame_seek)
                number += 1
            if truncated:
                raise _damaged(source, number)
    if not number and seek is None:
        raise ValueError(f"{source}: there is no frame in it; is the file cut short?")


def video_info(source):
    """Return the `VideoInfo` of a source; errors are those of `read_frames`."""
    source = Path(source)
    size = next(decode(source)).picture.shape[1:]
    if source.is_dir():
        return VideoInfo(size, image_sequence.RATE, len(image_sequence.image_files(source)))
    with _opened(source) as (container, stream):
        rate = _rate(stream)
        n_frames = stream.frames
        if not n_frames and container.duration:
            n_frames = round(container.duration / load_av().time_base * rate)
    return VideoInfo(size, rate, n_frames or None)


def _damaged(source, n_frames):
    return ValueError(f"{source}: the file is damaged or cut short after {n_frames} frames")


@contextmanager
def _opened(path):
    """Open a video file as PyAV's container and stream; its errors become ValueErrors that name the file."""
    av = load_av()
    if not path.exists():
        raise FileNotFoundError(f"{path}: there is no such video file or folder")
    try:
        # Without the prefix, a colon in the name would denote a protocol.
        with av.open(f"file:{path}") as container:
            stream = container.streams.best("video")
            if stream is None:
                raise ValueError(f"{path}: there is no video in this file")
            stream.thread_type = "AUTO"
            yield container, stream
    except av.FFmpegError as error:
        reason = error.strerror or type(error).__name__
        raise ValueError(
            f"{path}: cannot be read as a video ({reason}); is it complete, and a video?"
        ) from error


def _rate(stream):
    return float(stream.average_rate or stream.guessed_rate or _USUAL_RATE)


def _has_times(container):
    """Return whether the file states when each frame is shown."""
    # AVI does not, and PyAV's guess is wrong if frames are stored out of order.
    return container.format.name != "avi"


def _clock(container, stream):
    """Return a function that returns the time of a frame in seconds; to be called for all frames in order."""
    step, timed = 1 / _rate(stream), _has_times(container)
    last = None

    def time_of(frame):
        nonlocal last
        guess = 0.0 if last is None else last + step
        time = float(frame.pts * stream.time_base) if timed and frame.pts is not None else guess
        last = time if last is None or time > last else guess
        return last

    return time_of
