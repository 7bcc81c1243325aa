"""Ctrl-C at any time ends a command with one line and the status 130, and what was there before stays."""

import importlib
import signal
import sys
import time
from functools import partial
from types import SimpleNamespace

import pytest

from nnlite.train import starting
from nnlite.train.real_video import videos

LINE = "Stopped by Ctrl-C; what was saved before stands."


def interrupt(*_, **__):
    raise KeyboardInterrupt


@pytest.fixture
def run(monkeypatch, capsys):
    """A function that runs a command line as a process does: (status, last line of the errors, handlers)."""
    handlers = []
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background ignores it
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    monkeypatch.setattr(signal, "signal", lambda *args: handlers.append(args))

    def run_command(module, *argv):
        monkeypatch.setattr(sys, "argv", ["command", *argv])
        with pytest.raises(SystemExit) as ended:
            starting.start(module)
        return ended.value.code, capsys.readouterr().err.splitlines()[-1:], handlers

    yield run_command
    monkeypatch.undo()
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    "place",
    [
        "nnlite.train.real_video.drawn_videos.write_video",
        "nnlite.train.real_video.experiment.load_clips",
        "nnlite.train.runs.run.provenance.commit",
    ],
)
def test_while_starting(place, run, tmp_path, monkeypatch):
    monkeypatch.setattr(place, interrupt)
    monkeypatch.delenv("NNLITE_DATA", raising=False)
    monkeypatch.setattr(videos, "draw_videos", partial(videos.draw_videos, count=2))
    command = "--preset", "tiny", "--device", "cpu", "--out", str(tmp_path / "run")
    status, errors, handlers = run("train.real_video.__main__", *command)
    assert (status, errors) == (130, [LINE])
    assert handlers == [(signal.SIGINT, signal.SIG_IGN)]  # a second one is no traceback
    assert not list(tmp_path.rglob("*.part"))


def test_while_importing(run, monkeypatch):
    monkeypatch.setattr(importlib, "import_module", interrupt)
    assert run("nnlite.train.warping.__main__")[:2] == (130, [LINE])


def test_in_a_destructor(run, monkeypatch):
    class Fragile:
        def __del__(self):
            raise KeyboardInterrupt

    def main():
        Fragile()
        time.sleep(10)

    monkeypatch.setattr(importlib, "import_module", lambda _: SimpleNamespace(main=main))
    assert run("train.runs.__main__")[:2] == (130, [LINE])


@pytest.mark.parametrize("name", ["train.runs.__main__", "nnlite.train.runs.__main__"])
def test_a_command_ends_with_its_own_status(name, run, tmp_path):
    assert run(name, str(tmp_path)) == (0, [], [])
