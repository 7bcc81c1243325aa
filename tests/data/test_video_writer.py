"""Writing MP4 and GIF: what is read back, and that failing leaves nothing behind."""

import os

import numpy as np
import pytest

from nnlite.data import video_writer
from nnlite.data.video import decode, video_info
from nnlite.data.video_writer import write_video

pytest.importorskip("av")
from tests.video_files import number_of, pictures


def coloured(count, height=48, width=64):
    """Return smooth coloured pictures that change from frame to frame."""
    y, x = np.mgrid[:height, :width]
    return [
        np.stack([3 * x + k, 4 * y, np.full_like(x, 8 * k)], axis=-1).astype(np.uint8) for k in range(count)
    ]


def read(path):
    return [frame.picture.transpose(1, 2, 0) for frame in decode(path, colour="rgb")]


@pytest.mark.parametrize("name, codec, error", [("a.mp4", "h264", 3), ("a.GIF", "gif", 5)])
@pytest.mark.parametrize("rate", [10, 25, 29.97])
def test_round_trip(tmp_path, name, codec, error, rate):
    path = tmp_path / name
    want = coloured(12)
    assert write_video(path, iter(want), rate) == codec
    found = list(decode(path, colour="rgb"))
    assert len(found) == 12
    for picture, frame in zip(want, found, strict=True):
        assert np.abs(picture.astype(int) - frame.picture.transpose(1, 2, 0)).mean() < error
    assert found[-1].time == pytest.approx(11 / rate, abs=0.01)
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_without_an_h264_encoder(tmp_path, monkeypatch):
    encoders = dict(list(video_writer._MP4_ENCODERS.items())[1:])
    monkeypatch.setattr(video_writer, "_MP4_ENCODERS", encoders)
    assert write_video(tmp_path / "a.mp4", coloured(12), 25) == "mpeg4"
    for picture, frame in zip(coloured(12), read(tmp_path / "a.mp4"), strict=True):
        assert np.abs(picture.astype(int) - frame).mean() < 5


def test_lossless_pictures_come_back_as_they_were(tmp_path):
    want = coloured(12, 47, 63)
    for name in ("a.mp4", "b.mp4"):
        assert write_video(tmp_path / name, want, 12.5, lossless=True) == "png"
        np.testing.assert_array_equal(read(tmp_path / name), want)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()
    with pytest.raises(ValueError, match=r"a\.gif: only \.mp4 can be lossless"):
        write_video(tmp_path / "a.gif", want, 12.5, lossless=True)


@pytest.mark.parametrize("height, width", [(47, 63), (1, 1), (47, 64)])
def test_odd_sizes(tmp_path, height, width):
    for name in ("a.mp4", "a.gif"):
        write_video(tmp_path / name, coloured(3, height, width), 25)
        for picture, frame in zip(coloured(3, height, width), read(tmp_path / name), strict=True):
            even = (height + height % 2, width + width % 2)
            assert frame.shape[:2] == (even if name == "a.mp4" else (height, width))
            assert np.abs(picture.astype(int) - frame[:height, :width]).mean() < 8


def test_few_colours_are_kept_by_a_gif(tmp_path):
    """Even if each frame has different ones, since each frame has its own palette."""
    rng = np.random.default_rng(0)
    want = [rng.integers(0, 256, (200, 3), np.uint8)[rng.integers(0, 200, (30, 40))] for _ in range(4)]
    write_video(tmp_path / "a.gif", want, 10)
    for picture, frame in zip(want, read(tmp_path / "a.gif"), strict=True):
        assert np.abs(picture.astype(int) - frame).max() <= 1


@pytest.mark.parametrize("name", ["a.mp4", "a.gif"])
def test_frames_are_taken_one_by_one(tmp_path, name):
    """While a frame is made, only the one before is held, apart from what the encoder keeps."""
    import weakref

    alive = []

    def make():
        for picture in pictures(60):
            picture = picture.copy()
            alive.append(weakref.ref(picture))
            yield picture
            del picture
            assert sum(reference() is not None for reference in alive) <= 2

    write_video(tmp_path / name, make(), 25)
    found = list(decode(tmp_path / name))
    assert [number_of(frame.picture / 255) for frame in found][::10] == [0, 10, 20, 30, 40, 50]


@pytest.mark.parametrize("name", ["Zürich 東京.mp4", "100%d.gif", "file:a.mp4"])
def test_unusual_names(tmp_path, name, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_video(name, coloured(2), 25)
    assert os.listdir() == [name] and video_info(name).n_frames == 2


def failing():
    yield from coloured(5)
    raise RuntimeError("no more")


def growing():
    yield from coloured(5)
    yield from coloured(1, 50, 64)


@pytest.mark.parametrize("name", ["a.mp4", "a.gif"])
@pytest.mark.parametrize(
    "frames, error, message",
    [
        (failing, RuntimeError, "no more"),
        (growing, ValueError, r"a\.(mp4|gif): frame 5 is \(50, 64, 3\), those before it \(48, 64, 3\)"),
        (lambda: [], ValueError, r"a\.(mp4|gif): there is no frame to write"),
        (lambda: [np.zeros((4, 4, 3))], ValueError, r"frame 0 must be \(H, W, 3\) of uint8, got .* float64"),
        (lambda: [np.zeros((3, 4, 4), np.uint8)], ValueError, r"frame 0 must be .*, got \(3, 4, 4\)"),
    ],
)
def test_failing_keeps_the_old_file(tmp_path, name, frames, error, message):
    (tmp_path / name).write_bytes(b"before")
    with pytest.raises(error, match=message):
        write_video(tmp_path / name, frames(), 25)
    assert [p.name for p in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_bytes() == b"before"


def test_bad_arguments(tmp_path):
    with pytest.raises(ValueError, match=r"a\.avi: the name of a video must end in \.mp4 or \.gif"):
        write_video(tmp_path / "a.avi", coloured(1), 25)
    with pytest.raises(ValueError, match=r"a\.mp4: rate must be a positive number"):
        write_video(tmp_path / "a.mp4", coloured(1), 0)
    write_video(tmp_path / "a.gif", coloured(3), 100)
    assert [frame.time for frame in decode(tmp_path / "a.gif")] == pytest.approx([0, 0.01, 0.02])
    with pytest.raises(ValueError, match=r"b\.gif: a GIF shows at most 100 frames a second, got 120"):
        write_video(tmp_path / "b.gif", failing(), 120)
    with pytest.raises(OSError, match=r"none.a\.mp4 could not be written \(No such file"):
        write_video(tmp_path / "none" / "a.mp4", coloured(1), 25)
