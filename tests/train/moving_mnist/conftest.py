"""A finished toy run of Table 1's four models, trained once for all tests that only read it."""

import pytest

from tests.toy_table1 import less_work, train_all


@pytest.fixture(scope="session")
def finished_table1(tmp_path_factory):
    """The folder of the run, its pictures drawn."""
    with less_work(pictures=True):
        return train_all(tmp_path_factory.mktemp("runs") / "all")


@pytest.fixture(scope="module")
def quick():
    """What a module runs draws no pictures and estimates its baselines from few sequences."""
    with less_work():
        yield
