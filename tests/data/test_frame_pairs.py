"""Pairs of frames with flow: the layouts of MPI-Sintel and Middlebury, a drawn pair, and damaged files."""

import shutil

import numpy as np
import pytest
from PIL import Image

from nnlite.data.flow import write_flo
from nnlite.data.middlebury import find_middlebury, middlebury_pairs
from nnlite.data.moving_disc import MovingDisc
from nnlite.data.sintel import find_sintel, sintel_pairs


def picture(path, values=None, size=(7, 5)):
    """Write a PNG: an array, or grey of `size`, (width, height); return the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.full((size[1], size[0], 3), 51, np.uint8) if values is None else values
    Image.fromarray(values).save(path)
    return path


def flow(path, size=(7, 5)):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_flo(path, np.ones((size[1], size[0], 2)))
    return path


@pytest.fixture(autouse=True)
def nowhere(monkeypatch):
    monkeypatch.delenv("NNLITE_DATA", raising=False)


@pytest.fixture
def sintel(tmp_path):
    """A folder in Sintel's layout: two scenes, the second in one pass only and with a gap."""
    root = tmp_path / "sintel"
    for kind in ("clean", "final"):
        for number in (1, 2, 3):
            picture(root / "training" / kind / "alley_1" / f"frame_{number:04d}.png")
    for number in (1, 2):
        flow(root / "training/flow/alley_1" / f"frame_{number:04d}.flo")
    for number in (49, 50, 52):
        picture(root / "training/final/höhle_4" / f"frame_{number:04d}.png")
    for number in (49, 52):
        flow(root / "training/flow/höhle_4" / f"frame_{number:04d}.flo")
    mask = np.zeros((2, 5, 7), np.uint8)
    mask[0, 0, 0] = mask[1, 2, 3] = 255
    for kind, values in zip(("occlusions", "invalid"), mask):
        picture(root / "training" / kind / "alley_1" / "frame_0002.png", values)
    (root / "training/final/alley_1/notes.txt").write_text("no frame")
    return root


@pytest.fixture
def middlebury(tmp_path):
    root = tmp_path / "middlebury"
    for name in ("Venus", "Army"):
        for frame in ("frame10.png", "frame11.png"):
            picture(root / "other-data" / name / frame)
    flow(root / "other-gt-flow/Venus/flow10.flo")
    return root


# ---- Sintel -------------------------------------------------------------------------------------------


def test_sintel_pairs(sintel):
    pairs, missing = sintel_pairs(find_sintel(str(sintel)))
    assert [(pair.dataset, pair.name) for pair in pairs] == [
        ("Sintel clean", "alley_1 1->2"),
        ("Sintel clean", "alley_1 2->3"),
        ("Sintel final", "alley_1 1->2"),
        ("Sintel final", "alley_1 2->3"),
        ("Sintel final", "höhle_4 49->50"),
    ]
    assert missing == [sintel / "training/final/höhle_4/frame_0053.png"]
    second = pairs[1]
    assert second.sequence == "alley_1"
    assert second.first == sintel / "training/clean/alley_1/frame_0002.png"
    assert second.second == sintel / "training/clean/alley_1/frame_0003.png"
    assert second.flow == sintel / "training/flow/alley_1/frame_0002.flo"
    assert [len(pair.masks) for pair in pairs] == [0, 2, 0, 2, 0]


def test_sintel_frames_without_flow_are_named(sintel):
    (sintel / "training/flow/alley_1/frame_0001.flo").unlink()
    pairs, missing = sintel_pairs(find_sintel(sintel))
    assert [pair.name for pair in pairs] == ["alley_1 2->3", "alley_1 2->3", "höhle_4 49->50"]
    assert missing.count(sintel / "training/flow/alley_1/frame_0001.flo") == 2
    shutil.rmtree(sintel / "training/flow")
    (sintel / "training/flow").mkdir()
    with pytest.raises(FileNotFoundError, match=r"no two consecutive frames .*frame_0001\.flo is missing"):
        sintel_pairs(find_sintel(sintel))


def test_reading_a_pair(sintel):
    first = np.random.default_rng(0).integers(0, 256, (5, 7, 3)).astype(np.uint8)
    picture(sintel / "training/clean/alley_1/frame_0002.png", first)
    pair = sintel_pairs(find_sintel(sintel))[0][1].read()
    np.testing.assert_array_equal(pair.first, first.astype(np.float32) / np.float32(255))
    np.testing.assert_array_equal(pair.second, np.full((5, 7, 3), np.float32(51 / 255)))
    assert pair.first.dtype == pair.second.dtype == np.float32 and pair.known.all()
    np.testing.assert_array_equal(np.argwhere(pair.hidden), [[0, 0], [2, 3]])
    assert sintel_pairs(find_sintel(sintel))[0][0].read().hidden is None


def test_invalid_pixels_alone_are_no_mask(sintel):
    (sintel / "training/occlusions/alley_1/frame_0002.png").unlink()
    assert not any(pair.masks for pair in sintel_pairs(find_sintel(sintel))[0])


# ---- Middlebury ---------------------------------------------------------------------------------------


