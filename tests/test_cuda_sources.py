"""The CUDA kernels against the NumPy passes that they stand for, compiled for the host and for any GPU."""

from types import SimpleNamespace

import numpy as np
import pytest

from nnlite import backend
from nnlite.ops import gates
from nnlite.optim import adaptive, orthogonal


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
        xp = backend.array_module(device)
        everything = backend.asarray(drawn, dtype, device).copy()[..., ::2]
        a = everything[:4].copy().reshape(4 * n, batch)
        c_prev, c, h, dc = everything[4:]
        gates.forward(a, None if first else c_prev, c, h, xp)
        forward = backend.as_numpy(a).copy()
        gates.backward(a, None if first else c_prev, c, h, dc, xp)  # h serves as dh
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
        orthogonal.nesterov(*others[:3, 3:9], 0.9)
        results.append([backend.as_numpy(x) for x in (adams, others)])
    for mine, other in zip(*results, strict=True):
        np.testing.assert_allclose(mine, other, atol=10 * np.finfo(dtype).eps)
        assert (mine != drawn).sum() in (18, 12)
