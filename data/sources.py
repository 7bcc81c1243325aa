"""The videos below a folder, and which of them are for training and which for testing."""

import hashlib
import os
from pathlib import Path

from .image_sequence import image_files, natural_key

VIDEO_SUFFIXES = set(".3gp .avi .flv .m4v .mkv .mov .mp4 .mpeg .mpg .mts .ogv .ts .webm .wmv".split())


def find_sources(folder):
    """Return the sources below a folder in natural order of their paths.

    A source is a video file (HMDB-51: CLASS/video.avi) or a folder with at least two pictures (OTB:
    NAME/img); pictures beside video files are assumed to be thumbnails. Hidden files and folders are ignored,
    links are followed. `folder` may also be a single video file. FileNotFoundError if it does not exist,
    ValueError if there is no source in it.
    """
    folder = Path(folder)
    if folder.is_file():
        return [folder]
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: there is no such folder of videos")
    sources, visited = [], set()
    for name, folders, files in os.walk(folder, followlinks=True):
        parent = Path(name)
        folders[:] = [entry for entry in folders if not entry.startswith(".")]
        target = parent.resolve()
        if target in visited:  # a link to a parent folder, or a second one to the same folder
            folders.clear()
            continue
        visited.add(target)
        videos = [parent / file for file in files if _is_video(file)]
        sources += videos or ([parent] if len(image_files(parent)) > 1 else [])
    if not sources:
        raise ValueError(
            f"{folder}: there is no video below this folder, neither a file that ends in one of "
            f"{' '.join(sorted(VIDEO_SUFFIXES))} nor a folder of PNG or JPEG pictures"
        )
    return sorted(sources, key=lambda source: natural_key(source.relative_to(folder).as_posix()))


def split_sources(sources, folder, test_share=0.2, seed=0):
    """Return the training and the test sources: each source is in only one, so no clip is in both.

    The side depends only on the seed and the path relative to `folder`: neither the order in the file system
    nor the location of the folder matters, and adding files moves few of the others. There is at least one
    source on either side. ValueError if there are fewer than two.
    """
    if not 0 < test_share < 1:
        raise ValueError(f"test_share must be between 0 and 1, got {test_share}")
    if len(sources) < 2:
        raise ValueError(
            f"{folder}: {len(sources)} video cannot be split into training and test; add others or name a "
            "folder of test videos"
        )

    def draw(source):
        name = Path(source).relative_to(folder).as_posix()
        return hashlib.sha256(f"{seed}/{name}".encode("utf-8", "surrogateescape")).digest()

    n_test = min(max(1, round(test_share * len(sources))), len(sources) - 1)
    test = set(sorted(sources, key=draw)[:n_test])
    return [s for s in sources if s not in test], [s for s in sources if s in test]


def _is_video(name):
    return not name.startswith(".") and Path(name).suffix.lower() in VIDEO_SUFFIXES
