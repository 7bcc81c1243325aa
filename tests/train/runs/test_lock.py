"""A run folder belongs to one process at a time."""

import errno
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nnlite.train.moving_mnist import __main__ as moving_mnist
from nnlite.train.runs.lock import lock_run
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

pytest.importorskip("fcntl", reason="nobody is kept out on this system")


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
