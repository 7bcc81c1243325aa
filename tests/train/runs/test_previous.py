"""The checkpoint before the last, where the file system has no links."""

import errno
import os

import pytest

from nnlite.files import CannotWrite
from nnlite.train.runs.loop import CHECKPOINT
from nnlite.train.runs.previous import PreviousCheckpoint
from tests.full_disk import full_disk


@pytest.fixture
def last(tmp_path, monkeypatch):
    """The path of a checkpoint of 10,000 bytes, on a file system without links."""

    def link(*_):
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", link)
    (tmp_path / CHECKPOINT).write_bytes(bytes(10_000))
    return tmp_path / CHECKPOINT


def test_it_is_copied(last):
    previous = PreviousCheckpoint(last.parent)
    with pytest.raises(FloatingPointError), previous:
        previous.keep(3)
        last.write_bytes(b"diverged")
        raise FloatingPointError
    assert last.read_bytes() == bytes(10_000)
    assert list(last.parent.iterdir()) == [last]


def test_on_a_full_disk(last):
    """A file is named, and the checkpoint stays."""
    with pytest.raises(CannotWrite, match="previous could not be written"), full_disk(5_000):
        PreviousCheckpoint(last.parent).keep(3)
    assert list(last.parent.iterdir()) == [last]
    assert last.read_bytes() == bytes(10_000)
