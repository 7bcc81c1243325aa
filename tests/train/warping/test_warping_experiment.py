"""The warping experiment: exact shifts, both directions, what counts, the command, and the real figures."""

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import map_coordinates

from nnlite.data.flow import write_flo
from nnlite.data.frame_pairs import Pair
from nnlite.data.middlebury import find_middlebury, middlebury_pairs
from nnlite.data.moving_disc import MovingDisc
from nnlite.data.sintel import find_sintel, sintel_pairs
from nnlite.train.report.tables import psnr
from nnlite.train.warping import __main__ as warping
from nnlite.train.warping import report as warping_report
from nnlite.train.warping.experiment import chosen, measure, warp, warp_both_ways

RESULTS = Path(__file__).parents[3] / "results"


def noise(*shape, seed=0):
    return np.random.default_rng(seed).uniform(size=shape)


def constant(u, v, height, width):
    return np.broadcast_to(np.array([u, v], np.float64), (height, width, 2))


def write_sintel(root):
    """Write a drawn pair as frames 1 and 2 of two scenes of Sintel, the second without occlusions."""
    pair = MovingDisc((32, 48), (4.5, -2), (-1, 1.25)).read()
    training = root / "training"
    for scene in ("market_2", "zoë_1"):
        for folder in ("clean", "flow", "occlusions"):
            (training / folder / scene).mkdir(parents=True)
        for number, frame in enumerate((pair.first, pair.second), 1):
            picture = Image.fromarray(np.rint(255 * frame).astype(np.uint8))
            picture.save(training / "clean" / scene / f"frame_{number:04d}.png")
        write_flo(training / "flow" / scene / "frame_0001.flo", pair.flow)
    Image.fromarray(pair.hidden).save(training / "occlusions" / "market_2" / "frame_0001.png")
    return root


@pytest.fixture
def sintel(tmp_path):
    return write_sintel(tmp_path / "sintel")


@pytest.fixture
def no_data(monkeypatch):
    monkeypatch.delenv("NNLITE_DATA", raising=False)


def real_pairs():
    """Return {dataset + name: pair} of the real pairs below NNLITE_DATA, or skip."""
    if not os.environ.get("NNLITE_DATA"):
        pytest.skip("NNLITE_DATA is not set: no real pairs to warp")
    pairs = []
    for find, list_pairs in ((find_sintel, sintel_pairs), (find_middlebury, middlebury_pairs)):
        folder = find()
        pairs += list_pairs(folder)[0] if folder else []
    return {f"{pair.dataset} {pair.name}": pair for pair in pairs}


# ---- warping ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("u, v", [(0, 0), (3, -2), (-5, 4), (0, 1)])
def test_whole_pixels_are_read_exactly(u, v):
    frame = noise(11, 17, 3)
    sampled, inside = warp(frame, constant(u, v, 11, 17))
    wanted, there = np.zeros_like(frame), np.zeros((11, 17), bool)
    for y in range(11):
        for x in range(17):
            if 0 <= y + v < 11 and 0 <= x + u < 17:
                wanted[y, x], there[y, x] = frame[y + v, x + u], True
    np.testing.assert_array_equal(inside, there)
    np.testing.assert_allclose(sampled, wanted, rtol=0, atol=1e-12)


def test_a_ramp_is_exact_between_pixels():
    y, x = np.mgrid[:13, :19]
    ramp = lambda x, y: np.stack([0.02 * x + 0.01 * y, 0.5 - 0.015 * x, 0.03 * y], axis=-1)  # noqa: E731
    flow = np.random.default_rng(1).uniform(-2.5, 2.5, (13, 19, 2))
    sampled, inside = warp(ramp(x, y), flow)
    wanted = ramp(x + flow[..., 0], y + flow[..., 1])
    assert 0.5 < inside.mean() < 1
    np.testing.assert_allclose(sampled[inside], wanted[inside], rtol=0, atol=1e-13)


def test_any_flow_against_scipy():
    frame, flow = noise(12, 9, 2), np.random.default_rng(2).normal(0, 3, (12, 9, 2))
    sampled, inside = warp(frame.astype(np.float32), flow)
    y, x = np.mgrid[:12, :9]
    at = [y + flow[..., 1], x + flow[..., 0]]
    for channel in range(2):
        wanted = map_coordinates(frame.astype(np.float32)[..., channel], at, order=1, output=np.float64)
        np.testing.assert_allclose(sampled[inside, channel], wanted[inside], rtol=0, atol=1e-12)
    assert sampled.dtype == np.float64


