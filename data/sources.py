"""The videos below a folder, and which of them are for training and which for testing."""

import hashlib
import os
import re
from pathlib import Path

from .av_frame import load_av
from .image_sequence import SUFFIXES, image_files, is_animated, is_image_sequence, natural_key

#: Files with these endings are meant to be videos, whatever is in them; others are if PyAV finds one in them.
VIDEO_SUFFIXES = set(
    ".3g2 .3gp .asf .avi .divx .f4v .flv .gif .m2ts .m2v .m4v .mjpeg .mkv .mov .mp4 .mpeg .mpg .mts .mxf "
    ".ogm .ogv .ts .vob .webm .wmv .y4m".split()
)
#: What FFmpeg opens as a video although people don't: text as on a terminal, and pictures.
_NO_VIDEO = re.compile(r"tty|image2|.*_pipe")
#: How much of a file is read at a time.
_PART = 1 << 20
#: Clips of UCF-101 with the same group number were cut from the same recording.
_GROUP = re.compile(r"(.*_g[0-9]+)_c[0-9]+\.\w+")


def find_sources(folder):
    """Return the sources below a folder in natural order of their paths.

    A source is a video file (HMDB-51: CLASS/video.avi) or a folder with at least two pictures (OTB:
    NAME/img); pictures beside video files are assumed to be thumbnails. Hidden files and folders are ignored,
    links are followed. `folder` may also be a single source. FileNotFoundError if it does not exist,
    ValueError if there is no source in it.
    """
    folder = Path(folder)
    if folder.is_file() or (is_image_sequence(folder) and not folder.is_dir() and image_files(folder)):
        return [folder]
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: there is no such folder of videos")
    sources = []
    for parent, files in _walk(folder):
        videos = [file for file in files if is_video(file)]
        sources += videos or ([parent] if len(image_files(parent)) > 1 else [])
    if not sources:
        raise ValueError(
            f"{folder}: there is no video below this folder, neither a file that is one (.avi, .mp4, .mkv, "
            f"...) nor a folder of pictures ({' '.join(sorted(SUFFIXES))})"
        )
    return sorted(sources, key=lambda source: natural_key(source.relative_to(folder).as_posix()))


def unused_files(folder, sources):
    """Return the files below a folder that none of the sources found in it uses, in natural order."""
    used = {file for source in sources for file in files_of(source)}
    found = [file for _, files in _walk(Path(folder)) for file in files if file not in used]
    return sorted(found, key=lambda file: natural_key(file.as_posix()))


def files_of(source):
    """Return the files of a source: a video, or the pictures of a sequence."""
    return image_files(source) if is_image_sequence(source) else [Path(source)]


def is_video(path):
    """Return whether a file is meant to be a video, by its ending, or is one by its content."""
    if path.suffix.lower() in VIDEO_SUFFIXES:
        return True
    if path.suffix.lower() in SUFFIXES:
        return is_animated(path)
    av = load_av()
    try:
        with av.open(f"file:{path}") as container:
            shown = [s for s in container.streams.video if not s.disposition & s.disposition.attached_pic]
            return bool(shown) and not _NO_VIDEO.fullmatch(container.format.name)
    except (av.FFmpegError, ValueError, OSError):
        return False


def split_sources(sources, folder, test_share=0.2, seed=0):
    """Return the training and the test sources: each source is in only one, so no clip is in both.

    The side depends only on the seed and the path relative to `folder`: neither the order in the file system
    nor the location of the folder matters, and adding files moves few of the others. Clips of UCF-101 that
    were cut from one recording (the same name up to g01) are on the same side. There is at least one source
    on either side. ValueError if there are fewer than two, or all are of one recording.
    """
    if not 0 <= test_share <= 1:
        raise ValueError(f"test_share must be from 0 to 1, got {test_share}")
    groups = {}
    for source in sources:
        name = Path(source).relative_to(folder).as_posix()
        match = _GROUP.fullmatch(name)
        groups.setdefault(match[1] if match else name, []).append(source)
    if len(groups) < 2:
        alike = " of one recording" if len(sources) > 1 else ""
        raise ValueError(
            f"{folder}: {len(sources)} video{'s' * bool(alike)}{alike} cannot be split into training and "
            "test; add others or name a folder of test videos"
        )

    def draw(name):
        return hashlib.sha256(f"{seed}/{name}".encode("utf-8", "surrogateescape")).digest()

    n_test, test = max(1, round(test_share * len(sources))), set()
    for name in sorted(groups, key=draw)[:-1]:
        if len(test) >= n_test:
            break
        test |= set(groups[name])
    return [s for s in sources if s not in test], [s for s in sources if s in test]


def without_copies(sources, others):
    """Return the sources that are none of the `others`, and those that are: the same files, or copies.

    Of links the targets count. Contents are compared only where sizes agree.
    """
    paths = {file.resolve() for source in others for file in files_of(source) if file.exists()}
    sizes, digests = {}, {}

    def digest(source):
        if source not in digests:
            digests[source] = [_digest(file) for file in files_of(source)]
        return digests[source]

    for source in others:
        if all(file.exists() for file in files_of(source)):
            sizes.setdefault(_sizes(source), []).append(source)
    kept, copies = [], []
    for source in sources:
        files = [file for file in files_of(source) if file.exists()]
        alike = sizes.get(_sizes(source), []) if files else []
        same = any(file.resolve() in paths for file in files) or any(
            digest(source) == digest(other) for other in alike
        )
        (copies if same else kept).append(source)
    return kept, copies


def _digest(path):
    """Return a checksum of a file's content, which may be larger than the memory."""
    checksum = hashlib.sha256()
    with open(path, "rb") as file:
        while part := file.read(_PART):
            checksum.update(part)
    return checksum.digest()


def _sizes(source):
    return tuple(file.stat().st_size for file in files_of(source))


def _walk(folder):
    """Yield (folder, its visible files) of a folder and those below it; links are followed, but once."""
    visited = set()
    for name, folders, files in os.walk(folder, followlinks=True):
        parent = Path(name)
        folders[:] = [entry for entry in folders if not entry.startswith(".")]
        target = parent.resolve()
        if target in visited:  # a link to a parent folder, or a second one to the same folder
            folders.clear()
            continue
        visited.add(target)
        yield parent, [parent / file for file in files if not file.startswith(".")]
