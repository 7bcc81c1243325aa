"""Which videos a run learns from and is tested on, and which of their clips are scored."""

import math
import os
from pathlib import Path

from nnlite.data.clips import Clips
from nnlite.data.folders import data_folder
from nnlite.data.hmdb51 import read_split
from nnlite.data.sources import find_sources, split_sources
from nnlite.train.real_video.drawn_videos import draw_videos

#: Where drawn videos are, in the folder of the run.
DRAWN = "drawn"
#: Test clips scored now and then during training, for the curves. They are not used for model selection.
VALIDATION_CLIPS = 20


def default_folders():
    """Return videos/ and sequences/ in the folder that NNLITE_DATA names, those that exist, or None."""
    root = data_folder()
    folders = [(root / name).resolve() for name in ("videos", "sequences")] if root else []
    return tuple(str(folder) for folder in folders if folder.is_dir()) or None


def draw_missing_videos(folder):
    """Draw the videos that a run without any learns from, in its `folder`."""
    print(
        "No videos here: name folders of them with --videos, or the folder above videos/ in the\n"
        "environment variable NNLITE_DATA. In their place some drawn by this command, textured shapes\n"
        "that move.\n"
    )
    draw_videos((folder / DRAWN).resolve())


def find_videos(settings, folder):
    """Return the training and the test sources; the drawn ones in the run's `folder` where none are named."""
    folders = [Path(name).resolve() for name in settings.videos or (folder / DRAWN,)]
    if not settings.videos and not folders[0].is_dir():
        raise FileNotFoundError(
            "the videos that the model learned from are not here: name some to score it on with --test, or "
            "the folder above videos/ in the environment variable NNLITE_DATA"
        )
    if settings.splits:
        return read_split(folders[0], settings.splits, settings.split)
    sources = [source for place in folders for source in find_sources(place)]
    if settings.test:
        return sources, find_test_videos(settings)
    # The seed of a run does not change the split: all runs are scored on the same videos.
    return split_sources(sources, os.path.commonpath(folders), settings.test_share)


def find_test_videos(settings):
    """Return the sources in the folders that the settings name for the test."""
    return [source for place in settings.test for source in find_sources(place)]


def load_clips(sources, settings, stride):
    """Return the `Clips` of the sources, one every `stride` frames."""
    return Clips(
        sources,
        settings.frames,
        settings.size,
        stride,
        settings.colour,
        settings.rate or None,
        settings.max_jump,
        skip_repeats=True,
        strict=settings.strict,
        cache_mib=settings.cache_mib,
        progress=True,
    )


def choose_clips(clips, most):
    """Return the numbers of at most `most` clips of each source, evenly spread over it."""
    by_source = {}
    for i in range(len(clips)):
        by_source.setdefault(clips.source_of(i)[0], []).append(i)
    chosen = []
    for numbers in by_source.values():
        count = min(most, len(numbers))
        chosen += [numbers[(2 * k + 1) * len(numbers) // (2 * count)] for k in range(count)]
    return chosen


def video_name(source):
    """Return the name of a source; that of a folder of pictures (in OTB always img) with the one above."""
    return f"{source.parent.name}/{source.name}" if source.is_dir() else source.name


class TestClips:
    """The clips to score: of each test video some that are evenly spread and don't overlap.

    `clips`: of all test videos. `chosen`: the numbers of those to score. `sources`: the videos of these.
    """

    def __init__(self, sources, settings):
        self.clips = load_clips(sources, settings, settings.frames)
        self.chosen = choose_clips(self.clips, settings.test_clips)
        self.sources = [self.clips.source_of(i)[0] for i in self.chosen]

    def describe(self):
        """Return in words how many there are."""
        return f"{self.clips.describe()}; {len(self.chosen)} of them are scored"

    @property
    def validation_subset(self):
        """The numbers of at most `VALIDATION_CLIPS` of the chosen clips."""
        return self.chosen[:: math.ceil(len(self.chosen) / VALIDATION_CLIPS)]

    def most_changing(self, most):
        """Return {source: clip number} of each video's chosen clip whose last two frames differ most.

        Of these the `most` that differ most, in this order.
        """
        change = {i: self._last_change(i) for i in self.chosen}
        best = {}
        for source, i in zip(self.sources, self.chosen):
            if source not in best or change[i] > change[best[source]]:
                best[source] = i
        return dict(sorted(best.items(), key=lambda item: -change[item[1]])[:most])

    def _last_change(self, i):
        *_, before, last = self.clips.clip(i)
        return float(((last - before) ** 2).mean())