def test_directions():
    """Where all moves alike both uses are exact; the flow taken the wrong way round is not."""
    wide = noise(30, 40, 3)
    first, second = wide[5:25, 5:35], wide[8:28, 3:33]  # the content moves by (2, -3)
    warped = warp_both_ways(Pair(first, second, constant(2, -3, 20, 30)))
    for use, (truth, source, sampled, inside) in warped.items():
        assert truth is (first if use == "current" else second) and source is not truth
        assert inside.sum() == 17 * 28
        np.testing.assert_allclose(sampled[inside], truth[inside], rtol=0, atol=1e-12)
    wrong, inside = warp(second, constant(-2, 3, 20, 30))
    assert np.abs(wrong - first)[inside].mean() > 0.1


def test_artefacts_of_the_negated_flow():
    """What the module's text says: the front of the disc is cut off, the flow at the right pixels has it."""
    disc = MovingDisc((60, 80), (6, 0), (0, 0))
    pair = disc.read()
    covered = pair.flow[..., 0] == 6
    came = np.roll(covered, 6, axis=1)  # where the disc is in frame t + 1
    entered, left = came & ~covered, covered & ~came
    truth, _, sampled, _ = warp_both_ways(pair)["next"]
    np.testing.assert_allclose(sampled[entered], pair.first[entered], rtol=0, atol=1e-6)
    np.testing.assert_allclose(sampled[left], np.roll(pair.first, 6, axis=1)[left], rtol=0, atol=1e-6)
    assert np.abs(sampled - truth)[entered].mean() > 0.1
    exact, _ = warp(pair.first, np.where(came[..., None], [-6, 0], 0))
    seen = ~left  # the rest was hidden behind the disc
    np.testing.assert_allclose(exact[seen], truth[seen], rtol=0, atol=1e-6)
    current = warp_both_ways(pair)["current"][2]
    np.testing.assert_allclose(current[~pair.hidden], pair.first[~pair.hidden], rtol=0, atol=1e-6)
    np.testing.assert_allclose(current[entered], pair.second[entered], rtol=0, atol=1e-6)  # a second copy


# ---- errors -------------------------------------------------------------------------------------------


def test_what_counts():
    first, second = np.zeros((4, 5, 3), np.float32), np.zeros((4, 5, 3), np.float32)
    second[:, :, 0] = np.arange(5) / 10
    flow = np.ones((4, 5, 2), np.float32) * np.float32([1, 0])  # the last column is read outside
    flow[0, 0], flow[1, 1, 0] = 1e10, np.nan
    hidden = np.zeros((4, 5), bool)
    hidden[2] = True
    pair = Pair(first, second, flow, hidden)
    found = measure(pair, warp_both_ways(pair))["current"]
    assert [found[name]["pixels"] for name in ("all", "inside", "visible")] == [18, 14, 10]
    read = np.array([0.1, 0.2, 0.3, 0.4])  # red in row 3; in row 0 without the first, in row 1 the second
    seen = np.concatenate([read, read[1:], read[[0, 2, 3]]])
    assert found["visible"]["sampled"]["absolute"] == pytest.approx(seen.mean() / 3)
    assert found["visible"]["sampled"]["squared"] == pytest.approx((seen**2).mean() / 3)
    assert found["visible"]["copied"]["absolute"] == pytest.approx((seen - 0.1).mean() / 3)
    assert found["inside"]["sampled"]["absolute"] == pytest.approx((seen.sum() + read.sum()) / 14 / 3)
    assert found["all"]["sampled"]["absolute"] == pytest.approx((seen.sum() + read.sum()) / 18 / 3)


def test_what_cannot_count():
    pair = Pair(np.zeros((3, 4, 3)), np.ones((3, 4, 3)), np.full((3, 4, 2), 1e10))
    assert measure(pair, warp_both_ways(pair)) == {
        use: dict.fromkeys(("all", "inside", "visible")) for use in ("current", "next")
    }
    found = measure(*(lambda pair: (pair, warp_both_ways(pair)))(MovingDisc((24, 32)).read()))
    assert found["current"]["visible"] and found["next"]["visible"] is None


def test_pooling_is_by_pixel():
    def errors(pixels, value):
        both = {"absolute": value, "squared": value**2}
        return {"current": {"all": {"pixels": pixels, "sampled": both, "copied": both}, "visible": None}}

    pooled = warping_report.pool([errors(100, 0.1), errors(300, 0.5)], "current", "all")
    assert pooled["pixels"] == 400 and pooled["sampled"]["absolute"] == pytest.approx(0.4)
    assert pooled["copied"]["squared"] == pytest.approx((0.01 + 3 * 0.25) / 4)
    assert warping_report.pool([errors(100, 0.1)], "current", "visible") is None
    assert psnr(0.001) == pytest.approx(30) and psnr(0) == math.inf


# ---- the command --------------------------------------------------------------------------------------


