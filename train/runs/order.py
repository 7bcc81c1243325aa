"""The order in which a run goes through its training sequences."""

from functools import lru_cache

import numpy as np


def batch_indices(step, batch, epoch, seed):
    """Return which training sequences (0 <= i < epoch) the batch of this step holds.

    Each epoch goes through all sequences in an order of its own; where `epoch` is not a multiple of `batch`
    a batch reaches into the next epoch. A function of its arguments alone.
    """
    places = range(step * batch, (step + 1) * batch)
    return [int(_order(place // epoch, epoch, seed)[place % epoch]) for place in places]


@lru_cache(maxsize=2)
def _order(number, size, seed):
    return np.random.Generator(np.random.PCG64([seed, number])).permutation(size)
