"""When frames are shown: empty frames, containers without a rate, jumps, and what is counted beforehand."""

import warnings

import numpy as np
import pytest

av = pytest.importorskip("av")
from nnlite.data.video import decode, read_frames, video_info  # noqa: E402
from nnlite.data.video_times import Clock, presentation_order, rate_of, resample  # noqa: E402
from tests.video_files import make_video, number_of, pictures  # noqa: E402


def silent(message):
    raise AssertionError(message)


def test_clock():
    clock = Clock(0.04, silent)
    assert [clock(t) for t in (5.0, 5.04, 5.1)] == [5.0, 5.04, 5.1]
    assert [clock(None), clock(None)] == pytest.approx([5.16, 5.22])
    assert clock(5.2) > 5.22  # always rising
    clock = Clock(0.04, silent)
    joined = [clock(t) for t in (1.0, 1.04, 0.0, 0.04, 0.08, 400.0)]
    assert joined == pytest.approx([1.0, 1.04, 1.08, 1.12, 1.16, 401.08])


def test_a_jump_is_said_and_left_out():
    said = []
    clock = Clock(0.04, said.append)
    times = [clock(t) for t in (0.0, 0.04, 36000.0, 36000.04)]
    assert times == pytest.approx([0.0, 0.04, 0.08, 0.12])
    assert said == ["the times jump by 36,000 s at 0.04 s; no frame is shown so long"]
    hourly = Clock(3600.0, silent)
    assert [hourly(t) for t in (0.0, 3600.0, 7200.0)] == [0.0, 3600.0, 7200.0]


def test_rate_of():
    rounded = np.round(np.arange(30) * 1001 / 30000, 3)
    assert rate_of(rounded, 30000 / 1001) == 30000 / 1001
    assert rate_of(rounded, 1000) == pytest.approx(29.97, rel=1e-3)
    assert rate_of([0.0, 0.5, 2.0], 25) == 1
    assert rate_of([7.0], 25) == 25


def test_presentation_order():
    assert presentation_order([(0, 1), (1, 3), (2, 2), (3, 4)]) == [1, 2, 3, 4]
    assert presentation_order([(0, 1), (1, 3), (2, 2), (0, 1), (1, 2)]) == [1, 2, 3, 1, 2]


# ---- files ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("codec, name", [("mpeg4", "a.avi"), ("libx264", "a.avi"), ("mpeg4", "a.mkv")])
@pytest.mark.parametrize("order", [0, 2])
def test_empty_frames_take_time(tmp_path, codec, name, order):
    """In AVI a pause is written as frames without content."""
    times = [k / 25 for k in (0, 1, 2, 3, 20, 21, 22, 23)]
    path = make_video(tmp_path / name, pictures(8), codec=codec, times=times, bf=order)
    found = [frame.time for frame in decode(path)]
    assert np.subtract(found, found[0]) == pytest.approx(times, abs=1e-6)
    assert [number_of(frame) for frame in read_frames(path, rate=5)] == [0, 3, 3, 4, 4]
    assert video_info(path).n_frames == 8 and video_info(path).n_frames_at(5) == 5


def test_an_avi_of_600_hertz(tmp_path):
    times = [k / 5 for k in range(25)]
    path = make_video(tmp_path / "a.avi", pictures(25), rate=600, times=times)
    assert [number_of(frame) for frame in read_frames(path, rate=5)] == list(range(25))
    assert video_info(path).rate == pytest.approx(5)


@pytest.mark.parametrize("name", ["a.mkv", "a.webm", "a.flv"])
def test_containers_that_state_another_rate(tmp_path, name):
    """As recorders and browsers write them: times in milliseconds, and the rate of the clock."""
    times = [round(k / 30, 3) for k in range(30)]
    codec = "libvpx" if name == "a.webm" else "libx264"
    path = make_video(tmp_path / name, pictures(30), rate=1000, codec=codec, times=times)
    info = video_info(path)
    assert info.rate == pytest.approx(30, rel=0.01) and info.n_frames == 30
    assert abs(info.n_frames_at(15) - 15) <= 1


def test_a_file_whose_times_jump(tmp_path):
    times = [0, 0.04, 0.08, 36000.0, 36000.04]
    path = make_video(tmp_path / "a.mkv", pictures(5), times=times)
    with pytest.warns(UserWarning, match=r"^\S+a\.mkv: the times jump by 36,000 s at 0\.08 s"):
        assert len(list(read_frames(path, rate=12.5))) == 3
    with pytest.warns(UserWarning, match=r"a\.mkv: the times jump"):
        info = video_info(path)
    assert info.n_frames_at(12.5) == 3 and info.rate == pytest.approx(25)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.mpg", "a.avi", "a.flv", "a.mov"])
def test_what_is_counted_beforehand(tmp_path, name):
    """The same as is decoded, also if the stream begins late."""
    times = [3 + k / 25 for k in range(30)]
    path = make_video(tmp_path / name, pictures(30), times=None if name in ("a.mpg", "a.avi") else times)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        info, found = video_info(path), [frame.time for frame in decode(path)]
        for rate in (None, 10, 25):
            assert info.n_frames_at(rate) == len(list(read_frames(path, rate=rate)))
    assert info.rate == pytest.approx(25, rel=1e-3)
    assert np.subtract(found, found[0]) == pytest.approx(np.subtract(info.times, info.times[0]), abs=2e-3)


def test_a_trimmed_mp4(tmp_path):
    """Its edit list leaves out the first frames, which have to be decoded all the same."""
    path = make_video(tmp_path / "a.mp4", pictures(30), g=30, bf=0)
    content = bytearray(path.read_bytes())
    start = content.index(b"elst") + 16  # version, count, duration; then the first time that is shown
    moved = int.from_bytes(content[start : start + 4], "big") + 13 * 512
    content[start : start + 4] = moved.to_bytes(4, "big")
    path.write_bytes(content)
    numbers = [number_of(frame) for frame in read_frames(path)]
    assert numbers == list(range(13, 30)) and video_info(path).n_frames == 17


def test_the_clock_of_resampling_is_that_of_the_file(tmp_path):
    path = make_video(tmp_path / "a.avi", pictures(10))
    timed = [(frame.time, number_of(frame.picture / 255)) for frame in decode(path)]
    assert list(resample(timed, 12.5)) == [0, 2, 4, 6, 8]
