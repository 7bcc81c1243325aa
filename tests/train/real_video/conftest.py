"""The toy's videos and one run on them, for all tests of the experiment on real video."""

import pytest

from tests.toy_real_video import make_videos, train_toy


@pytest.fixture(scope="session")
def videos(tmp_path_factory):
    """The folder of the toy's videos; tests that change some copy it."""
    return make_videos(tmp_path_factory.mktemp("videos"))


@pytest.fixture(scope="session")
def finished(videos, tmp_path_factory):
    """The folder of a toy run; tests that go on with it copy it."""
    return train_toy(videos, tmp_path_factory.mktemp("runs") / "finished")
