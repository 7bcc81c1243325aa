"""Clips of T frames from any number of videos: a numbered list to train on, read on demand.

    clips = Clips(find_sources("videos"), n_frames=11, size=(64, 64))
    frames = clips.batch([5, 0, 17]).frames      # (11, 3, 1, 64, 64)

Clip i is always the same frames of the same file, so that a training step follows from its clip numbers alone
and a resumed run is identical to the bit.
"""

import zlib

import numpy as np
from tqdm.auto import tqdm

from .av_frame import check_format
from .clip_index import index_source
from .video import as_float, check_rate
from .video_dataset import VideoBatch

#: Differences of neighbouring frames at 64x64 measured in real clips: over 0.18 at all hard cuts but one
#: (0.08), up to 0.09 with a hand-held camera.
USUAL_MAX_JUMP = 0.12

_MEGABYTE = 1 << 20
_LISTED = 10


class Clips:
    """A `VideoDataset` with a length: clips of `n_frames` neighbouring frames, one every `stride` frames.

    Each source is decoded once to count its frames; sources that are damaged or too short are skipped and
    named in `skipped` (with `strict` they raise ValueError). The first `cache_mib` MiB of resized frames stay
    in memory as bytes; clips of other files are decoded whenever they are needed. Apart from that, only a few
    numbers per frame are kept.

    size: (height, width). stride: `n_frames` by default, so that clips do not overlap. colour, rate: see
    `read_frames`. max_jump: clips in which two neighbouring frames, at this size and with values in [0, 1],
    differ by more on average are left out, because they contain a cut; `USUAL_MAX_JUMP` is a good value, None
    leaves none out. skip_repeats: frames identical to the one before, at this size, are removed before clips
    are formed (including those that a high `rate` produces). progress: whether to show a progress bar.
    deinterlace: see `read_frames`.

    Attributes: `skipped`, a list of messages; `remarks`, another, about videos in use; `sources`, those in
    use; `total_frames` of these; `n_repeats` and `n_cuts`, how many frames and clips were left out;
    `signature`, which identifies all clips.
    """

    def __init__(
        self,
        sources,
        n_frames,
        size,
        stride=None,
        colour="grey",
        rate=None,
        max_jump=None,
        skip_repeats=False,
        strict=False,
        cache_mib=256,
        progress=False,
        deinterlace=False,
    ):
        stride = n_frames if stride is None else stride
        if n_frames < 1 or stride < 1:
            raise ValueError(f"n_frames and stride must be at least 1, got {n_frames} and {stride}")
        check_format(size, colour)
        check_rate(rate)
        if size is None:
            raise ValueError("clips of several files need one size (height, width)")
        self.n_frames, self.size = n_frames, tuple(size)
        self.channels = 1 if colour == "grey" else 3
        self.skipped, self.remarks, self.n_repeats, self.n_cuts = [], [], 0, 0
        self._indices, starts_of_clips = [], []
        free = cache_mib * _MEGABYTE
        for source in tqdm(sources, "reading videos", unit=" files", disable=not progress):
            try:
                index = index_source(
                    source, self.size, colour, rate, skip_repeats, free, deinterlace, self.remarks.append
                )
                if len(index.used) < n_frames:
                    raise ValueError(
                        f"{source}: too short, {len(index.used)} of the {n_frames} frames of a clip"
                    )
            except (ValueError, OSError) as error:
                if strict:
                    raise
                self.skipped.append(str(error))
                continue
            starts = np.arange(0, len(index.used) - n_frames + 1, stride)
            smooth = [
                max_jump is None or not (index.jumps[s : s + n_frames - 1] > max_jump).any() for s in starts
            ]
            self.n_cuts += len(starts) - sum(smooth)
            self.n_repeats += index.n_repeats
            starts_of_clips += [(len(self._indices), s) for s in starts[smooth]]
            self._indices.append(index)
            free -= index.cached.nbytes if index.cached is not None else 0
        self._starts = np.array(starts_of_clips, np.int64).reshape(
            -1, 2
        )  # (index of the source, first frame)
        if not len(self):
            limit = f" (max_jump is {max_jump:g})" if self.n_cuts else ""
            raise ValueError(f"there is no clip of {n_frames} frames in {self.describe()}{limit}")

    @property
    def sources(self):
        """The paths of the files and folders in use."""
        return [index.source for index in self._indices]

    @property
    def total_frames(self):
        """The number of frames in use, over all sources."""
        return sum(len(index.used) for index in self._indices)

    @property
    def signature(self):
        """A number that changes if any clip or the order of the clips does."""
        signature = zlib.crc32(self._starts)
        for index in self._indices:
            signature = zlib.crc32(index.checksums[index.used], signature)
        return signature

    def __len__(self):
        return len(self._starts)

    def source_of(self, i):
        """Return the source of clip i and the number of its first frame among those in use."""
        index, start = self._locate(i)
        return index.source, start

    def clip(self, i):
        """Return clip i, (T, C, H, W) float32."""
        return self.batch([i]).frames[:, 0]

    def batch(self, indices):
        """Return the `VideoBatch` of the clips with these numbers, from 0 to len() - 1.

        May be called from several threads. ValueError or OSError naming the file that has changed or
        disappeared since it was indexed.
        """
        frames = np.empty((self.n_frames, len(indices), self.channels, *self.size), np.float32)
        for n, i in enumerate(indices):
            index, start = self._locate(i)
            frames[:, n] = as_float(index.read(start, self.n_frames))
        return VideoBatch(frames)

    def describe(self):
        """Return a summary: how many videos, frames and clips, and what was left out and why."""
        text = f"{len(self.sources)} videos: {self.total_frames} frames, {len(self)} clips of {self.n_frames}"
        if self.n_repeats:
            text += f"; left out {self.n_repeats} repeated frames"
        if self.n_cuts:
            text += f"; left out {self.n_cuts} clips with a cut"
        if self.skipped:
            text += f"; skipped {len(self.skipped)} videos:" + _lines(self.skipped)
        if self.remarks:
            text += f"; {len(self.remarks)} remarks:" + _lines(self.remarks)
        return text

    def _locate(self, i):
        """Return the `SourceIndex` of clip i and the number of its first frame."""
        if not 0 <= i < len(self):
            raise IndexError(f"clip {i} of {len(self)}")
        number, start = self._starts[i]
        return self._indices[number], int(start)


def _lines(messages):
    """Return the first messages, each on a line of its own, and how many there are beyond these."""
    text = "".join(f"\n  {message}" for message in messages[:_LISTED])
    return text + (f"\n  and {len(messages) - _LISTED} more" if len(messages) > _LISTED else "")
