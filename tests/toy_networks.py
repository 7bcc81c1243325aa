"""Small networks of layers, for tests of what every module does."""

import numpy as np

import nnlite as nn

SHARED = ("weight", "bias", "grad_weight", "grad_bias")


def network():
    """Two levels deep, with modules that have no parameters."""
    return nn.Sequential(
        nn.Linear(4, 3),
        nn.Tanh(),
        nn.ConcatTable(nn.Linear(3, 2), nn.Sequential(nn.Linear(3, 2), nn.Dropout(0.5))),
        nn.CAddTable(),
    )


#: Of the parameters of `network()`.
PATHS = ["0.weight", "0.bias", "2.0.weight", "2.0.bias", "2.1.0.weight", "2.1.0.bias"]


def tied():
    """Two layers that share all their parameters."""
    first, second = nn.Linear(3, 3), nn.Linear(3, 3)
    return nn.Sequential(first, second.share(first, *SHARED))


def input(*shape, dtype=np.float32):
    """Return normal noise of the shape, always the same."""
    return np.random.default_rng(0).standard_normal(shape).astype(dtype)


def values(module):
    """Return copies of the parameters."""
    return [array.copy() for array in module.parameters()[0]]


def equal(some, others):
    """Tell whether two lists hold equal arrays."""
    return all(np.array_equal(a, b) for a, b in zip(some, others, strict=True))
