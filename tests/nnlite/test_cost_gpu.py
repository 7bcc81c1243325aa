"""The estimates of time for a GPU."""

import numpy as np
import pytest

from nnlite.ops import cost, cost_gpu, estimates


def test_a_gpu_has_choices_of_its_own(monkeypatch):
    """Small batches take small tiles, large ones the whole map, and TF32 makes products cheap."""
    monkeypatch.setenv("CUPY_TF32", "0")
    tiles = [cost_gpu.choose_tile(32, 32, images, 7, 80, 256) for images in (1, 8, 64, 128)]
    assert tiles == sorted(tiles) and tiles[0] < 11 and tiles[-2:] == [32, 32]
    sizes = (16, 64, 32, 32), (64, 64, 7, 7), (3, 3)
    exact = [cost_gpu.gemm_seconds(op, *sizes) for op in cost_gpu.OPERATIONS]
    frames, tiling = cost_gpu.frames_seconds(*sizes), cost_gpu.choose_frame_tiling(*sizes)
    assert frames < min(exact) and tiling in cost.candidate_tilings(*sizes)
    monkeypatch.setenv("CUPY_TF32", "1")
    for op, seconds in zip(cost_gpu.OPERATIONS, exact):
        assert cost_gpu.gemm_seconds(op, *sizes) < seconds
    assert cost_gpu.frames_seconds(*sizes) < frames
    few = (80, 64, 32, 32), (2, 64, 15, 15), (7, 7)
    assert cost_gpu.rows_seconds(*few) < cost_gpu.frames_seconds(*few)


def test_a_product_is_rounded_up_to_squares():
    """What a square of outputs leaves empty takes as long; a long thin product is limited by its bytes."""
    thin, whole = (cost_gpu.product_seconds(1000, 64, 4096, columns) for columns in (8, 64))
    assert thin == pytest.approx(whole, rel=0.3)
    by_bytes = cost_gpu.product_seconds(1, 64, 1, 1 << 24) - cost_gpu.LAUNCH
    assert by_bytes == pytest.approx(4 * (65 * (1 << 24) + 64) / cost_gpu.MEMORY, rel=1e-3)


def test_estimates_are_those_of_the_device():
    assert estimates.on(np) is cost and estimates.on(object()) is cost_gpu