def test_middlebury_pairs(middlebury):
    pairs, missing = middlebury_pairs(find_middlebury(str(middlebury)))
    assert [(pair.dataset, pair.name) for pair in pairs] == [("Middlebury", "Venus 10->11")]
    assert missing == [middlebury / "other-gt-flow/Army/flow10.flo"]
    pair = pairs[0].read()
    assert pair.first.shape == (5, 7, 3) and pair.hidden is None
    (middlebury / "other-gt-flow/Venus/flow10.flo").unlink()
    with pytest.raises(FileNotFoundError, match=r"both frames and flow \(.*flow10\.flo is missing\)"):
        middlebury_pairs(find_middlebury(middlebury))


def test_unknown_flow_and_grey_frames(middlebury):
    grey = np.arange(35, dtype=np.uint8).reshape(5, 7)
    picture(middlebury / "other-data/Venus/frame10.png", grey)
    values = np.ones((5, 7, 2))
    values[1, 2], values[3, 4, 0] = 1.6666668e9, np.nan
    write_flo(middlebury / "other-gt-flow/Venus/flow10.flo", values)
    pair = middlebury_pairs(middlebury)[0][0].read()
    np.testing.assert_array_equal(pair.first[..., 1], grey / np.float32(255))
    np.testing.assert_array_equal(np.argwhere(~pair.known), [[1, 2], [3, 4]])


# ---- folders ------------------------------------------------------------------------------------------


def test_where_the_folders_are_searched_for(sintel, middlebury, monkeypatch):
    training = sintel / "training"
    assert find_sintel() is None and find_middlebury() is None
    for folder in (sintel, training, sintel.parent):
        assert find_sintel(folder) == training
    monkeypatch.setenv("NNLITE_DATA", str(sintel.parent))
    assert find_sintel() == training and find_middlebury() == middlebury
    shutil.rmtree(middlebury)
    assert find_middlebury() is None


def test_folders_that_are_not_there(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"--sintel: there is no folder .*nowhere"):
        find_sintel(tmp_path / "nowhere")
    with pytest.raises(
        FileNotFoundError,
        match=r"--middlebury: no Middlebury in .*: other-data/ and other-gt-flow/ must be in this folder",
    ):
        find_middlebury(tmp_path)
    monkeypatch.setenv("NNLITE_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match="NNLITE_DATA: there is no folder"):
        find_sintel()


# ---- broken files -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "file, content, message",
    [
        ("flow/alley_1/frame_0002.flo", b"RIFF" + bytes(300), "not a .flo file"),
        ("flow/alley_1/frame_0002.flo", None, "250 bytes of flow"),
        ("clean/alley_1/frame_0002.png", b"no picture", "not a picture"),
        ("clean/alley_1/frame_0003.png", None, "not a picture, or a damaged one"),
        ("occlusions/alley_1/frame_0002.png", b"", "not a picture"),
    ],
)
def test_broken_files_are_named(sintel, file, content, message):
    path = sintel / "training" / file
    path.write_bytes(path.read_bytes()[:-30] if content is None else content)
    with pytest.raises(ValueError, match=rf"{file}: .*{message}"):
        sintel_pairs(find_sintel(sintel))[0][1].read()


@pytest.mark.parametrize(
    "file",
    ["clean/alley_1/frame_0003.png", "flow/alley_1/frame_0002.flo", "invalid/alley_1/frame_0002.png"],
)
def test_sizes_that_differ_are_named(sintel, file):
    make = flow if file.endswith(".flo") else picture
    make(sintel / "training" / file, size=(5, 7))
    with pytest.raises(
        ValueError, match=rf"{file}: 7 x 5 pixels, but .*clean/alley_1/frame_0002\.png has 5 x 7"
    ):
        sintel_pairs(find_sintel(sintel))[0][1].read()


def test_a_file_that_vanishes_is_named(sintel):
    pair = sintel_pairs(find_sintel(sintel))[0][0]
    pair.flow.unlink()
    with pytest.raises(FileNotFoundError, match=r"flow/alley_1/frame_0001\.flo"):
        pair.read()


# ---- the drawn pair -----------------------------------------------------------------------------------


def test_moving_disc_is_what_its_flow_says():
    """With whole pixels of motion every visible pixel of frame t is found in frame t + 1."""
    disc = MovingDisc((40, 60), (5, -3), (-2, 1))
    pair = disc.read()
    assert pair.first.shape == (40, 60, 3) and pair.first.min() >= 0 and pair.first.max() <= 1
    assert {tuple(motion) for motion in pair.flow.reshape(-1, 2)} == {(5, -3), (-2, 1)}
    y, x = np.nonzero(~pair.hidden)
    u, v = pair.flow[y, x].astype(int).T
    np.testing.assert_allclose(pair.second[y + v, x + u], pair.first[y, x], rtol=0, atol=1e-6)
    covered = pair.hidden & (pair.flow[..., 0] == -2)
    y, x = np.nonzero(covered[1:-1, 2:])  # away from where the background leaves
    moved = pair.second[1:-1, 2:][y + 1, x - 2] - pair.first[1:-1, 2:][y, x]
    assert len(y) > 20 and np.abs(moved).max(axis=-1).min() > 0.01
