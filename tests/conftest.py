"""Shared test set-up: every test starts from the same random state; digits are drawn once for many runs."""

import functools

import pytest

import nnlite as nn
from train import moving_mnist_experiment


@pytest.fixture(autouse=True)
def seed():
    """Seed the generator that modules draw from."""
    nn.manual_seed(1234)


@pytest.fixture(scope="module")
def one_drawing():
    """Draw the digits once for all runs of a test module in this process."""
    usual = moving_mnist_experiment.load_digits
    moving_mnist_experiment.load_digits = functools.cache(usual)
    yield
    moving_mnist_experiment.load_digits = usual
