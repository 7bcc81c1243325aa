"""The CUDA kernels against the NumPy passes that they stand for, compiled for the host and for any GPU."""

import numpy as np
import pytest

from nnlite import backend
from nnlite.ops import gates


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
