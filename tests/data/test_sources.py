"""Finding videos, splitting them, and HMDB-51's published splits."""

import random

import pytest

from nnlite.data.hmdb51 import read_split
from nnlite.data.sources import find_sources, split_sources


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def names(folder, sources):
    return [source.relative_to(folder).as_posix() for source in sources]


def test_layouts(tmp_path):
    touch(tmp_path, "wave/b10.avi", "wave/b9.AVI", "wave/b9.jpg", "wave/b10.jpg", "smile/é.mp4")  # HMDB-51
    touch(tmp_path, "otb/img/0001.jpg", "otb/img/0002.jpg", "otb/groundtruth_rect.txt")
    touch(tmp_path, "prost/1.png", "prost/2.png", "prost/note.txt", "x.mkv")
    touch(tmp_path, "one/poster.png", ".cache/a.mp4", "._x.mkv", "readme.md")
    found = names(tmp_path, find_sources(tmp_path))
    assert found == ["otb/img", "prost", "smile/é.mp4", "wave/b9.AVI", "wave/b10.avi", "x.mkv"]
    assert find_sources(tmp_path / "otb" / "img") == [tmp_path / "otb" / "img"]
    assert find_sources(str(tmp_path / "x.mkv")) == [tmp_path / "x.mkv"]


def test_links_are_followed_once(tmp_path):
    touch(tmp_path, "elsewhere/a.mp4", "videos/b.mp4")
    (tmp_path / "videos" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "videos" / "loop").symlink_to(tmp_path / "videos")
    assert names(tmp_path / "videos", find_sources(tmp_path / "videos")) == ["b.mp4", "link/a.mp4"]


def test_nothing_to_find(tmp_path):
    touch(tmp_path, "note.txt", "one/poster.png")
    with pytest.raises(
        ValueError, match=rf"{tmp_path}: there is no video below this folder, neither a file .*\.avi"
    ):
        find_sources(tmp_path)
    with pytest.raises(FileNotFoundError, match="none: there is no such folder of videos"):
        find_sources(tmp_path / "none")


def test_split(tmp_path):
    sources = [tmp_path / f"class{k % 3}" / f"{k}.mp4" for k in range(40)]
    train, test = split_sources(sources, tmp_path, test_share=0.25, seed=3)
    assert len(test) == 10 and sorted(train + test) == sorted(sources)
    assert split_sources(sources, tmp_path, 0.25, 3) == (train, test)
    assert split_sources(sources, tmp_path, 0.25, 4) != (train, test)

    shuffled = random.Random(0).sample(sources, 40)
    assert [set(part) for part in split_sources(shuffled, tmp_path, 0.25, 3)] == [set(train), set(test)]
    moved = [tmp_path / "copy" / source.relative_to(tmp_path) for source in sources]
    assert names(tmp_path / "copy", split_sources(moved, tmp_path / "copy", 0.25, 3)[1]) == names(
        tmp_path, test
    )
    grown = split_sources([*sources, *(tmp_path / f"new{k}.mp4" for k in range(4))], tmp_path, 0.25, 3)
    assert len(set(grown[1]) & set(test)) >= 8


def test_split_of_few(tmp_path):
    two = [tmp_path / "a.mp4", tmp_path / "b.mp4"]
    for share in (0.01, 0.99):
        assert [len(part) for part in split_sources(two, tmp_path, share)] == [1, 1]
    with pytest.raises(ValueError, match=rf"{tmp_path}: 1 video cannot be split .* folder of test videos"):
        split_sources(two[:1], tmp_path)
    with pytest.raises(ValueError, match="test_share must be between 0 and 1, got 1"):
        split_sources(two, tmp_path, 1)


# ---- HMDB-51 ----------------------------------------------------------------------------------------------


@pytest.fixture
def hmdb(tmp_path):
    """A folder of videos and one of splits, two classes of three videos."""
    videos, splits = tmp_path / "videos", tmp_path / "splits"
    touch(videos, "wave/a#1 (x).avi", "wave/b.avi", "wave/c.avi", "brush_hair/d.avi", "brush_hair/e.avi")
    splits.mkdir()
    (splits / "wave_test_split1.txt").write_text("a#1 (x).avi 1 \nb.avi 2 \nc.avi 0 \n\n")
    (splits / "brush_hair_test_split1.txt").write_text("d.avi 2\ne.avi 1\ngone.avi 1\n")
    return videos, splits


def test_hmdb51(hmdb):
    videos, _ = hmdb
    train, test = read_split(*hmdb)
    assert names(videos, train) == ["brush_hair/e.avi", "brush_hair/gone.avi", "wave/a#1 (x).avi"]
    assert names(videos, test) == ["brush_hair/d.avi", "wave/b.avi"]


def test_hmdb51_without_its_files(hmdb, tmp_path):
    videos, splits = hmdb
    with pytest.raises(FileNotFoundError, match=r"brush_hair_test_split2\.txt: the split file .* is missing"):
        read_split(videos, splits, 2)
    with pytest.raises(FileNotFoundError, match="none: there is no such folder"):
        read_split(videos, tmp_path / "none")
    with pytest.raises(FileNotFoundError, match=f"{splits}: HMDB-51 has one folder per class"):
        read_split(splits, splits)
    for path in videos.glob("*/*.avi"):
        path.unlink()
    with pytest.raises(FileNotFoundError, match="videos: none of the videos that the split files name"):
        read_split(videos, splits)


@pytest.mark.parametrize("line", ["b.avi 3", "b.avi", "1"])
def test_hmdb51_with_a_broken_split_file(hmdb, line):
    videos, splits = hmdb
    (splits / "wave_test_split1.txt").write_text(f"a.avi 1\n{line}\n")
    with pytest.raises(ValueError, match=rf"wave_test_split1\.txt: line 2 is '{line}'"):
        read_split(videos, splits)
