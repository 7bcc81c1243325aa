"""Finding videos, splitting them, and HMDB-51's published splits."""

import random

import pytest

from nnlite.data import ucf101
from nnlite.data.hmdb51 import read_split
from nnlite.data.sources import find_sources, split_sources, unused_files, without_copies


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
    for share in (0, 0.01, 0.99, 1):
        assert [len(part) for part in split_sources(two, tmp_path, share)] == [1, 1]
    with pytest.raises(ValueError, match=rf"{tmp_path}: 1 video cannot be split .* folder of test videos"):
        split_sources(two[:1], tmp_path)
    for share in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match=f"test_share must be from 0 to 1, got {share}"):
            split_sources(two, tmp_path, share)


def test_videos_by_their_content(tmp_path):
    """Whatever their names are; pictures, text and sound are none."""
    pytest.importorskip("av")
    from tests.video_files import make_folder, make_video, pictures

    for name in ("a.m2ts", "b.asf", "c.vob", "d.mp4"):
        codec = {"b.asf": "mpeg4", "c.vob": "mpeg2video"}.get(name)
        make_video(tmp_path / name, pictures(3), codec=codec, **({"bf": 0} if name == "b.asf" else {}))
    (tmp_path / "d.mp4").rename(tmp_path / "d")
    make_video(tmp_path / "e.mkv", pictures(3)).rename(tmp_path / "e.dat")
    make_folder(tmp_path / "one", pictures(1), "poster.png")
    touch(tmp_path, "x.gif", "y.y4m")
    (tmp_path / "notes.txt").write_text("These are the videos.\n" * 100)
    (tmp_path / "table.csv").write_text("1,2\n" * 100)
    sources = find_sources(tmp_path)
    assert names(tmp_path, sources) == ["a.m2ts", "b.asf", "c.vob", "d", "e.dat", "x.gif", "y.y4m"]
    assert names(tmp_path, unused_files(tmp_path, sources)) == ["notes.txt", "one/poster.png", "table.csv"]


def test_unused_files(tmp_path):
    touch(
        tmp_path, "a/img_1.png", "a/img_2.png", "a/img_3.jpg", "a/flow_x_1.png", "b/x.avi", "b/x.jpg", "c.md"
    )
    sources = find_sources(tmp_path)
    assert names(tmp_path, sources) == ["a", "b/x.avi"]
    unused = names(tmp_path, unused_files(tmp_path, sources))
    assert unused == ["a/flow_x_1.png", "a/img_3.jpg", "b/x.jpg", "c.md"]
    chosen = tmp_path / "a" / "flow_*"
    assert find_sources(chosen) == [chosen]
    with pytest.raises(FileNotFoundError, match=r"none_\*: there is no such folder"):
        find_sources(tmp_path / "a" / "none_*")


def test_copies_are_found(tmp_path):
    """The same file by another path, links, and the same content under another name."""
    touch(tmp_path, "in/a.mp4", "in/b.mp4", "in/c.mp4", "in/same size.mp4", "test/elsewhere.mp4")
    touch(tmp_path, "in/f/1.png", "in/f/2.png", "test/g/8.png", "test/g/9.png")
    for k, path in enumerate(sorted(tmp_path.glob("in/*.mp4"))):
        path.write_bytes(bytes([k]) * 100)
    for one, other in (("in/f/1.png", "test/g/8.png"), ("in/f/2.png", "test/g/9.png")):
        (tmp_path / one).write_bytes(one.encode())
        (tmp_path / other).write_bytes(one.encode())
    (tmp_path / "test" / "elsewhere.mp4").write_bytes((tmp_path / "in" / "a.mp4").read_bytes())
    (tmp_path / "test" / "link.mp4").symlink_to(tmp_path / "in" / "b.mp4")
    sources = find_sources(tmp_path / "in")
    tests = [*find_sources(tmp_path / "test"), tmp_path / "in" / ".." / "in" / "c.mp4", tmp_path / "gone.mp4"]
    kept, copies = without_copies(sources, tests)
    assert names(tmp_path, kept) == ["in/same size.mp4"]
    assert names(tmp_path, copies) == ["in/a.mp4", "in/b.mp4", "in/c.mp4", "in/f"]
    assert without_copies([tmp_path / "gone.mp4"], tests)[0] == [tmp_path / "gone.mp4"]


def test_a_split_by_recording(tmp_path):
    sources = [tmp_path / "Dive" / f"v_Dive_g{g:02d}_c{c:02d}.avi" for g in range(1, 9) for c in range(1, 5)]
    train, test = split_sources(sources, tmp_path, 0.25)
    groups = [{source.name[:10] for source in part} for part in (train, test)]
    assert not groups[0] & groups[1] and len(test) == 8 and len(train) == 24
    with pytest.raises(ValueError, match="4 videos of one recording cannot be split"):
        split_sources(sources[:4], tmp_path)


# ---- UCF-101 ----------------------------------------------------------------------------------------------


def test_ucf101(tmp_path):
    videos, splits = tmp_path / "UCF-101", tmp_path / "lists"
    touch(videos, "Dive/v_Dive_g01_c01.avi", "v_Row_g02_c01.avi")
    splits.mkdir()
    (splits / "trainlist02.txt").write_text("Dive/v_Dive_g08_c01.avi 1\nRow/v_Row_g02_c01.avi 2\n\n")
    (splits / "testlist02.txt").write_text("Dive/v_Dive_g01_c01.avi\n")
    assert ucf101.has_splits(splits) and not ucf101.has_splits(videos)
    train, test = ucf101.read_split(videos, splits, 2)
    assert names(videos, train) == ["Dive/v_Dive_g08_c01.avi", "v_Row_g02_c01.avi"]
    assert names(videos, test) == ["Dive/v_Dive_g01_c01.avi"]
    with pytest.raises(FileNotFoundError, match=r"trainlist01\.txt: the split file is missing"):
        ucf101.read_split(videos, splits)
    with pytest.raises(FileNotFoundError, match="none of the videos"):
        ucf101.read_split(splits, splits, 2)
    (splits / "testlist02.txt").write_text("Dive/v_Dive_g01_c01.avi\nv_Row.avi 2\n")
    with pytest.raises(ValueError, match=r"testlist02\.txt: line 2 is 'v_Row\.avi 2', not CLASS/NAME"):
        ucf101.read_split(videos, splits, 2)


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
