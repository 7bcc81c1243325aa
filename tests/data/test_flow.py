"""Flow files and the end-point error."""

import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import nnlite as nn
from nnlite.data.flow import end_point_error, known_flow, read_flo, write_flo


def random_flow(height=5, width=7, seed=0):
    return np.random.default_rng(seed).normal(0, 20, (height, width, 2)).astype(np.float32)


def real_flo_files():
    """Return the .flo files below NNLITE_DATA, or skip."""
    folder = os.environ.get("NNLITE_DATA")
    if not folder:
        pytest.skip("NNLITE_DATA is not set: no real flow to read")
    found = sorted(Path(folder).rglob("*.flo"))
    if not found:
        pytest.skip(f"no .flo file below {folder}")
    return found


# ---- Middlebury .flo ----------------------------------------------------------------------------------


def test_flo_round_trip(tmp_path):
    flow = random_flow()
    flow[0, 0] = 1e10
    flow[1, 1, 0] = np.nan
    write_flo(tmp_path / "a.flo", flow)
    np.testing.assert_array_equal(read_flo(tmp_path / "a.flo"), flow)
    write_flo(str(tmp_path / "a.flo"), flow[:2, ::-1].astype(np.float64))
    np.testing.assert_array_equal(read_flo(str(tmp_path / "a.flo")), flow[:2, ::-1])
    assert [p.name for p in tmp_path.iterdir()] == ["a.flo"]


def test_flo_bytes(tmp_path):
    """The layout of the format: magic, width, height, then u and v of each pixel, row by row."""
    content = struct.pack("<fii", 202021.25, 3, 2) + struct.pack("<12f", *range(12))
    (tmp_path / "a.flo").write_bytes(content)
    flow = read_flo(tmp_path / "a.flo")
    assert flow.shape == (2, 3, 2) and flow.dtype == np.float32
    np.testing.assert_array_equal(flow.ravel(), np.arange(12))
    write_flo(tmp_path / "b.flo", flow)
    assert (tmp_path / "b.flo").read_bytes() == content


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "not a .flo file"),
        (struct.pack("<fii", 1.0, 3, 2), "not a .flo file"),
        (b"PIEH\1\0\0", "ends after 7 of 12 bytes"),
        (struct.pack("<fii", 202021.25, 3, 2) + bytes(47), "47 bytes of flow, but 2 x 3 pixels need 48"),
        (struct.pack("<fii", 202021.25, 3, 2) + bytes(49), "49 bytes of flow"),
        (struct.pack("<fii", 202021.25, 0, 2), "width 0 and height 2"),
        (struct.pack("<fii", 202021.25, 3, -2), "height -2"),
        (struct.pack("<fii", 202021.25, 2**30, 2**30), "between 1 and 99999"),
    ],
)
def test_broken_flo_files_are_named(tmp_path, content, message):
    (tmp_path / "broken.flo").write_bytes(content)
    with pytest.raises(ValueError, match=rf"broken\.flo: .*{message}"):
        read_flo(tmp_path / "broken.flo")


def test_failed_writing_leaves_no_trace(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"flow must have shape \(H, W, 2\), got \(2, 4, 5\)"):
        write_flo(tmp_path / "a", np.zeros((2, 4, 5)))
    write_flo(tmp_path / "a", random_flow())
    before = (tmp_path / "a").read_bytes()

    def fail(*paths):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_flo(tmp_path / "a", random_flow(seed=1))
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == before


def test_real_flo_files(tmp_path):
    for path in real_flo_files():
        flow = read_flo(path)
        known = known_flow(flow)
        assert known.mean() > 0.5 and np.abs(flow[known]).max() < 200, path
        write_flo(tmp_path / "copy.flo", flow)
        assert (tmp_path / "copy.flo").read_bytes() == path.read_bytes()


def test_real_flow_explains_the_second_frame():
    """The frame after, read where the flow says the content went, is the frame before: (u, v) = (x, y)."""
    from matplotlib.image import imread

    compared = 0
    for path in real_flo_files():
        frames = [
            Path(str(path.parent).replace("other-gt-flow", "other-data")) / name
            for name in ("frame10.png", "frame11.png")
        ]
        if path.name != "flow10.flo" or not all(frame.exists() for frame in frames):
            continue
        flow, (first, second) = read_flo(path), (imread(frame).astype(np.float32) for frame in frames)
        height, width, _ = flow.shape
        known = known_flow(flow)
        normalised = np.where(known[..., None], flow, 0)[..., ::-1] * 2 / np.float32([height - 1, width - 1])
        grid = nn.AffineGridGeneratorOpticalFlow2D(height, width).forward(
            normalised.transpose(2, 0, 1).copy()
        )
        warped = nn.BilinearSamplerBHWD().forward([second, grid.transpose(1, 2, 0)])
        compare = known & (np.abs(grid) <= 1).all(axis=0)
        before, after = (
            -10 * np.log10(np.mean((other - first)[compare] ** 2, dtype=np.float64))
            for other in (second, warped)
        )
        assert after > before + 8, f"{path}: {before:.1f} dB before, {after:.1f} dB after warping"
        compared += 1
    if not compared:
        pytest.skip("no Middlebury frames below NNLITE_DATA")


def test_names_beyond_ascii(tmp_path):
    folder = tmp_path / "flüsse 流れ"
    folder.mkdir()
    write_flo(folder / "größe.flo", np.ones((2, 3, 2)))
    np.testing.assert_array_equal(read_flo(folder / "größe.flo"), np.ones((2, 3, 2)))
    (folder / "größe.flo").write_bytes(b"something else")
    with pytest.raises(ValueError, match=r"flüsse 流れ/größe\.flo: not a "):
        read_flo(folder / "größe.flo")


# ---- end-point error ----------------------------------------------------------------------------------


def test_end_point_error():
    truth = np.zeros((2, 3, 2), np.float32)
    flow = truth + np.float32([3, 4])
    flow[0, 0] = 0
    assert end_point_error(flow, truth) == pytest.approx(5 * 5 / 6)
    truth[0, 1], truth[1, 2, 1] = 1e10, np.nan
    assert end_point_error(flow, truth) == pytest.approx(5 * 3 / 4)
    mask = np.array([[True, True, False], [False, True, True]])
    assert end_point_error(flow, truth, mask) == pytest.approx(5 / 2)
    assert np.isnan(end_point_error(flow, truth, np.zeros((2, 3), bool)))
    assert end_point_error(flow[None], truth[None], mask[None]) == pytest.approx(5 / 2)


def test_a_prediction_that_is_nan_is_not_ignored():
    truth = np.zeros((2, 3, 2))
    assert np.isnan(end_point_error(truth + np.nan, truth))


def test_bad_end_point_error():
    with pytest.raises(ValueError, match=r"must both be \(\.\.\., H, W, 2\), got \(2, 4, 5\)"):
        end_point_error(np.zeros((2, 4, 5)), np.zeros((2, 4, 5)))
    with pytest.raises(ValueError, match=r"mask must have shape \(4, 5\), got \(5, 4\)"):
        end_point_error(np.zeros((4, 5, 2)), np.zeros((4, 5, 2)), np.zeros((5, 4)))


def test_importing_the_formats_is_light():
    code = (
        "import sys, data.flow, data.flow_colour; "
        "sys.exit(bool({'scipy', 'matplotlib', 'h5py', 'nnlite'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2]).returncode == 0
