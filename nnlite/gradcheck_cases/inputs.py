"""Inputs and shorthands shared by the case files."""

import numpy as np

from ..gradcheck import check_criterion, check_module


def noise(*shape, seed=1):
    """Return standard normal float64 numbers."""
    return np.random.default_rng(seed).standard_normal(shape)


def spread(*shape, seed=1, gap=0.05):
    """Return distinct float64 numbers, at least `gap` apart and half that from zero, in random order."""
    count = int(np.prod(shape))
    values = (np.arange(count) - count // 2 + 0.5) * gap
    return np.random.default_rng(seed).permutation(values).reshape(shape)


def module(label, build, input):
    """Return the case that checks the module `build()` on `input`."""
    return label, lambda: check_module(build(), input)


def criterion(label, build, input, target):
    """Return the case that checks the criterion `build()` on `input` against `target`."""
    return label, lambda: check_criterion(build(), input, target)
