"""Cross-entropies: sums (always in float64) and gradients (in the dtype of the input)."""

import numpy as np

from ..backend import get_array_module
from . import get_ops

#: Torch7's guard against log 0 and 1/0.
EPSILON = 1e-12

#: How many entries of the binary cross-entropy are processed at a time on the CPU: their temporaries stay in
#: the cache (and come from the heap, not from fresh pages), which is three times as fast as whole arrays.
BLOCK = 1 << 14


def binary_sum(x, t, w):
    """Return -Σ w [t log(x + ε) + (1 - t) log(1 - x + ε)], all three arrays of one shape."""
    xp, total = get_array_module(x), 0.0
    for xs, ts, ws in _blocks(x, t, w):
        xs, ts = xs.astype(np.float64), ts.astype(np.float64)
        total -= (ws * (ts * xp.log(xs + EPSILON) + (1.0 - ts) * xp.log(1.0 - xs + EPSILON))).sum()
    return total


def binary_gradient(x, t, w, norm):
    """Return norm · ∂(binary_sum)/∂x = norm · w (x - t) / ((1 - x + ε) (x + ε))."""
    grad = get_array_module(x).empty(x.shape, x.dtype)
    for xs, ts, ws, gs in _blocks(x, t, w, grad):
        gs[...] = norm * ws * (xs - ts) / ((1.0 - xs + EPSILON) * (xs + EPSILON))
    return grad


def label_sum(scores, labels, w):
    """Return -Σ w s_label over positions: scores (N, K, P), labels and weights (N, P)."""
    # A score of -inf must not become NaN where the weight is 0.
    picked = get_array_module(w).where(w > 0, scores[_at(labels)], 0)
    return -(w * picked).sum(dtype=np.float64)


def label_gradient(scores, labels, w, norm):
    """Return norm · ∂(label_sum)/∂scores: -norm · w at the labels, 0 elsewhere."""
    grad = get_array_module(scores).zeros(scores.shape, scores.dtype)
    grad[_at(labels)] = -w * norm
    return grad


def _blocks(*arrays):
    """Yield the flat arrays BLOCK entries at a time (on the GPU all at once)."""
    flat = [x.reshape(-1) for x in arrays]
    for block in get_ops(flat[0]).blocked(slice(0, flat[0].size), BLOCK):
        yield [x[block] for x in flat]


def _at(labels):
    """Return the index into (N, K, P) of the labelled entry of each of the (N, P) positions."""
    xp = get_array_module(labels)
    return xp.arange(labels.shape[0])[:, None], labels, xp.arange(labels.shape[1])
