"""What needs no model: a constant, and the last frame copied with the probabilities that it deserves.

Both are estimated on training sequences and scored on test sequences. All that is needed of a set of
sequences is how often each value follows each value at each pixel. In grey frames a pixel of value v counts
as v times lit and 1 - v times dark where it is predicted, and as lit if v is above one half where it is
copied.
"""

import numpy as np


def count_transitions(frames):
    """Return counts of pixel transitions, (T-1, 2, 2, H, W) = [step, value before, value after, y, x].

    frames: (T, N, 1, H, W) in [0, 1].
    """
    before, after = frames[:-1, :, 0] > 0.5, frames[1:, :, 0]
    pairs = [[(before == b) * a for a in (1 - after, after)] for b in (False, True)]
    sums = [[pair.sum(axis=1, dtype=np.float64) for pair in row] for row in pairs]
    return np.stack([np.stack(row, axis=1) for row in sums], axis=1)


def copy_last_frame(train, test, per_pixel=False):
    """Return the cross-entropy of P(next value | last value), in nats a pixel.

    train, test: transition counts (2, 2, H, W), [before, after, y, x]. The probabilities are estimated from
    `train`, for all pixels together or for each one, and scored on `test`.
    """
    return _cross_entropy(train if per_pixel else _pool(train), test)


def best_constant(train, test):
    """Return the cross-entropy of P(next value), the best constant on `train`; counts as above."""
    return _cross_entropy(_pool(train).sum(axis=0, keepdims=True), test)


def _pool(counts):
    return counts.sum(axis=(2, 3), keepdims=True)


def _cross_entropy(train, test):
    # Half a count each more: no transition that training happened not to show is held impossible.
    train = train + 0.5
    log_p = np.log(train / train.sum(axis=1, keepdims=True))
    return float(-np.sum(test * log_p) / test.sum())
