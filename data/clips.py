"""Clips of T frames from any number of videos: a numbered list to train on, read when they are needed.

    clips = Clips(find_sources("videos"), frames=11, size=(64, 64))
    batch = clips.batch([5, 0, 17])      # (11, 3, 1, 64, 64)

Clip i is the same frames of the same file at any time, so what a training step sees follows from its clip
numbers alone, and a run that is resumed goes on to the bit.
"""

import zlib

import numpy as np
from tqdm import tqdm

from .av_frame import check_format
from .clip_index import index_source
from .video import as_float, check_rate

#: Differences of neighbouring frames at 64x64 seen in real clips: over 0.18 at all hard cuts but one (0.08),
#: up to 0.09 with a hand-held camera.
USUAL_MAX_JUMP = 0.12

_MEGABYTE = 1 << 20
_LISTED = 10


class Clips:
    """All windows of `frames` neighbouring frames of the sources, every `stride` frames, in float32 [0, 1].

    Each source is decoded once to count its frames; sources that are broken or too short are left out and
    named in `skipped` (with `strict` they are a ValueError). Of the resized frames the first `cache_mib` MiB
    stay in memory as bytes; clips of other files are decoded whenever they are asked for. Beside these only
    a few numbers a frame are kept.

    size: (height, width). stride: `frames` by default, so that clips don't overlap. colour, rate: see
    `video.frames`. max_jump: clips with two neighbouring frames whose mean absolute difference, at this size
    and for values in [0, 1], is above it are left out, as they contain a cut; `USUAL_MAX_JUMP` is a good
    value, None leaves none out. skip_repeats: frames that equal the one before to the bit, at this size, are
    left out before clips are cut (so are those that a high `rate` makes). progress: whether to show a bar.

    After construction: `skipped`, a list of messages; `sources`, those in use; `frame_count` of these;
    `repeats` and `cuts`, how many frames and clips were left out; `signature`, which identifies all clips.
    """

    def __init__(
        self,
        sources,
        frames,
        size,
        stride=None,
        colour="grey",
        rate=None,
        max_jump=None,
        skip_repeats=False,
        strict=False,
        cache_mib=256,
        progress=False,
    ):
        stride = frames if stride is None else stride
        if frames < 1 or stride < 1:
            raise ValueError(f"frames and stride must be at least 1, got {frames} and {stride}")
        check_format(size, colour)
        check_rate(rate)
        if size is None:
            raise ValueError("clips of several files need one size (height, width)")
        self.frames, self.size = frames, tuple(size)
        self.channels = 1 if colour == "grey" else 3
        self.skipped, self.repeats, self.cuts = [], 0, 0
        self._indices, places = [], []
        room = cache_mib * _MEGABYTE
        for source in tqdm(sources, "reading videos", unit=" files", disable=not progress):
            try:
                index = index_source(source, self.size, colour, rate, skip_repeats, room)
                if len(index.used) < frames:
                    raise ValueError(
                        f"{source}: too short, {len(index.used)} of the {frames} frames of a clip"
                    )
            except (ValueError, OSError) as error:
                if strict:
                    raise
                self.skipped.append(str(error))
                continue
            starts = np.arange(0, len(index.used) - frames + 1, stride)
            smooth = [
                max_jump is None or not (index.jumps[s : s + frames - 1] > max_jump).any() for s in starts
            ]
            self.cuts += len(starts) - sum(smooth)
            self.repeats += index.repeats
            places += [(len(self._indices), s) for s in starts[smooth]]
            self._indices.append(index)
            room -= index.pictures.nbytes if index.pictures is not None else 0
        self._places = np.array(places, np.int64).reshape(-1, 2)
        if not len(places):
            raise ValueError(f"there is no clip of {frames} frames to be had from {self.describe()}")

    @property
    def sources(self):
        """The paths of the files and folders in use."""
        return [index.source for index in self._indices]

    @property
    def frame_count(self):
        """The number of frames in use."""
        return sum(len(index.used) for index in self._indices)

    @property
    def signature(self):
        """A number that changes when any clip or the order of the clips does."""
        signature = zlib.crc32(self._places)
        for index in self._indices:
            signature = zlib.crc32(index.checksums[index.used], signature)
        return signature

    def __len__(self):
        return len(self._places)

    def place(self, i):
        """Return the source of clip i and the number of its first frame among those in use."""
        index, start = self._find(i)
        return index.source, start

    def clip(self, i):
        """Return clip i, (T, C, H, W) float32."""
        return self.batch([i])[:, 0]

    def batch(self, indices):
        """Return the clips of the given numbers, (T, N, C, H, W) float32.

        May be called from several threads. ValueError or OSError naming the file that has changed or gone
        since it was counted.
        """
        batch = np.empty((self.frames, len(indices), self.channels, *self.size), np.float32)
        for n, i in enumerate(indices):
            index, start = self._find(i)
            batch[:, n] = as_float(index.window(start, self.frames))
        return batch

    def describe(self):
        """Return in words how much there is, and what was left out and why."""
        text = f"{len(self.sources)} videos: {self.frame_count} frames, {len(self)} clips of {self.frames}"
        if self.repeats:
            text += f"; left out {self.repeats} repeated frames"
        if self.cuts:
            text += f"; left out {self.cuts} clips with a cut"
        if self.skipped:
            text += f"; left out {len(self.skipped)} videos:"
            text += "".join(f"\n  {reason}" for reason in self.skipped[:_LISTED])
        if len(self.skipped) > _LISTED:
            text += f"\n  and {len(self.skipped) - _LISTED} more"
        return text

    def _find(self, i):
        """Return the index of the source of clip i and where the clip starts."""
        if not 0 <= i < len(self):
            raise IndexError(f"clip {i} of {len(self)}")
        number, start = self._places[i]
        return self._indices[number], int(start)
