"""Ctrl-C at any time ends a command with one line and the status 130, and what was there before stays."""

import signal
from functools import partial

import pytest

from nnlite.train.__main__ import main
from nnlite.train.real_video import videos
from nnlite.train.runs import interruption
from nnlite.train.runs.interruption import end


def interrupt(*_, **__):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    "place",
    [
        "nnlite.train.real_video.drawn_videos.write_video",
        "nnlite.train.real_video.experiment.load_clips",
        "nnlite.train.runs.run.provenance.commit",
    ],
)
def test_while_starting(place, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(place, interrupt)
    monkeypatch.delenv("NNLITE_DATA", raising=False)
    monkeypatch.setattr(videos, "draw_videos", partial(videos.draw_videos, count=2))
    command = ["real_video", "--preset", "tiny", "--device", "cpu", "--out", str(tmp_path / "run")]
    assert main(command) == 128 + signal.SIGINT
    assert capsys.readouterr().err.splitlines()[-1] == "Stopped by Ctrl-C; what was saved before stands."
    assert not list(tmp_path.rglob("*.part"))


def test_in_other_commands(monkeypatch, capsys):
    monkeypatch.setattr("nnlite.train.warping.__main__.run", interrupt)
    assert main(["warping"]) == 128 + signal.SIGINT
    assert "Stopped by Ctrl-C" in capsys.readouterr().err


@pytest.mark.parametrize("status", [0, 2, 130])
def test_once_stopped_a_process_ends_without_another_traceback(status, monkeypatch):
    handlers = []
    monkeypatch.setattr(interruption.signal, "signal", lambda *args: handlers.append(args))
    with pytest.raises(SystemExit) as ended:
        end(status)
    assert ended.value.code == status
    assert handlers == ([(signal.SIGINT, signal.SIG_IGN)] if status == 130 else [])
