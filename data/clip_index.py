"""An index of a source, made in one pass: its frames, seek points and cuts; then exact access to its frames.

A seek in a video file is only approximate: some files resume a frame early or late, or lose frames that
depend on earlier ones; transport and program streams resume one key frame late, ASF two early. So the first
pass stores a checksum of every resized frame, and frames are found again by their checksums. Where a
seek resumes is remembered for the next ones; if none leads to the frames, decoding starts at the beginning.
"""

import zlib
from bisect import bisect_right
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mode

import numpy as np

from .av_file import warn
from .video import decode
from .video_times import resample

#: How many frames after the expected one are tried before a seek counts as failed.
_SLACK = 8
#: How many seeks are tried before the file is decoded from its beginning.
_ATTEMPTS = 8


@dataclass(frozen=True)
class SourceIndex:
    """The index of a source with F decoded frames, of which K are used.

    checksums: (F,). seek_points: the (frame number, seek) at which decoding can begin. used: (K,), the
    numbers of the frames that remain after resampling and removing repeats. jumps: (K - 1,), the mean
    absolute difference between neighbours, 0 to 1. n_repeats: how many frames were removed as repeats.
    deinterlace: whether interlaced frames are made whole. cached: the used frames (K, C, H, W) uint8, or None
    if they exceed the memory allowed. resumes: the numbers of the frames that were reached, by the numbers of
    the seek points that were asked for.
    """

    source: Path
    size: tuple
    colour: str
    checksums: np.ndarray
    seek_points: list
    used: np.ndarray
    jumps: np.ndarray
    n_repeats: int
    deinterlace: bool
    cached: np.ndarray | None
    resumes: dict = field(default_factory=dict)

    def read(self, start, n_frames):
        """Return the used frames start, ..., start + n_frames - 1 as (n_frames, C, H, W), uint8.

        ValueError if the file has changed.
        """
        if self.cached is not None:
            return self.cached[start : start + n_frames]
        numbers = self.used[start : start + n_frames]
        first, last = int(numbers[0]), int(numbers[-1])
        decoded = self._decoded(first, last + 1)
        return np.stack([decoded[number - first] for number in numbers])

    def _decoded(self, first, end):
        """Return the decoded frames first, ..., end - 1."""
        expected = self.checksums[first:end].tolist()
        before = self._last_point(first)
        usual = mode([self._last_point(frame) - asked for asked, frame in self.resumes.items()] or [0])
        asked = min(before - usual, len(self.seek_points) - 1)
        for _ in range(_ATTEMPTS):
            while asked >= 0 and self.resumes.get(asked, 0) > first:
                asked -= 1
            if asked < 0:
                break
            try:
                if frames := self._find(expected, first, asked):
                    return frames
            except ValueError:  # some decoders fail after a seek
                pass
            asked -= 1
        if frames := self._find(expected, first):
            return frames
        raise ValueError(f"{self.source}: the file has changed since its frames were counted")

    def _last_point(self, frame):
        """Return the number of the last seek point that is not after a frame; -1 if there is none."""
        return bisect_right(self.seek_points, frame, key=lambda point: point[0]) - 1

    def _find(self, expected, first, asked=None):
        """Return the first run of frames with these checksums, or None.

        first: the number of the first of them. asked: the number of the seek point to ask for, None for the
        beginning of the file; where it resumes is noted.
        """
        number, seek = (0, None) if asked is None else self.seek_points[asked]
        slack = 0 if asked is None else _SLACK
        pictures, checksums = deque(maxlen=len(expected)), deque(maxlen=len(expected))
        decoded = decode(self.source, self.size, self.colour, seek, self.deinterlace, say=_ignore)
        for count, frame in enumerate(decoded, 1):
            pictures.append(frame.picture)
            checksums.append(zlib.crc32(frame.picture))
            if count == 1 and asked is not None:
                alike = np.flatnonzero(self.checksums == checksums[0])
                if len(alike) == 1:
                    number = self.resumes[asked] = int(alike[0])
                    if number > first:
                        return None
            if list(checksums) == expected:
                return list(pictures)
            if count >= first - number + len(expected) + slack:
                return None
        return None


def _ignore(message):
    """Leave unsaid what was said when the file was indexed."""


def index_source(
    source, size, colour="grey", rate=None, skip_repeats=False, keep_bytes=0, deinterlace=False, say=warn
):
    """Decode a source from beginning to end and return its `SourceIndex`.

    The used frames are cached if they take at most `keep_bytes`. say: called with what is to be said about
    the file. Other arguments and errors are those of `read_frames`, which is strict here, and `Clips`.
    """
    checksums, seek_points = [], []

    decoded = decode(source, size, colour, deinterlace=deinterlace, strict=True, say=say)

    def numbered():
        for number, frame in enumerate(decoded):
            checksums.append(zlib.crc32(frame.picture))
            if frame.seek is not None:
                seek_points.append((number, frame.seek))
            yield frame.time, (number, frame.picture)

    used, jumps, cached, n_repeats, previous = [], [], [], 0, None
    for number, picture in resample(numbered(), rate):
        if previous is not None:
            if skip_repeats and np.array_equal(picture, previous):
                n_repeats += 1
                continue
            jumps.append(np.abs(picture.astype(np.int16) - previous).mean() / 255)
        used.append(number)
        previous = picture
        if cached is not None:
            cached.append(picture)
            if len(cached) * picture.nbytes > keep_bytes:
                cached = None
    return SourceIndex(
        Path(source),
        size,
        colour,
        np.array(checksums, np.uint32),
        seek_points,
        np.array(used),
        np.array(jumps, np.float32),
        n_repeats,
        deinterlace,
        np.stack(cached) if cached else None,
    )
