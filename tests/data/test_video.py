"""Frames of video files: content, times, rotation, size, and the errors of damaged ones."""

import os
import subprocess
import sys
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from nnlite.data.av_frame import FrameConverter, upright
from nnlite.data.video import decode, read_frames, video_info
from nnlite.data.video_times import resample

av = pytest.importorskip("av")
from tests.video_files import (  # noqa: E402
    QUARTER_TURN,
    change_size,
    cut,
    make_folder,
    make_video,
    number_of,
    pictures,
    turn,
)


def real(*parts):
    """Return a path below NNLITE_DATA, or skip."""
    folder = os.environ.get("NNLITE_DATA")
    if not folder or not Path(folder, *parts).exists():
        pytest.skip(f"NNLITE_DATA has no {'/'.join(parts)}")
    return Path(folder, *parts)


# ---- what is in a frame ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.mp4", "a.avi", "a.mkv", "a.mpg"])
def test_every_frame_in_order(tmp_path, name):
    path = make_video(tmp_path / name, pictures(30))
    read = list(read_frames(path))
    assert [number_of(frame) for frame in read] == list(range(30))
    assert all(frame.shape == (1, 48, 64) and frame.dtype == np.float32 for frame in read)
    want = np.stack(pictures(30))[..., :1].transpose(0, 3, 1, 2) / 255
    assert np.abs(np.stack(read) - want).mean() < 0.01
    assert [number_of(frame) for frame in read_frames(str(path))] == list(range(30))


def test_colour_and_size(tmp_path):
    left_red = np.zeros((48, 64, 3), np.uint8)
    left_red[:, :32, 0] = 255
    left_red[:24, 32:, 2] = 255
    path = make_video(tmp_path / "a.mp4", [left_red] * 3)
    for frame in read_frames(path, size=(12, 20), colour="rgb"):
        assert frame.shape == (3, 12, 20) and 0 <= frame.min() and frame.max() <= 1
        red, green, blue = frame
        assert red[:, :8].min() > 0.9 and red[:, 12:].max() < 0.1 and green.max() < 0.1
        assert blue[:4, 12:].min() > 0.9 and blue[8:].max() < 0.1


def test_shrinking_averages_over_areas():
    noise = np.random.default_rng(0).integers(0, 256, (96, 128), np.uint8)
    small = FrameConverter((12, 32), "grey")(av.VideoFrame.from_ndarray(noise, format="gray"))
    mean = noise.reshape(12, 8, 32, 4).mean((1, 3))
    assert small.shape == (1, 12, 32) and np.abs(small[0] - mean).max() <= 1


@pytest.mark.parametrize("form, black, white", [("yuv420p", 16, 235), ("yuvj420p", 0, 255)])
def test_grey_spans_the_whole_range(form, black, white):
    for level, expected in ((black, 0), (white, 255)):
        frame = av.VideoFrame(64, 48, form)
        for plane, value in zip(frame.planes, (level, 128, 128), strict=True):
            plane.update(bytes([value]) * plane.buffer_size)
        for size in (None, (12, 16)):
            assert set(FrameConverter(size, "grey")(frame).flat) == {expected}
            assert np.abs(FrameConverter(size, "rgb")(frame).astype(int) - expected).max() <= 2


def test_nothing_is_decoded_far_ahead(tmp_path):
    path = cut(make_video(tmp_path / "a.avi", pictures(40)), 0.8)
    assert [number_of(frame) for frame in islice(read_frames(path), 5)] == list(range(5))


