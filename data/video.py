"""Videos, frame by frame: files that PyAV can decode and folders of pictures, under one interface.

A *source* is the path of a video file or of a folder with an image sequence. Every function reads it once, in
constant memory. The rotation stored in a file is applied.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import image_sequence
from .av_file import file_frames, frame_times, warn
from .av_frame import FrameConverter, check_format, naming
from .video_times import rate_of, resample


@dataclass(frozen=True)
class DecodedFrame:
    """A decoded frame: picture (C, H, W) uint8, time in seconds, and `seek`, with which `decode` starts here.

    `seek` is None for frames that depend on earlier ones.
    """

    picture: np.ndarray
    time: float
    seek: int | tuple | None


@dataclass(frozen=True)
class VideoInfo:
    """The metadata of a source: upright size (height, width), frames a second, and when each frame is shown.

    rate: that of the times (F,), in seconds, from the first frame to the last.
    """

    size: tuple
    rate: float
    times: np.ndarray

    @property
    def n_frames(self):
        """The number of frames."""
        return len(self.times)

    def n_frames_at(self, rate):
        """Return how many frames `read_frames` gives at this `rate`; None: as many as there are."""
        return sum(1 for _ in resample(((time, None) for time in self.times), rate))


def read_frames(source, size=None, colour="grey", rate=None, deinterlace=False, strict=False, say=warn):
    """Return an iterator over the frames of a source, each (C, H, W) float32 in [0, 1].

    size: (height, width) to resize to, None for the source's own. colour: "grey" or "rgb". rate: frames a
    second; each of its instants gets the frame nearest in time, so frames are dropped or repeated. None gives
    each frame of the source once. Folders of pictures are assumed to have 25 frames a second. deinterlace: of
    interlaced video, show one of the two moments of each frame.

    ValueError or OSError, naming the file, if it is missing, no video, cut short or changes its size; the
    error is raised where the problem is noticed, after the good frames before it. Damaged frames inside a
    file are left out, up to the next key frame, with a warning; with `strict` they are errors. say: called
    with what is to be said of a file that is read all the same, in place of a warning.
    """
    check_format(size, colour)
    check_rate(rate)
    decoded = decode(source, size, colour, deinterlace=deinterlace, strict=strict, say=say)
    return map(as_float, resample(((frame.time, frame.picture) for frame in decoded), rate))


def _ignore(message):
    """Leave unsaid what is said while all frames are read."""


def as_float(picture):
    """Return pixel values 0..255 as float32 in [0, 1]."""
    return picture / np.float32(255)


def check_rate(rate):
    """Raise ValueError unless `rate` is None or a number of frames a second."""
    if rate is not None and not 0 < rate < float("inf"):
        raise ValueError(f"rate must be a positive number of frames a second or None, got {rate!r}")


def decode(source, size=None, colour="grey", seek=None, deinterlace=False, strict=False, say=warn):
    """Yield each `DecodedFrame` of a source, from the first one or from the one with this `seek`.

    After a seek, some files resume a few frames early or late. say: called with a message, beginning with the
    name of the file, about what does not stop us. Other arguments and errors are those of `read_frames`.
    """
    source = Path(source)
    if image_sequence.is_image_sequence(source):
        first = seek or 0
        for k, picture in enumerate(image_sequence.decode_images(source, size, colour, first), first):
            yield DecodedFrame(picture, k / image_sequence.RATE, k)
        return
    convert, expected = FrameConverter(size, colour), None
    for number, found in enumerate(file_frames(source, seek, deinterlace, strict, say)):
        actual = (found.frame.height, found.frame.width)
        expected = expected or actual
        if actual != expected:
            raise ValueError(
                f"{source}: frame {number} is {actual[0]} x {actual[1]} pixels, those before it "
                f"{expected[0]} x {expected[1]}; split the file there, or convert it to one size"
            )
        with naming(source):
            picture = convert(found.frame)
        yield DecodedFrame(picture, found.time, found.seek)


def video_info(source, say=warn):
    """Return the `VideoInfo` of a source; `say` and errors are those of `read_frames`."""
    source = Path(source)
    size = next(decode(source, say=_ignore)).picture.shape[1:]
    if image_sequence.is_image_sequence(source):
        times, rate = (
            np.arange(len(image_sequence.image_files(source))) / image_sequence.RATE,
            image_sequence.RATE,
        )
    else:
        times, rate = frame_times(source, say)
        rate = rate_of(times, rate)
    return VideoInfo(size, rate, np.array(times))
