"""Damaged, joined and cut files: what is read of them, what is said, and that sound ones are not accused."""

import warnings

import numpy as np
import pytest
from PIL import Image

av = pytest.importorskip("av")
from nnlite.data import av_frame  # noqa: E402
from nnlite.data.clips import Clips  # noqa: E402
from nnlite.data.file_ends import is_cut_short  # noqa: E402
from nnlite.data.sources import is_video  # noqa: E402
from nnlite.data.video import read_frames, video_info  # noqa: E402
from nnlite.data.video_writer import write_video  # noqa: E402
from tests.video_files import cut, make_folder, make_video, number_of, pictures  # noqa: E402


def textured(count, height=96, width=128):
    """Return pictures of noise that moves, so that every packet is long."""
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return [np.roll(noise, k, axis=1) for k in range(count)]


def packets(path):
    """Return (position, size, whether it is a key frame) of the packets of a file."""
    with av.open(str(path)) as container:
        return [(p.pos, p.size, p.is_keyframe) for p in container.demux(video=0) if p.size]


def damage(path, start, size):
    """Overwrite the second third of a packet."""
    content = bytearray(path.read_bytes())
    start, length = start + size // 3, size // 3
    content[start : start + length] = (bytes(range(256)) * (length // 256 + 1))[:length]
    path.write_bytes(content)


def joined(tmp_path, *parts):
    path = tmp_path / "joined.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


# ---- joined -----------------------------------------------------------------------------------------------


def test_joined_transport_streams(tmp_path):
    """The counters that begin anew are no damage."""
    parts = [make_video(tmp_path / f"{k}.ts", pictures(20, first=15 * k)) for k in range(3)]
    path = joined(tmp_path, *parts)
    want = [*range(20), *range(15, 35), *range(30, 50)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [number_of(frame) for frame in read_frames(path, strict=True)] == want
        assert video_info(path).n_frames == 60 and video_info(path).rate == 25
        clips = Clips([path], 10, (12, 16), cache_mib=0)
    assert len(clips) == 6 and not clips.skipped
    assert [number_of(frame) for frame in clips.clip(4)] == want[40:50]


def test_joined_after_any_number_of_packets(tmp_path):
    """Whether the counters happen to fit at a joint makes no difference."""
    found = []
    for count in range(3, 9):
        parts = [make_video(tmp_path / f"{k}.ts", pictures(count, first=20 * k)) for k in range(2)]
        path = joined(tmp_path, *parts)
        numbers = [number_of(frame) for frame in read_frames(path, strict=True)]
        assert numbers == [*range(count), *range(20, 20 + count)]
        with av.open(str(path)) as container:
            found.append(any(packet.is_corrupt for packet in container.demux(video=0)))
    assert any(found)


def test_joined_with_another_size(tmp_path):
    parts = [
        make_video(tmp_path / "0.ts", pictures(5)),
        make_video(tmp_path / "1.ts", pictures(5, 64, 96)),
    ]
    read = read_frames(joined(tmp_path, *parts), size=(8, 8))
    assert [number_of(next(read)) for _ in range(5)] == list(range(5))
    with pytest.raises(ValueError, match=r"joined\.ts: frame 5 is 64 x 96 pixels, those before it 48 x 64"):
        next(read)


# ---- damaged ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi", "a.flv", "a.mov"])
def test_damage_is_said_and_what_follows_is_read(tmp_path, name):
    path = make_video(tmp_path / name, textured(30), g=10, bf=0, sc_threshold=0)
    whole = list(read_frames(path, strict=True))
    positions = packets(path)
    keys = [k for k, (_, _, key) in enumerate(positions) if key]
    assert keys[1] == 10
    damage(path, *positions[14][:2])
    with pytest.warns(UserWarning, match=rf"^\S+{name}: damaged after 14 frames; those up to the next key"):
        found = list(read_frames(path))
    np.testing.assert_array_equal(found, whole[:14] + whole[20:])
    with pytest.raises(ValueError, match=rf"^\S+{name}: the file is damaged or cut short after 14 frames"):
        list(read_frames(path, strict=True))


def test_a_damaged_file_is_left_out_of_training(tmp_path):
    path = make_video(tmp_path / "a.mkv", textured(30), g=10, bf=0)
    good = make_video(tmp_path / "b.mkv", pictures(30))
    damage(path, *packets(path)[14][:2])
    clips = Clips([path, good], 5, (12, 16))
    assert clips.sources == [good]
    assert clips.skipped == [f"{path}: the file is damaged or cut short after 14 frames"]
    with pytest.raises(ValueError, match=r"a\.mkv: the file is damaged"):
        Clips([path, good], 5, (12, 16), strict=True)


@pytest.mark.parametrize("lost", [1, 3, 6])
def test_a_transport_stream_that_lost_packets(tmp_path, lost):
    path = make_video(tmp_path / "a.ts", textured(30), g=10, bf=0, sc_threshold=0)
    whole = list(read_frames(path, strict=True))
    content, start = path.read_bytes(), packets(path)[14][0] // 188 + 10
    path.write_bytes(content[: 188 * start] + content[188 * (start + lost) :])
    with pytest.warns(UserWarning, match=r"^\S+a\.ts: damaged after 1[345] frames; those up to the next key"):
        found = list(read_frames(path))
    assert 23 <= len(found) <= 25
    np.testing.assert_array_equal(found, whole[: len(found) - 10] + whole[20:])


# ---- cut --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.mkv", "a.webm", "a.avi", "a.flv", "a.ts", "a.mpg", "a.gif"])
@pytest.mark.parametrize("share", [0.5, 0.8])
def test_cut_files(tmp_path, name, share):
    """An error that names the file, after the good frames."""
    path = tmp_path / name
    if name == "a.gif":
        write_video(path, pictures(30), 25)
    else:
        make_video(path, textured(30), codec="libvpx" if name == "a.webm" else None)
    whole = list(read_frames(path, strict=True))
    cut(path, share)
    path.write_bytes(path.read_bytes()[:-60])  # not between two packets of an MPEG, where nothing would show
    found = []
    message = rf"^\S+{name}: the file is damaged or cut short after (\d+) frames"
    with pytest.raises(ValueError, match=message) as error:
        for frame in read_frames(path):
            found.append(frame)
    assert 0 < len(found) < 30 and f"after {len(found)} frames" in str(error.value)
    np.testing.assert_array_equal(found[:-1], whole[: len(found) - 1])


@pytest.mark.parametrize(
    "name", ["a.mp4", "a.mov", "a.avi", "a.mkv", "a.webm", "a.gif", "a.webp", "a.ts", "a.mpg"]
)
def test_is_cut_short(tmp_path, name):
    path = tmp_path / name
    if name == "a.webp":
        Image.fromarray(pictures(1)[0]).save(path)
    elif name == "a.gif":
        write_video(path, pictures(8), 25)
    else:
        make_video(path, pictures(8), codec="libvpx" if name == "a.webm" else None)
    assert not is_cut_short(path)
    content = path.read_bytes()
    path.write_bytes(content + bytes(188))
    assert not is_cut_short(path)
    path.write_bytes(content[: len(content) // 2 - 1])
    assert is_cut_short(path)


@pytest.mark.parametrize(
    "content", [b"", b"RIFF", b"\x1a\x45\xdf\xa3", b"GIF89a", b"\0\0\0\x10ftyp", b"text"]
)
def test_is_cut_short_of_almost_nothing(tmp_path, content):
    (tmp_path / "a").write_bytes(content)
    assert not is_cut_short(tmp_path / "a")


def test_a_gif_without_durations(tmp_path):
    """As Pillow writes it; FFmpeg takes all frames for one."""
    frames = [Image.fromarray(pixels) for pixels in pictures(10)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], optimize=False)
    for read in (video_info, lambda path: list(read_frames(path))):
        with pytest.raises(ValueError, match=r"a\.gif: 1 of its 10 frames can be read"):
            read(tmp_path / "a.gif")


def test_an_animated_webp(tmp_path):
    """PyAV reads it from version 19 on; before, that is said."""
    path, frames = tmp_path / "a.webp", [Image.fromarray(pixels) for pixels in pictures(5)]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=40, lossless=True)
    assert is_video(path)
    if int(av.__version__.split(".")[0]) >= 19:
        assert [number_of(frame) for frame in read_frames(path)] == list(range(5))
    else:
        with pytest.raises(ValueError, match=r"^\S+a\.webp: is an animated WebP, which PyAV reads from"):
            video_info(path)
    frames[0].save(tmp_path / "b.webp")
    assert not is_video(tmp_path / "b.webp")


def test_text_that_is_no_utf8(tmp_path):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        container.metadata["title"] = "Xuerich"
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for pixels in pictures(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    path.write_bytes(path.read_bytes().replace(b"Xue", b"Z\xfce"))
    assert len(list(read_frames(path))) == 3


@pytest.mark.parametrize("error", [ValueError("31 is not a valid Type"), OSError(22, "Invalid argument")])
def test_errors_without_a_name_get_one(tmp_path, error, monkeypatch):
    """Those of training's list of what is left out, too."""
    path = make_video(tmp_path / "a.mkv", pictures(3))
    folder = make_folder(tmp_path / "frames", pictures(2))

    def fail(*arguments):
        raise error

    monkeypatch.setattr(av_frame.FrameConverter, "__call__", fail)
    for source, name in ((path, path), (folder, folder / "0.png")):
        with pytest.raises(ValueError, match=rf"^{name}: .*{error.args[-1]}"):
            list(read_frames(source))
    with pytest.raises(ValueError, match=rf"\n  {path}: .*{error.args[-1]}\n  {folder}/0\.png: "):
        Clips([path, folder], 2, (8, 8))


# ---- interlaced -------------------------------------------------------------------------------------------


@pytest.fixture
def interlaced(tmp_path):
    """A video of a bright bar that moves by 4 pixels between the two moments of a frame."""
    moments = np.full((20, 48, 64, 3), 60, np.uint8)
    for k in range(20):
        moments[k, :, 3 * k : 3 * k + 6] = 220
    frames = moments[::2].copy()
    frames[:, 1::2] = moments[1::2, 1::2]
    path = tmp_path / "a.mpg"
    options = {"flags": "+ildct+ilme", "field_order": "tt"}
    return make_video(path, list(frames), codec="mpeg2video", bf=0, **options), moments[..., 0] / 255


def combing(frames):
    """Return how much more neighbouring rows differ than rows two apart."""
    stack = np.stack(frames)[:, 0]
    return np.abs(np.diff(stack, axis=1)).mean() - np.abs(stack[:, 2:] - stack[:, :-2]).mean()


def test_interlaced_video_is_said_and_deinterlaced_on_request(interlaced):
    path, moments = interlaced
    with pytest.warns(UserWarning, match=r"^\S+a\.mpg: the video is interlaced, .*--deinterlace") as said:
        combed = list(read_frames(path))
    assert len(said) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        whole = list(read_frames(path, deinterlace=True))
    assert len(whole) == len(combed) == 10
    assert combing(combed) > 0.03 and combing(whole) < 0.005
    assert min(np.abs(np.stack(whole)[:, 0] - moments[k::2]).mean() for k in (0, 1)) < 0.02


def test_clips_of_interlaced_video(interlaced):
    path, _ = interlaced
    clips = Clips([path], 3, (48, 64), cache_mib=0)
    assert (
        len(clips.remarks) == 1 and "; 1 remarks:\n" in clips.describe() and "interlaced" in clips.describe()
    )
    clips = Clips([path], 3, (48, 64), cache_mib=0, deinterlace=True)
    kept = Clips([path], 3, (48, 64), deinterlace=True)
    assert not clips.remarks and len(clips) == 3
    np.testing.assert_array_equal(clips.batch(range(3)).frames, kept.batch(range(3)).frames)
    np.testing.assert_array_equal(kept.clip(2), list(read_frames(path, deinterlace=True))[6:9])
