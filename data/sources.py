"""Which videos there are below a folder, and which of them are for training and which for testing."""

import hashlib
import os
from pathlib import Path

from .image_sequence import image_files, natural_key

VIDEO_SUFFIXES = {
    *(".3gp", ".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".ts"),
    *(".webm", ".wmv"),
}


def find_sources(folder):
    """Return the sources below a folder in natural order of their paths.

    They are video files (HMDB-51: CLASS/video.avi) and folders with two pictures or more (OTB: NAME/img);
    pictures beside video files are taken for thumbnails. Hidden files and folders are passed over, links
    followed. `folder` may be a single video file too. FileNotFoundError when it does not exist, ValueError
    when there is nothing in it.
    """
    folder = Path(folder)
    if folder.is_file():
        return [folder]
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: there is no such folder of videos")
    found, seen = [], set()
    for name, folders, files in os.walk(folder, followlinks=True):
        here = Path(name)
        folders[:] = [entry for entry in folders if not entry.startswith(".")]
        real = here.resolve()
        if real in seen:  # a link to a folder above, or a second one to the same
            folders.clear()
            continue
        seen.add(real)
        videos = [here / file for file in files if _is_video(file)]
        found += videos or ([here] if len(image_files(here)) > 1 else [])
    if not found:
        raise ValueError(
            f"{folder}: no video below this folder: neither a file with one of the endings "
            f"{' '.join(sorted(VIDEO_SUFFIXES))} nor a folder with PNG or JPEG pictures"
        )
    return sorted(found, key=lambda source: natural_key(source.relative_to(folder).as_posix()))


def split_sources(sources, folder, test_share=0.2, seed=0):
    """Return the training and the test sources: each source is in just one, so no clip is in both.

    Which goes where follows from the seed and the path below `folder` alone: neither the order of the file
    system nor where the folder lies matters, and further files leave most where they were. At least one
    source is on either side. ValueError when there are fewer than two.
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

    count = min(max(1, round(test_share * len(sources))), len(sources) - 1)
    test = set(sorted(sources, key=draw)[:count])
    return [s for s in sources if s not in test], [s for s in sources if s in test]


def _is_video(name):
    return not name.startswith(".") and Path(name).suffix.lower() in VIDEO_SUFFIXES
