"""Atomic replacement: a file is there whole or not at all."""

import os
import subprocess
import sys

import pytest

from nnlite.files import CannotWrite, replacing


@pytest.mark.parametrize("durable", [False, True])
def test_a_file_is_replaced_at_the_end(tmp_path, durable):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with replacing(path, durable=durable) as part:
        part.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new" and os.listdir(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("durable", [False, True])
def test_an_error_keeps_the_old_file(tmp_path, durable):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(KeyError), replacing(path, durable=durable) as part:
        part.write_text("half")
        raise KeyError
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["a.txt"]


def test_an_error_of_the_system_names_the_file(tmp_path):
    path = tmp_path / "nowhere" / "a.txt"
    with pytest.raises(CannotWrite, match=r"nowhere/a\.txt could not be written \(No such file"):
        with replacing(path, durable=True) as part:
            part.write_text("new")


def test_what_is_durable_reaches_the_disk_before_it_takes_its_name(tmp_path, monkeypatch):
    order = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: order.append("sync"))
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda *names: (order.append("rename"), replace(*names)))
    with replacing(tmp_path / "a.txt") as part:
        part.write_text("new")
    assert order == ["rename"]
    with replacing(tmp_path / "a.txt", durable=True) as part:
        part.write_text("newer")
    assert order[1:] == ["sync", "rename", "sync"]  # the file, the name, the folder


def test_leftovers_of_processes_that_run_are_left_alone(tmp_path):
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    names = [
        f".a.txt.{gone.pid}.part",
        f".a.txt.{os.getppid()}.part",
        ".a.txt.x.part",
        f".b.txt.{gone.pid}.part",
    ]
    for name in names:
        (tmp_path / name).write_text("half")
    with replacing(tmp_path / "a.txt", durable=True) as part:
        part.write_text("new")
    assert sorted(os.listdir(tmp_path)) == sorted(["a.txt", *names[1:]])
