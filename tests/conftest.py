"""Shared test set-up: every test starts from the same random state; CuPy has a double."""

import pytest

import nnlite as nn
from tests import cupy_double


@pytest.fixture(autouse=True)
def seed():
    """Seed the generator that modules draw from."""
    nn.manual_seed(1234)


@pytest.fixture(params=cupy_double.LIBRARIES)
def library(request):
    """Run a test on the double of CuPy, in its place, and on CuPy itself where there is a GPU."""
    with cupy_double.library(request.param):
        yield request.param


@pytest.fixture
def synchronisations(library):
    """Give the list of what made the host wait for the device, which the double alone knows."""
    if library != "double":
        pytest.skip("CuPy does not tell when the host waits for it")
    return cupy_double.synchronisations
