"""The CUDA kernels against the NumPy functions that they replace, compiled for the host and for any GPU."""

from types import SimpleNamespace

import numpy as np
import pytest

from nnlite import backend
from nnlite.ops import get_ops
from nnlite.ops.tiles import Tiling
from nnlite.optim import adaptive


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("first", [False, True], ids=["later step", "first step"])
@pytest.mark.usefixtures("library")
def test_gates(first, dtype):
    """On views with gaps, as the columns of a larger array are."""
    rng = np.random.default_rng(0)
    n, batch = 3, 5
    drawn = rng.standard_normal((8, n, 2 * batch)).astype(dtype)
    results = []
    for device in ("cpu", "cuda"):
        ops = get_ops(backend.array_module(device))
        everything = backend.asarray(drawn, dtype, device).copy()[..., ::2]
        a = everything[:4].copy().reshape(4 * n, batch)
        c_prev, c, h, dc = everything[4:]
        ops.gates_forward(a, None if first else c_prev, c, h)
        forward = backend.as_numpy(a).copy()
        ops.gates_backward(a, None if first else c_prev, c, h, dc)  # h serves as dh
        results.append([backend.as_numpy(x) for x in (forward, c_prev, c, h, a, dc)])
    for mine, other in zip(*results, strict=True):
        np.testing.assert_allclose(mine, other, atol=10 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.usefixtures("library")
def test_steps(dtype):
    """Of the parts of optimisers, on views of larger arrays, as those of single parameters are."""
    drawn = np.random.default_rng(0).standard_normal((4, 12)).astype(dtype) ** 2
    options = SimpleNamespace(beta1=0.9, beta2=0.99, epsilon=1e-3)
    results = []
    for device in ("cpu", "cuda"):
        adams, others = (backend.asarray(drawn, dtype, device).copy() for _ in range(2))
        adaptive.adam_step(*adams[:, 3:9], 4, 0.1, options)
        get_ops(others).nesterov_update(*others[:3, 3:9], 0.9)
        results.append([backend.as_numpy(x) for x in (adams, others)])
    for mine, other in zip(*results, strict=True):
        np.testing.assert_allclose(mine, other, atol=10 * np.finfo(dtype).eps)
        assert (mine != drawn).sum() in (18, 12)


@pytest.mark.parametrize("size, tile", [((8, 8), 4), ((9, 13), 5), ((6, 20), 7), ((5, 5), 5)], ids=str)
@pytest.mark.usefixtures("library")
def test_tiles(size, tile):
    """With uneven halos and maps that tiles do not divide, in a part of an array with more channels."""
    rng, results = np.random.default_rng(0), []
    tiling = Tiling(2, *size, tile, (3, 1), (1, 3))
    tiles = rng.standard_normal((tile, tile, 3, tiling.batch)).astype(np.float32)
    with_halo = rng.standard_normal((tile + 4, tile + 4, 5, tiling.batch)).astype(np.float32)
    tiling.clear_outside(tiles)
    for device in ("cpu", "cuda"):
        there, u = backend.asarray(tiles, device=device), backend.asarray(with_halo, device=device).copy()
        ops = get_ops(u)
        added = ops.xp.full_like(there, 7)
        ops.overlap_add(tiling, u[:, :, 1:4], added)
        u[:, :, 1:4] = 0
        ops.gather_halo(tiling, there, u[:, :, 1:4])
        results.append([backend.as_numpy(x) for x in (added, u)])
    for mine, other in zip(*results, strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-6)