def test_without_data_a_pair_is_drawn(tmp_path, capsys, no_data):
    assert warping.main(["--out", str(tmp_path / "run")]) == 0
    printed = capsys.readouterr().out
    assert "No real data here" in printed and "drawn, moving disc" in printed and "0.004" not in printed
    names = {"warping.json", "warping.md", "drawn_moving_disc_0_1.png"}
    assert {path.name for path in (tmp_path / "run").iterdir()} == names
    (pair,) = json.loads((tmp_path / "run" / "warping.json").read_text())["pairs"]
    visible, size = pair["current"]["visible"], pair["size"]
    assert size == [256, 128] and visible["sampled"]["absolute"] < visible["copied"]["absolute"] / 10
    assert visible["sampled"]["absolute"] < pair["current"]["all"]["sampled"]["absolute"] / 4
    drawn = Image.open(tmp_path / "run" / "drawn_moving_disc_0_1.png").convert("RGB")
    assert len(np.unique(np.asarray(drawn).reshape(-1, 3), axis=0)) > 500


def test_sintel_in_full(sintel, tmp_path, capsys, no_data):
    (sintel / "training/clean/market_2/frame_0003.png").write_bytes(
        (sintel / "training/clean/market_2/frame_0002.png").read_bytes()
    )
    out = tmp_path / "run"
    assert warping.main(["--sintel", str(sintel), "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert f"left out, because {sintel / 'training/flow/market_2/frame_0002.flo'} is missing" in printed
    page = (out / "warping.md").read_text()
    result = json.loads((out / "warping.json").read_text())
    assert page == warping_report.format_page(result) and page in printed
    assert str(tmp_path) not in page + json.dumps(result)  # nothing of this machine's folders
    assert result["left_out"] == ["flow/market_2/frame_0002.flo"]
    for row in ("Sintel clean, market_2", "Sintel clean, zoë_1", "Sintel clean, all"):
        assert page.count(f"| {row} ") == 2
    assert "average per-pixel error on all of Sintel is 0.004" in page
    market, zoe = result["pairs"]
    assert market["current"]["visible"] and zoe["current"]["visible"] is None
    assert market["current"]["all"] == zoe["current"]["all"]
    assert {path.name for path in out.glob("*.png")} == {
        "sintel_clean_market_2_1_2.png",
        "sintel_clean_zoë_1_1_2.png",
    }


def test_chosen_figures(sintel):
    pairs, _ = sintel_pairs(find_sintel(sintel))
    pairs = [*pairs, *pairs]
    assert chosen(pairs, "all") == pairs and chosen(pairs, "none") == []
    assert [pair.sequence for pair in chosen(pairs, "sequence")] == ["market_2", "zoë_1"]


@pytest.mark.parametrize("option", ["--sintel", "--middlebury"])
def test_no_such_folder(option, tmp_path, capsys, no_data):
    assert warping.main([option, str(tmp_path / "nowhere"), "--out", str(tmp_path / "run")]) == 2
    assert f"error: {option}: there is no folder {tmp_path / 'nowhere'}" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_broken_flow_is_named(sintel, tmp_path, capsys, no_data):
    path = sintel / "training/flow/zoë_1/frame_0001.flo"
    path.write_bytes(b"HEIP" + path.read_bytes()[4:])
    assert warping.main(["--sintel", str(sintel), "--out", str(tmp_path / "run")]) == 2
    assert f"error: {path}: not a .flo file" in capsys.readouterr().err


# ---- real pairs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, selection, copied, sampled",
    [
        ("Sintel clean alley_1 2->3", "visible", 23.1, 37.0),
        ("Middlebury Dimetrodon 10->11", "inside", 25.3, 39.8),
        ("Middlebury Grove2 10->11", "inside", 18.7, 28.6),
        ("Middlebury RubberWhale 10->11", "inside", 28.0, 39.7),
        ("Middlebury Urban2 10->11", "inside", 22.1, 33.0),
        ("Middlebury Venus 10->11", "inside", 20.0, 28.6),
    ],
)
def test_real_pairs(name, selection, copied, sampled):
    """PSNR in dB of what other code, in NumPy alone, found for the same pairs."""
    pairs = real_pairs()
    if name not in pairs:
        pytest.skip(f"{name} is not below NNLITE_DATA")
    pair = pairs[name].read()
    errors = measure(pair, warp_both_ways(pair))["current"][selection]
    assert round(psnr(errors["copied"]["squared"]), 1) == copied
    assert round(psnr(errors["sampled"]["squared"]), 1) == sampled


def test_results_page_is_that_of_the_numbers():
    result = json.loads((RESULTS / "warping.json").read_text())
    assert (RESULTS / "warping.md").read_text().startswith(warping_report.format_page(result))
    by_name = {pair["name"]: pair for pair in result["pairs"] if pair["dataset"] == "Sintel clean"}
    errors = by_name["alley_1 2->3"]["current"]["visible"]
    assert psnr(errors["sampled"]["squared"]) == pytest.approx(36.96, abs=0.01)
