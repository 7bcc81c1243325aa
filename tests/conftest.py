"""Shared test set-up: every test starts from the same random state."""

import pytest

import nnlite as nn


@pytest.fixture(autouse=True)
def seed():
    """Seed the generator that modules draw from."""
    nn.manual_seed(1234)
