"""Which videos a run learns from: what is left out of them is said."""

import os
from types import SimpleNamespace

import pytest

pytest.importorskip("av")
from nnlite.train.real_video.videos import find_videos
from tests.video_files import make_folder, make_video, pictures


def settings(videos, **changed):
    values = {"videos": [str(videos)], "test": None, "splits": None, "split": 1, "test_share": 0.34}
    return SimpleNamespace(**values | changed)


@pytest.fixture
def folder(tmp_path):
    for k in range(3):
        make_video(tmp_path / f"{k}.mp4", pictures(3, first=k))
    make_video(tmp_path / "inside.mp4", pictures(3, first=5))
    (tmp_path / "held").mkdir()
    os.rename(tmp_path / "inside.mp4", tmp_path / "held" / "inside.mp4")
    return tmp_path


def test_test_videos_below_the_training_videos(folder, capsys):
    (folder / "copy.mp4").write_bytes((folder / "held" / "inside.mp4").read_bytes())
    train, test = find_videos(settings(folder, test=[str(folder / "held")]), folder)
    assert [path.name for path in train] == ["0.mp4", "1.mp4", "2.mp4"]
    assert [path.name for path in test] == ["inside.mp4"]
    assert "copies of them: copy.mp4, inside.mp4\n" in capsys.readouterr().out
    with pytest.raises(ValueError, match="no video is left to train on"):
        find_videos(settings(folder / "held", test=[str(folder)]), folder)


def test_copies_are_not_on_both_sides_of_a_split(folder, capsys):
    for k in range(8):
        (folder / f"copy {k}.mp4").write_bytes((folder / "0.mp4").read_bytes())
    train, test = find_videos(settings(folder), folder)
    contents = [{path.read_bytes() for path in part} for part in (train, test)]
    assert not contents[0] & contents[1]
    assert len(train) + len(test) < 12 and "Left out of training" in capsys.readouterr().out


def test_files_that_are_not_taken_are_counted_and_named(folder, capsys):
    make_folder(folder / "raw", pictures(3), "img_{}.png")
    make_folder(folder / "more", pictures(2), "flow_x_{}.png")
    for path in (folder / "more").iterdir():
        os.rename(path, folder / "raw" / path.name)
    for k in range(9):
        (folder / f"note {k}.txt").write_text("nothing")
    find_videos(settings(folder), folder)
    text = capsys.readouterr().out
    assert f"{folder}: 11 files are neither videos nor frames of one: note 0.txt, " in text
    assert "and 6 more" in text
    train, test = find_videos(settings(f"{folder}/raw/flow_x_*", test=[str(folder)]), folder)
    assert train[0].name == "flow_x_*" and len(test) == 5
