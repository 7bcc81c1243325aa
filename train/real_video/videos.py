"""Which videos a run learns from and is tested on, and which of their clips are scored."""

import math
import os
from pathlib import Path

from nnlite.data import hmdb51, ucf101
from nnlite.data.clips import Clips
from nnlite.data.folders import data_folder
from nnlite.data.middlebury import find_middlebury, middlebury_pairs
from nnlite.data.moving_textures import picture_texture
from nnlite.data.sintel import find_sintel, sintel_pairs
from nnlite.data.sources import find_sources, split_sources, unused_files, without_copies
from nnlite.files import as_text
from nnlite.train.real_video.drawn_videos import draw_videos

#: Where drawn videos are, in the folder of the run.
DRAWN = "drawn"
#: Test clips scored now and then during training, for the curves. They are not used for model selection.
VALIDATION_CLIPS = 20
#: How many files are named of those that are left out.
_LISTED = 5


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
    """Return the training and the test sources; the drawn ones in the run's `folder` where none are named.

    No test video is among the training ones, nor a copy of one. What is left out is printed.
    """
    train, test = _named_videos(settings, folder)
    train, copies = without_copies(train, test)
    if copies:
        print(f"Left out of training, since they are test videos or copies of them: {_list(copies)}\n")
    if not train:
        raise ValueError("no video is left to train on: all that --videos names are test videos")
    return train, test


def _named_videos(settings, folder):
    folders = [Path(name).resolve() for name in settings.videos or (folder / DRAWN,)]
    if not settings.videos and not folders[0].is_dir():
        raise FileNotFoundError(
            "the videos that the model learned from are not here: name some to score it on with --test, or "
            "the folder above videos/ in the environment variable NNLITE_DATA"
        )
    if settings.splits:
        published = ucf101 if ucf101.has_splits(settings.splits) else hmdb51
        return published.read_split(folders[0], settings.splits, settings.split)
    sources = [source for place in folders for source in _find(place)]
    if settings.test:
        return sources, find_test_videos(settings)
    # The seed of a run does not change the split: all runs are scored on the same videos.
    return split_sources(sources, os.path.commonpath(folders), settings.test_share)


def find_test_videos(settings):
    """Return the sources in the folders that the settings name for the test."""
    return [source for place in settings.test for source in _find(place)]


def _find(place):
    """Return the sources below a folder; print how many of its files are none."""
    sources = find_sources(place)
    unused = unused_files(place, sources)
    if unused:
        print(f"{place}: {len(unused)} files are neither videos nor frames of one: {_list(unused)}\n")
    return sources


def _list(paths):
    """Return the names of some paths, and how many there are beyond these."""
    more = f" and {len(paths) - _LISTED} more" if len(paths) > _LISTED else ""
    return ", ".join(video_name(path) for path in paths[:_LISTED]) + more


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
        deinterlace=settings.deinterlace,
    )


def textures_of(clips, numbers):
    """Return the function of a NumPy generator that makes a texture of a frame of the clips so numbered."""

    def draw(random):
        clip = clips.clip(numbers[int(random.integers(len(numbers)))])
        return picture_texture(clip[random.integers(len(clip))])

    return draw


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


def benchmark_pairs(settings):
    """Return the pairs of frames with known flow in the folders that the settings name."""
    pairs = sintel_pairs(find_sintel(settings.sintel))[0] if settings.sintel else []
    return pairs + (middlebury_pairs(find_middlebury(settings.middlebury))[0] if settings.middlebury else [])


def video_name(source):
    """Return the name of a source; that of a folder of pictures (in OTB always img) with the one above."""
    return as_text(f"{source.parent.name}/{source.name}" if source.is_dir() else source.name)


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
