"""Folders of pictures as videos: order, content, and what is said of broken pictures."""

import numpy as np
import pytest

from nnlite.data.image_sequence import decode_images, image_files, natural_key
from nnlite.data.video import decode, read_frames

pytest.importorskip("av")
from tests.video_files import cut, make_folder, make_picture, number_of, pictures


def test_natural_order():
    names = ["f10.png", "f9.png", "F1.png", "f2b.png", "f2a.png", "f007.png", "f.png", "10", "9"]
    ordered = ["9", "10", "F1.png", "f2a.png", "f2b.png", "f007.png", "f9.png", "f10.png", "f.png"]
    assert sorted(names, key=natural_key) == ordered
    assert natural_key("a1") != natural_key("A1") != natural_key("a01")


def test_only_pictures_are_frames(tmp_path):
    folder = make_folder(tmp_path / "a", pictures(3))
    for name in (".hidden.png", "groundtruth.txt", "Thumbs.db"):
        (folder / name).write_bytes(b"x")
    (folder / "folder.png").mkdir()
    assert [path.name for path in image_files(folder)] == ["0.png", "1.png", "2.png"]


@pytest.mark.parametrize("name", ["{}.png", "{}.jpg", "img_{}.JPEG", "東京 %d {}.png"])
def test_frames(tmp_path, name):
    want = pictures(12)
    folder = make_folder(tmp_path / "Zürich", want, name)
    read = list(read_frames(folder))
    assert [number_of(frame) for frame in read] == list(range(12))
    difference = np.abs(np.stack(read)[:, 0] - np.stack(want)[..., 0] / np.float32(255))
    assert difference.max() <= (0 if name.lower().endswith("png") else 0.03)
    assert next(read_frames(folder, (6, 8), "rgb")).shape == (3, 6, 8)
    assert [number_of(frame) for frame in read_frames(folder, rate=12.5)] == [0, 2, 4, 6, 8, 10]


def test_beginning_in_the_middle(tmp_path):
    folder = make_folder(tmp_path / "a", pictures(5))
    assert [number_of(picture / 255) for picture in decode_images(folder, first=3)] == [3, 4]
    assert [(f.seek, number_of(f.picture / 255), f.time) for f in decode(folder, seek=4)] == [(4, 4, 0.16)]


def test_the_content_tells_the_format(tmp_path):
    folder = make_folder(tmp_path / "a", pictures(2))
    (folder / "1.png").rename(folder / "1.jpg")
    assert [number_of(frame) for frame in read_frames(folder)] == [0, 1]


# ---- bad input --------------------------------------------------------------------------------------------


def test_no_pictures(tmp_path):
    with pytest.raises(ValueError, match=rf"{tmp_path}: there is no picture in this folder"):
        list(read_frames(tmp_path))


@pytest.mark.parametrize("later", [False, True])
def test_two_sizes(tmp_path, later):
    folder = make_folder(tmp_path / "a", pictures(4))
    make_picture(folder / "3.png", pictures(1, 50, 60)[0])
    message = r"3\.png: is 50 x 60 pixels, but 0\.png in the same folder is 48 x 64"
    with pytest.raises(ValueError, match=message):
        list(decode_images(folder, (8, 8), first=3 if later else 0))


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "is neither a PNG nor a JPEG"),
        (b"GIF89a....", "is neither a PNG nor a JPEG"),
        (b"\x89PNG\r\n\x1a\nnonsense", "the PNG is broken"),
        (b"\xff\xd8\xff\xe0nonsense", "the JPEG is broken"),
    ],
)
def test_broken_picture(tmp_path, content, message):
    folder = make_folder(tmp_path / "a", pictures(3))
    (folder / "1.png").write_bytes(content)
    read = read_frames(folder)
    assert number_of(next(read)) == 0
    with pytest.raises(ValueError, match=rf"1\.png: {message}"):
        next(read)


@pytest.mark.parametrize(
    "name, message", [("{}.png", "the PNG is broken"), ("{}.jpg", "the JPEG is cut short")]
)
def test_cut_picture(tmp_path, name, message):
    folder = make_folder(tmp_path / "a", pictures(2), name)
    path = cut(folder / name.format(1), 0.9)
    with pytest.raises(ValueError, match=rf"{path.name}: {message}"):
        list(read_frames(folder))
