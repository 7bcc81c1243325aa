"""Folders of pictures as videos: order, content, and what is said of broken pictures."""

import numpy as np
import pytest
from PIL import Image, ImageOps

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
    make_picture(folder / "x.jpg", pictures(1)[0])
    (folder / "x.jpg").rename(folder / "0.png")
    assert [number_of(frame) for frame in read_frames(folder)] == [0, 1]


@pytest.mark.parametrize("ending", ["tif", "TIFF", "bmp", "webp", "ppm", "pgm", "png", "jpg"])
def test_formats(tmp_path, ending):
    for k, pixels in enumerate(pictures(2)):
        image = Image.fromarray(pixels[..., 0] if ending == "pgm" else pixels)
        image.save(tmp_path / f"{k}.{ending}", **({"lossless": True} if ending == "webp" else {}))
    want = np.stack(pictures(2))[..., 0]
    got = np.stack([255 * frame[0] for frame in read_frames(tmp_path)])
    assert np.abs(got - want).max() <= (6 if ending == "jpg" else 1)


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path, ending, orientation):
    """As Pillow turns them."""
    y, x = np.mgrid[:40, :64]
    image = Image.fromarray((2 * x + 3 * y).astype(np.uint8))
    exif = Image.Exif()
    exif[0x112] = orientation
    options = {"lossless": True} if ending == "webp" else {"quality": 98} if ending == "jpg" else {}
    image.save(tmp_path / f"0.{ending}", exif=exif, **options)
    image.getexif()[0x112] = orientation
    want = np.asarray(ImageOps.exif_transpose(image))
    (frame,) = read_frames(tmp_path)
    assert frame.shape[1:] == want.shape and np.abs(255 * frame[0] - want).max() <= 2
    size = (20, 30)
    (small,) = read_frames(tmp_path, size)
    assert np.abs(255 * small[0, [0, -1], [0, -1]] - want[[0, -1], [0, -1]]).max() <= 8


# ---- series of names --------------------------------------------------------------------------------------


def test_one_series_of_a_folder(tmp_path):
    """As mmaction2 lays out frames and flow: the longest series, of those as long the one that is no flow."""
    folder = tmp_path / "a"
    make_folder(folder, pictures(3), "img_{}.png")
    for k in range(3):
        for name in ("flow_x", "flow_y"):
            make_picture(folder / f"{name}_{k}.png", pictures(1, first=10 + k)[0])
    assert [path.name for path in image_files(folder)] == ["img_0.png", "img_1.png", "img_2.png"]
    chosen = folder / "flow_x_*"
    assert [path.name for path in image_files(chosen)] == ["flow_x_0.png", "flow_x_1.png", "flow_x_2.png"]
    assert [number_of(frame) for frame in read_frames(chosen)] == [10, 11, 12]
    make_picture(folder / "flow_x_3.png", pictures(1)[0])
    assert len(image_files(folder)) == 4


def test_the_same_frames_in_two_formats(tmp_path):
    folder = make_folder(tmp_path / "a", pictures(3))
    for k in range(3):
        make_picture(folder / f"{k}.jpg", pictures(3)[k])
    assert [path.suffix for path in image_files(folder)] in ([".png"] * 3, [".jpg"] * 3)
    for name in ("a.png", "b.png", "c.png", "d.JPEG", "e.jpg"):
        (tmp_path / name).touch()
    assert [path.name for path in image_files(tmp_path)] == ["a.png", "b.png", "c.png"]
    assert [path.name for path in image_files(tmp_path / "*.[jJ]*")] == ["d.JPEG", "e.jpg"]


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
        (b"", "is no picture in a known format, BMP, JPEG, PNG"),
        (b"GIF89a....", "is no picture in a known format"),
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


@pytest.mark.parametrize("name", ["0.jpg", "0.png"])
def test_damaged_picture(tmp_path, name):
    """The decoder would fill what it does not understand with green, and say nothing."""
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / name)
    list(read_frames(tmp_path))
    content = bytearray((tmp_path / name).read_bytes())
    middle = len(content) // 2
    content[middle : middle + 40] = bytes(range(255, 215, -1))
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=rf"{name}: the \w+ is broken"):
        list(read_frames(tmp_path))


def test_animated_webp(tmp_path):
    frames = [Image.fromarray(pixels) for pixels in pictures(3)]
    frames[0].save(tmp_path / "0.webp", save_all=True, append_images=frames[1:])
    with pytest.raises(ValueError, match=r"0\.webp: the WebP is animated"):
        list(read_frames(tmp_path))