# ---- upright ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("a, b, c, d", [(s, 0, 0, t) for s in (1, -1) for t in (1, -1)])
def test_upright(a, b, c, d):
    """Every pixel moves as the matrix says: (x, y) to (x, y) @ matrix, up to a shift."""
    picture = np.arange(6).reshape(1, 2, 3)
    for matrix in (np.array([[a, b], [c, d]]), np.array([[b, a], [d, c]])):
        shown = upright(picture, matrix)
        places = {value: np.argwhere(shown[0] == value)[0][::-1] for value in range(6)}
        for value in range(1, 6):
            moved = (np.array([value % 3, value // 3]) @ matrix).tolist()
            assert (places[value] - places[0]).tolist() == moved


@pytest.mark.parametrize(
    "matrix, expected",
    [
        (QUARTER_TURN, lambda p: np.rot90(p, -1, (1, 2))),
        ((0, -1, 1, 0), lambda p: np.rot90(p, 1, (1, 2))),
        ((-1, 0, 0, -1), lambda p: np.rot90(p, 2, (1, 2))),
        ((-1, 0, 0, 1), lambda p: p[:, :, ::-1]),
    ],
)
def test_rotation_of_the_file(tmp_path, matrix, expected):
    gradient = pictures(1)[0] + np.linspace(0, 90, 64).astype(np.uint8)[:, None]
    path = make_video(tmp_path / "a.mp4", [gradient] * 2)
    (plain, _) = read_frames(path)
    turn(path, matrix)
    for turned in read_frames(path):
        np.testing.assert_array_equal(turned, expected(plain))
    info = video_info(path)
    assert info.size == turned.shape[1:]
    (small, _) = read_frames(path, size=(16, 8))
    assert small.shape == (1, 16, 8)
    ends = expected(np.broadcast_to(np.linspace(0, 1, 64), (1, 48, 64)))
    assert (small[0, 0, 0] < small[0, -1, -1]) == (ends[0, 0, 0] < ends[0, -1, -1])


# ---- rate -------------------------------------------------------------------------------------------------


def test_resample():
    timed = [(0.0, "a"), (0.1, "b"), (0.5, "c"), (0.6, "d")]
    assert list(resample(timed, None)) == list("abcd")
    assert list(resample(timed, 10)) == list("abbbccd")
    assert list(resample(timed, 2)) == ["a", "c"]
    assert list(resample([(7.0, "a")], 30)) == ["a"]
    assert list(resample([], 30)) == []


@pytest.mark.parametrize("rate, own", [(30, 30), (29.97, 30000 / 1001), (12.5, 12.5)])
def test_resampling_to_the_same_rate_changes_nothing(rate, own):
    """Even if times are rounded to a millisecond, as in Matroska."""
    timed = [(round(3 + k / own, 3), k) for k in range(200)]
    assert list(resample(timed, rate)) == list(range(200))


@pytest.mark.parametrize("name", ["a.mp4", "a.avi", "a.mkv"])
@pytest.mark.parametrize("rate, expected", [(25, range(30)), (12.5, range(0, 30, 2)), (5, range(0, 30, 5))])
def test_rate(tmp_path, name, rate, expected):
    path = make_video(tmp_path / name, pictures(30))
    numbers = [number_of(frame) for frame in read_frames(path, rate=rate)]
    assert numbers == list(expected)


def test_times_of_a_varying_rate_are_respected(tmp_path):
    times = [0, 0.04, 0.08, 0.48, 0.52, 1.0]
    path = make_video(tmp_path / "a.mkv", pictures(6), times=times)
    assert [frame.time for frame in decode(path)] == pytest.approx(times)
    assert [number_of(frame) for frame in read_frames(path, rate=5)] == [0, 2, 3, 4, 5, 5, 5]


def test_video_info(tmp_path):
    info = video_info(make_video(tmp_path / "a.mp4", pictures(30), rate=10))
    assert (info.size, info.rate, info.n_frames) == ((48, 64), 10, 30)
    info = video_info(make_video(tmp_path / "a.mkv", pictures(30), rate=10))
    assert info.rate == 10 and abs(info.n_frames - 30) <= 1
    info = video_info(make_folder(tmp_path / "a", pictures(3)))
    assert (info.size, info.rate, info.n_frames) == ((48, 64), 25, 3)


# ---- bad input --------------------------------------------------------------------------------------------


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.mp4: there is no such video"):
        list(read_frames(tmp_path / "none.mp4"))


@pytest.mark.parametrize("content", [b"", b"This is no video.\n" * 100])
def test_not_a_video(tmp_path, content):
    (tmp_path / "text.avi").write_bytes(content)
    with pytest.raises(ValueError, match=r"text\.avi: cannot be read as a video"):
        list(read_frames(tmp_path / "text.avi"))


def test_sound_only(tmp_path):
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
        container.mux(stream.encode())
    with pytest.raises(ValueError, match=r"sound\.mp4: there is no video in this file"):
        list(read_frames(tmp_path / "sound.mp4"))


def test_cut_mp4(tmp_path):
    """Without its end, where an MP4 has its table of contents, nothing can be read."""
    path = cut(make_video(tmp_path / "cut.mp4", pictures(30)), 0.7)
    with pytest.raises(ValueError, match=r"cut\.mp4: cannot be read as a video .*is it complete"):
        list(read_frames(path))


@pytest.mark.parametrize("name", ["cut.mp4", "cut.avi"])
def test_cut_with_a_table_of_contents(tmp_path, name):
    """The frames that are there are returned before the error is raised."""
    path = make_video(tmp_path / name, pictures(30), g=30)
    if name == "cut.mp4":
        table_first(path)
    cut(path, 0.8)
    numbers = []
    with pytest.raises(
        ValueError, match=rf"{name}: the file is damaged or cut short after (\d+) frames"
    ) as e:
        for frame in read_frames(path):
            numbers.append(number_of(frame))
    # The last one can be decoded although those right before it, which are stored after it, are gone.
    assert 10 < len(numbers) < 30 and numbers[:-1] == list(range(len(numbers) - 1))
    assert f"after {len(numbers)} frames" in str(e.value)


def table_first(path):
    """Rewrite an MP4 so that its table of contents is at the beginning."""
    other = path.with_name("other.mp4")
    with av.open(str(path)) as old, av.open(str(other), "w", options={"movflags": "faststart"}) as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)
    os.replace(other, path)


def test_changing_size(tmp_path):
    path = change_size(tmp_path / "grows.h264")
    read = read_frames(path, size=(8, 8))
    assert [number_of(frame) for frame in islice(read, 5)] == list(range(5))
    message = r"grows\.h264: frame 5 is 64 x 96 pixels, those before it 48 x 64; split the file"
    with pytest.raises(ValueError, match=message):
        next(read)


def test_one_frame(tmp_path):
    path = make_video(tmp_path / "one.mp4", pictures(1))
    (frame,) = read_frames(path)
    assert number_of(frame) == 0
    assert len(list(read_frames(path, rate=50))) == 1


@pytest.mark.parametrize("name", ["Zürich 東京 🎥.mp4", "100%d.mp4", "file:a.mp4", "-i.mp4", "a b#?.avi"])
def test_unusual_names(tmp_path, name, monkeypatch):
    path = make_video(tmp_path / name, pictures(3))
    assert [number_of(frame) for frame in read_frames(path)] == [0, 1, 2]
    monkeypatch.chdir(tmp_path)
    assert video_info(name).n_frames == 3


@pytest.mark.parametrize(
    "options, message",
    [
        ({"size": (0, 8)}, r"size must be \(height, width\) in pixels or None, got \(0, 8\)"),
        ({"size": (8.0, 8)}, "size must be"),
        ({"size": (8,)}, "size must be"),
        ({"colour": "gray"}, r"colour must be one of \['grey', 'rgb'\], got 'gray'"),
        ({"rate": 0}, "rate must be a positive number"),
        ({"rate": float("inf")}, "rate must be a positive number"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        read_frames("any.mp4", **options)


def test_without_pyav(tmp_path, monkeypatch):
    path = make_video(tmp_path / "a.mp4", pictures(2))
    folder = make_folder(tmp_path / "a", pictures(2))
    monkeypatch.setitem(sys.modules, "av", None)
    for source in (path, folder):
        with pytest.raises(RuntimeError, match=r"needs PyAV, which is the extra `video`: pip install"):
            list(read_frames(source))


def test_importing_needs_no_pyav():
    code = (
        "import sys; sys.modules['av'] = None; import data.video, data.sources, data.clips, data.hmdb51, "
        "data.prefetch, data.video_writer"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2]).returncode == 0


# ---- real files -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, count, shape",
    [
        ("videos/hmdb51/RATRACE_wave_f_nm_np1_fr_goo_37.avi", 72, (240, 560)),
        ("videos/ucf101/v_SoccerJuggling_g23_c01.avi", 240, (240, 320)),
        ("videos/intel_sample_videos/asl_book.mkv", 109, (480, 640)),
        ("videos/kinetics/SOX5yA1l24A.mp4", 332, (256, 340)),
        ("sequences/otb_Crossing/img", 120, (240, 360)),
    ],
)
def test_real_files(name, count, shape):
    source = real(*name.split("/"))
    info = video_info(source)
    read = list(read_frames(source, size=(24, 32)))
    assert info.size == shape and len(read) == count and abs(info.n_frames - count) <= 1
    assert all(0.05 < frame.mean() < 0.95 for frame in read)
    assert abs(len(list(read_frames(source, (24, 32), rate=info.rate / 2))) - count / 2) <= 1
