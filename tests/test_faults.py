"""`python -m tests.faults` itself: what it calls a hang, and that it tries every option's ends."""

import os
import time

import pytest

from nnlite.train.moving_mnist.experiment import MovingDigits
from nnlite.train.real_video.experiment import RealVideo
from tests.faults import ends, server

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="children are made by fork")


def child(work):
    """Return a child made by fork that does some work."""
    made = os.fork()
    if made == 0:
        try:
            work()
        finally:
            os._exit(0)
    return made


def test_a_child_that_hangs_says_where(tmp_path):
    errors = tmp_path / "err"

    def hang():
        server._begin((tmp_path / "out", errors), None, None)
        time.sleep(60)

    ended = server._wait(child(hang), 0.05, None, errors)
    assert ended["hung"] and ended["signal"] == 9
    assert "in hang" in errors.read_text() and "s of the processor; state" in errors.read_text()


def test_a_machine_that_stands_still_is_no_hang(tmp_path, monkeypatch):
    """Planted: for a thousand seconds neither the child nor the process that waits for it runs."""
    monotonic, lost = time.monotonic, iter([0, 1000])
    monkeypatch.setattr(server.time, "monotonic", lambda: monotonic() + next(lost, 1000))
    ended = server._wait(child(lambda: time.sleep(0.05)), 1, None, tmp_path / "err")
    assert ended["status"] == 0 and not ended["hung"]


@pytest.mark.parametrize(
    "experiment, mode, ends_of_it",
    [
        (MovingDigits, "train", {("--digits", "1"), ("--digits", "100"), ("--targets", "grey"), ("--tf32",)}),
        (RealVideo, "train", {("--frames", "3"), ("--size", "2", "2"), ("--test-share", "0")}),
        (RealVideo, "predict", {("--rate", "0"), ("--rate", "1000"), ("--steps", "1")}),
    ],
)
def test_ends_of_options_are_those_of_the_help(experiment, mode, ends_of_it):
    found = {flags for flags, _ in ends._ends(experiment, mode)}
    assert ends_of_it <= found
    assert not any(flags[0] in ("--preset", "--out", "--help") for flags in found)
