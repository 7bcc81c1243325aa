"""Several processes that train one model: what two do together, and how they end."""

import json
import os
import subprocess
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from nnlite import checkpoint
from nnlite.train.moving_mnist import __main__ as moving_mnist
from nnlite.train.runs.local_share import share_of_cores
from nnlite.train.runs.processes import Processes
from tests import mpi
from tests.mpi import checks, faulty

needs_mpi = pytest.mark.skipif(
    mpi.launcher() is None, reason="no mpiexec, or no mpi4py (extra `distributed`)"
)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return {check: "" or what went wrong in it} of all checks that two processes make together."""
    done = mpi.run("-m", "tests.mpi.checks", tmp_path_factory.mktemp("checks"))
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@needs_mpi
@pytest.mark.parametrize("check", checks.CHECKS)
def test_two_processes(check, made):
    assert not made[check], made[check]


@needs_mpi
def test_accidents(tmp_path):
    """Each ends the run with one message and a whole checkpoint; the processes that are left can go on."""
    done = mpi.run("-m", "tests.mpi.faulty", tmp_path, "memory", "disk", "stop", "kill")
    said, errors = done.stdout, done.stderr
    assert done.returncode not in (0, 1, 143), said + errors
    for status in ("memory 1", "disk 1", "stop 143"):
        assert f"{status}\n" in said, said + errors
    assert errors.count("out of memory (Unable to allocate 9 TiB)") == 1
    assert errors.count("could not be written") == 1
    assert said.count("Stopped after 20 of 40 sequences") == 1 and said.count("--resume") == 1
    for name, step in (("memory", 3), ("disk", 3), ("stop", 4), ("kill", 3)):
        assert checkpoint.load(tmp_path / name).position["step"] == step
    assert "Traceback" not in errors


@needs_mpi
def test_an_error_that_the_others_cannot_hear_of_ends_them(tmp_path):
    done = mpi.run("-m", "tests.mpi.faulty", tmp_path, "alone")
    assert done.returncode == 4
    assert "error: a cable broke\n(in process 1 of 0 to 1, which ends all of them)" in done.stderr
    assert checkpoint.load(tmp_path / "alone").position["step"] == faulty.STEP


@needs_mpi
@pytest.mark.parametrize("model", ["ae_conv", "all"])
def test_a_folder_that_is_taken_ends_all_of_them_with_one_message(model, tmp_path):
    """What the leader alone finds out is told to the others, who do not wait for it elsewhere."""
    (tmp_path / "checkpoint.h5").write_bytes(b"")
    done = mpi.run(
        *("-m", "nnlite.train.moving_mnist", "--preset", "tiny", "--model", model, "--out", tmp_path)
    )
    assert done.returncode == 2
    said = f"error: {tmp_path} holds a run already; --resume it, or choose another --out"
    assert done.stderr.count(said) == 1 and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "wait",
    [
        lambda group: group.gather(0),
        lambda group: group.most(0),
        lambda group: group.leader_does(print),
        lambda group: group.from_leader(int),
        lambda group: group.sum_in_place(np.zeros(2)),
    ],
)
def test_where_an_error_may_be_one_process_s_own_none_waits_for_another(wait):
    group = Processes()
    with pytest.raises(RuntimeError, match="inside `together` no process may wait"), group.together():
        wait(group)
    wait(group)
    with pytest.raises(OSError, match="a cable"), group.together():
        raise OSError("a cable")
    wait(group)


def test_a_single_process_imports_no_mpi():
    code = "import sys, nnlite.train.moving_mnist.__main__; from nnlite.train.runs import processes\n"
    code += "with processes.joined() as group: print(group.size, 'mpi4py' in sys.modules)"
    one = os.environ | {"PMI_SIZE": "1"}
    done = subprocess.run([sys.executable, "-c", code], cwd=mpi.ROOT, env=one, capture_output=True, text=True)
    assert done.stdout == "1 False\n", done.stderr


def test_without_mpi_it_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "2")
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    assert moving_mnist.main(["--preset", "tiny"]) == 2
    error = capsys.readouterr().err
    assert "one of 2 processes, which need mpi4py" in error and "nnlite-video[distributed]" in error


def test_another_mpi_than_the_launchers_is_named(monkeypatch, capsys):
    mpi4py = ModuleType("mpi4py")
    world = SimpleNamespace(size=1)
    mpi4py.MPI = SimpleNamespace(COMM_WORLD=world, Get_library_version=lambda: "Some MPI 5\nbuilt today")
    monkeypatch.setitem(sys.modules, "mpi4py", mpi4py)
    monkeypatch.setenv("PMI_SIZE", "3")
    assert moving_mnist.main(["--preset", "tiny"]) == 2
    error = capsys.readouterr().err
    assert "started 3 processes, but the MPI library that mpi4py found (Some MPI 5) knows of 1" in error


def test_cores_are_divided_unless_the_launcher_did(monkeypatch):
    monkeypatch.setattr("nnlite.train.runs.local_share.cgroup_quota", lambda: None)
    everything = set(range(8))
    assert [share_of_cores([everything] * 3, k) for k in range(3)] == [2, 2, 2]
    assert [share_of_cores([{0, 1}, {2, 3, 4}], k) for k in range(2)] == [2, 3]
    assert share_of_cores([{0}] * 4, 3) == 1
    monkeypatch.setattr("nnlite.train.runs.local_share.cgroup_quota", lambda: (400_000, 100_000))
    assert share_of_cores([everything] * 2, 0) == 2
