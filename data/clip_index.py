"""One pass through a source: how many frames, where to enter it, where it cuts; then exact windows of it.

A seek in a video file lands somewhere near: some files begin a frame early or late, or lose frames that
depend on what was before. So the first pass notes a checksum of every frame as it is resized, and a window
is what matches the checksums; where a seek doesn't lead there, the file is decoded from its beginning.
"""

import zlib
from bisect import bisect_right
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .video import decode, resample

#: How many frames after the expected place are tried before a seek counts as failed.
_SLACK = 8


@dataclass(frozen=True)
class SourceIndex:
    """What is remembered of a source with F decoded frames, of which K are used.

    checksums: (F,). entries: the (frame number, seek) that decoding can begin at. used: (K,), the
    frame numbers that remain after resampling and leaving out repeats. jumps: (K - 1,), the mean absolute
    difference between neighbours, 0 to 1. repeats: how many were left out. pictures: (K, C, H, W) uint8, or
    None when they are more than was allowed.
    """

    source: Path
    size: tuple
    colour: str
    checksums: np.ndarray
    entries: list
    used: np.ndarray
    jumps: np.ndarray
    repeats: int
    pictures: np.ndarray | None

    def window(self, start, count):
        """Return the used frames start, ..., start + count - 1 as (count, C, H, W), uint8.

        ValueError when the file isn't any more what it was.
        """
        if self.pictures is not None:
            return self.pictures[start : start + count]
        numbers = self.used[start : start + count]
        first, last = int(numbers[0]), int(numbers[-1])
        decoded = self._decoded(first, last + 1)
        return np.stack([decoded[number - first] for number in numbers])

    def _decoded(self, first, end):
        """Return the decoded frames first, ..., end - 1."""
        wanted = self.checksums[first:end].tolist()
        place = bisect_right(self.entries, first, key=lambda entry: entry[0]) - 1
        if place >= 0:
            number, seek = self.entries[place]
            try:
                if found := self._find(wanted, seek, end - number + _SLACK):
                    return found
            except ValueError:  # some decoders stumble after a seek
                pass
        if found := self._find(wanted, None, end):
            return found
        raise ValueError(f"{self.source}: the file is not what it was when its frames were counted")

    def _find(self, wanted, seek, limit):
        """Return the first run of frames with these checksums within `limit` frames of a seek, or None."""
        pictures, checksums = deque(maxlen=len(wanted)), deque(maxlen=len(wanted))
        for count, frame in enumerate(decode(self.source, self.size, self.colour, seek), 1):
            pictures.append(frame.picture)
            checksums.append(zlib.crc32(frame.picture))
            if list(checksums) == wanted:
                return list(pictures)
            if count == limit:
                return None
        return None


def index_source(source, size, colour="grey", rate=None, skip_repeats=False, keep_bytes=0):
    """Decode a source from beginning to end and return its `SourceIndex`.

    Its pictures are kept when they are at most `keep_bytes`. Other arguments and errors as in `video.frames`
    and `Clips`.
    """
    checksums, entries = [], []

    def numbered():
        for number, frame in enumerate(decode(source, size, colour)):
            checksums.append(zlib.crc32(frame.picture))
            if frame.seek is not None:
                entries.append((number, frame.seek))
            yield frame.time, (number, frame.picture)

    used, jumps, kept, repeats, previous = [], [], [], 0, None
    for number, picture in resample(numbered(), rate):
        if previous is not None:
            if skip_repeats and np.array_equal(picture, previous):
                repeats += 1
                continue
            jumps.append(np.abs(picture.astype(np.int16) - previous).mean() / 255)
        used.append(number)
        previous = picture
        if kept is not None:
            kept.append(picture)
            if len(kept) * picture.nbytes > keep_bytes:
                kept = None
    return SourceIndex(
        Path(source),
        size,
        colour,
        np.array(checksums, np.uint32),
        entries,
        np.array(used),
        np.array(jumps, np.float32),
        repeats,
        np.stack(kept) if kept else None,
    )
