"""A run folder belongs to one process at a time."""

import errno
import signal
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from nnlite.train.moving_mnist import __main__ as moving_mnist
from nnlite.train.moving_mnist.experiment import MovingDigits
from nnlite.train.runs.lock import lock_run, new_run_folder
from tests.toy_table1 import less_work

ROOT = Path(__file__).parents[3]
HOLD = """
import sys
from pathlib import Path
from nnlite.train.runs.lock import lock_run

held = lock_run(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""
TOY = ["--preset", "tiny", "--data", "drawn", "--test-sequences", "2", "--sequences", "8", "--device", "cpu"]

fcntl = pytest.importorskip("fcntl", reason="nobody is kept out on this system")


@pytest.fixture
def other(tmp_path):
    """Another process that holds tmp_path."""
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_killed_process_lets_go(other, tmp_path):
    with pytest.raises(RuntimeError, match=f"another process is training in {tmp_path}"):
        lock_run(tmp_path)
    other.send_signal(signal.SIGKILL)
    other.wait()
    lock_run(tmp_path).close()


def test_a_closed_lock_lets_go(tmp_path):
    with lock_run(tmp_path), pytest.raises(RuntimeError):
        lock_run(tmp_path)
    lock_run(tmp_path).close()


def test_without_file_locks_nothing_is_locked(tmp_path, monkeypatch):
    def no_locks(file, operation):
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr("nnlite.train.runs.lock.fcntl.flock", no_locks)
    with lock_run(tmp_path):
        lock_run(tmp_path).close()


def test_a_run_is_not_trained_by_two(tmp_path, capsys):
    run = tmp_path / "run"
    with less_work():
        assert moving_mnist.main([*TOY, "--out", str(run)]) == 0
        before = (run / "checkpoint.h5").read_bytes()
        with lock_run(run):
            assert moving_mnist.main(["--resume", str(run), "--sequences", "16"]) == 2
            assert f"error: another process is training in {run}" in capsys.readouterr().err
        assert (run / "checkpoint.h5").read_bytes() == before
        assert moving_mnist.main(["--resume", str(run), "--sequences", "16"]) == 0


def test_a_new_run_does_not_take_a_locked_folder(tmp_path, capsys):
    with lock_run(tmp_path):
        assert moving_mnist.main([*TOY, "--out", str(tmp_path)]) == 2
    assert "another process is training" in capsys.readouterr().err
    assert {entry.name for entry in tmp_path.iterdir()} == {".lock"}


def test_runs_of_one_second_get_folders_of_their_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    class OneSecond(datetime):
        @classmethod
        def now(cls):
            return cls(2001, 2, 3, 4, 5, 6)

    monkeypatch.setattr("nnlite.train.runs.lock.datetime", OneSecond)
    found = []
    for _ in range(3):
        with new_run_folder(None, "toy") as (folder, lock):
            found.append(str(folder))
            lock.close()
    assert found == [f"runs/toy-20010203-040506{end}" for end in ("", "-2", "-3")]


def test_a_run_that_is_slow_to_prepare_keeps_its_folder(tmp_path, monkeypatch, capsys):
    """Planted: another begins in its folder before it has read its data."""
    prepare, command = MovingDigits.prepare, [*TOY, "--out", str(tmp_path / "run")]

    def slow(experiment):
        monkeypatch.setattr(MovingDigits, "prepare", prepare)
        assert moving_mnist.main(command) == 2
        assert "another process is training in" in capsys.readouterr().err
        prepare(experiment)

    monkeypatch.setattr(MovingDigits, "prepare", slow)
    assert moving_mnist.main(command) == 0


@pytest.mark.parametrize("kept", [(), ("notes.txt",)])
def test_a_run_that_cannot_begin_leaves_the_folder_as_it_was(tmp_path, kept):
    for name in kept:
        (tmp_path / name).write_text("mine")
    with pytest.raises(KeyboardInterrupt), new_run_folder(tmp_path / "new", "toy"):
        raise KeyboardInterrupt
    assert sorted(entry.name for entry in tmp_path.iterdir()) == sorted(kept)


def test_a_lock_that_was_removed_locks_nothing(tmp_path, monkeypatch):
    """Planted: the run that held it never began, and removed it after this process had opened it."""
    flock, waiting = fcntl.flock, [tmp_path / ".lock"]

    def late(file, operation):
        while waiting:
            waiting.pop().unlink()
        flock(file, operation)

    monkeypatch.setattr("nnlite.train.runs.lock.fcntl.flock", late)
    with lock_run(tmp_path), pytest.raises(RuntimeError):
        lock_run(tmp_path)


def test_what_killed_processes_left_is_cleared(tmp_path):
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    (tmp_path / "drawn").mkdir()
    for folder in (tmp_path, tmp_path / "drawn"):
        (folder / f".a.mp4.{gone.pid}.part").write_text("half")
    lock_run(tmp_path).close()
    assert not list(tmp_path.rglob("*.part"))
