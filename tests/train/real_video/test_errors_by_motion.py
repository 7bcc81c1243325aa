"""Errors by motion, and of each video beside its copy."""

import numpy as np
import pytest

from nnlite.train.real_video import by_motion
from nnlite.train.real_video.scores import format_tables


def test_each_pixel_counts_where_it_moves():
    """Two still pixels, one slow, one fast, in a sequence of two frames of two colours."""
    truth = np.zeros((1, 1, 2, 2, 2))
    lengths = np.array([[0.0, 0.1], [0.5, 2.0]])
    motion = np.stack([0.6 * lengths, -0.8 * lengths], axis=-1)[None, None]
    copy, model = truth.copy(), truth.copy()
    copy[0, 0, :, 0, 0], copy[0, 0, :, 1] = 1, (2, 4)
    model[0, 0, 0, 0, 0], model[0, 0, :, 1] = 1, (1, 2)  # of the first one colour alone
    errors = by_motion.ErrorsByMotion()
    for _ in range(2):
        errors.add({"model": model, "copy": copy}, truth, motion)
    found = errors.result()
    classes = {name: found[name] for name in by_motion.CLASSES}
    assert {n: row["pixels"] for n, row in classes.items()} == {"still": 0.5, "slow": 0.25, "fast": 0.25}
    assert [row["error"] for row in classes.values()] == pytest.approx([1 / 21, 4 / 21, 16 / 21])
    assert [row["over_copy"]["model"] for row in classes.values()] == [0.5, 0.25, 0.25]
    assert {row["over_copy"]["copy"] for row in classes.values()} == {1.0}
    assert found["fast_to_4"] == found["fast"]
    assert found["fast_to_8"]["pixels"] == found["fastest"]["pixels"] == 0


def test_the_fast_ones_in_parts():
    lengths = np.array([[[0.1, 0.3, 1.0, 3.9], [4.0, 7.9, 8.0, 80.0]]])
    motion = np.stack([lengths, np.zeros_like(lengths)], axis=-1)[None]
    truth, copy, model = np.zeros((3, 1, 1, 1, 2, 4))
    copy += 1
    model[..., 1, :] = [0.1, 0.2, 0.3, 0.4]
    errors = by_motion.ErrorsByMotion()
    errors.add({"model": model, "copy": copy}, truth, motion)
    found = errors.result()
    pixels = {"fast": 6, "fast_to_4": 2, "fast_to_8": 2, "fastest": 2, "slow": 1, "still": 1}
    assert {name: 8 * row["pixels"] for name, row in found.items()} == pixels
    assert {name: 8 * row["error"] for name, row in found.items()} == pixels
    ratios = {name: row["over_copy"]["model"] for name, row in found.items()}
    expected = {"fast": 0.05, "fast_to_4": 0, "fast_to_8": 0.025, "fastest": 0.125, "slow": 0, "still": 0}
    assert ratios == pytest.approx(expected)


def test_nothing_that_moves():
    errors, frames = by_motion.ErrorsByMotion(), np.zeros((1, 1, 1, 2, 2))
    errors.add({name: frames for name in by_motion.NAMES}, frames, np.zeros((1, 1, 2, 2, 2)))
    assert errors.result()["fast"]["over_copy"] == dict.fromkeys(by_motion.NAMES)
    assert by_motion.format_table(errors.result()).splitlines()[2].split() == (
        "| more than 1 | 0.0% | 0.0% | - | - | - |".split()
    )


def test_the_worst_video_is_named():
    def video(name, model, copy):
        errors = {"model": model, "zero_flow": 0.1, "copy": copy, "motion": 0.1}
        scores = {key: {"all": {"squared": error}} for key, error in errors.items()}
        over = -10 * np.log10(model / copy) if copy else None
        return {"video": name, "clips": 1, "over_copy": over} | scores

    errors = {steps: {"squared": 0.1, "absolute": 0.2} for steps in ("last", "all")}
    videos = [video("a.mp4", 0.01, 0.02), video("b.mp4", 0.04, 0.02), video("still.mp4", 0.01, 0.0)]
    row = {"pixels": 1.0, "error": 1.0, "over_copy": dict.fromkeys(by_motion.NAMES, 1.0)}
    page = format_tables(
        {
            "experiment": {"frames": 5},
            "scores": dict.fromkeys(by_motion.NAMES, errors),
            "videos": videos,
            "by_motion": dict.fromkeys(by_motion.ROWS, row),
        }
    )
    assert "Beside its copy b.mp4 is worst: -3.01 dB." in page
    rows = {
        line.split("|")[1].strip(): line.split("|")[-2].strip() for line in page.splitlines() if "|" in line
    }
    assert (rows["a.mp4"], rows["b.mp4"], rows["still.mp4"]) == ("+3.01", "-3.01", "-")
