"""Atomic replacement: a file is there whole or not at all."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nnlite import files
from nnlite.files import CannotWrite, make_folder, replacing
from nnlite.library_file import file_for_library
from tests.full_disk import full_disk

ROOT = Path(__file__).parents[2]


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


def test_several_threads_may_write_one_file(tmp_path):
    """Planted: the second begins while the first is in the middle, and ends before it."""
    path = tmp_path / "a.txt"
    with replacing(path, durable=True) as first:
        first.write_text("fir")
        with replacing(path, durable=True) as second:
            second.write_text("second")
        assert path.read_text() == "second"
        first.write_text("first")
    assert path.read_text() == "first" and os.listdir(tmp_path) == ["a.txt"]


def test_what_another_container_is_writing_is_left_alone(tmp_path):
    """Its process numbers mean nothing here."""
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    for system in ("00000000", files._system()):
        (tmp_path / f".a.txt.{gone.pid}-7-{system}.part").write_text("half")
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / f".b.txt.{gone.pid}-0-{files._system()}.part").write_text("half")
    files.remove_leftovers(tmp_path)
    assert os.listdir(tmp_path / "below") == []
    assert sorted(os.listdir(tmp_path)) == [f".a.txt.{gone.pid}-7-00000000.part", "below"]


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


@pytest.mark.parametrize(
    "write",
    [
        lambda path: files.write_bytes(path, bytes(2000)),
        lambda path: files.write_text(path, "x" * 2000),
        lambda path: files.write_arrays(path, {"x": np.zeros(2000)}),
        lambda path: files.append_text(path, "x" * 2000),
    ],
)
def test_a_full_disk_is_told_of_the_file_and_nothing_is_lost(tmp_path, write):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with full_disk(1000), pytest.raises(CannotWrite, match=r"a\.txt could not be written \(") as caught:
        write(path)
    assert caught.value.filename == str(path) and files.exit_status(caught.value) == 1
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["a.txt"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotWrite, match=r"file/new could not be written \(Not a directory"):
        make_folder(tmp_path / "file" / "new")
    assert make_folder(tmp_path / "a" / "b").is_dir() and make_folder(tmp_path / "a" / "b").is_dir()


def test_an_error_about_another_file_keeps_its_name(tmp_path):
    with pytest.raises(FileNotFoundError, match="other"), replacing(tmp_path / "a.txt"):
        (tmp_path / "other").read_text()
    assert files.exit_status(FileNotFoundError()) == 2


def test_a_library_never_sees_a_write_fail(tmp_path):
    """What it wrote it can read, whatever became of the disk; the error waits."""
    rng, expected = np.random.default_rng(0), bytearray()
    with full_disk(100), pytest.raises(CannotWrite, match=r"a\.bin could not be written \("):
        with file_for_library(tmp_path / "a.bin") as file:
            for _ in range(60):
                place, content = int(rng.integers(len(expected) + 1)), rng.bytes(rng.integers(1, 100))
                file.seek(place)
                assert file.write(content) == len(content)
                expected[place : place + len(content)] = content
                assert file.tell() == place + len(content)
                file.seek(0)
                assert file.read() == bytes(expected)
            assert file.seek(0, os.SEEK_END) == len(expected) > 200
    assert os.listdir(tmp_path) == []


def test_a_library_writes_a_file_as_a_whole(tmp_path):
    with file_for_library(tmp_path / "a.bin") as file:
        file.write(b"12345")
        file.seek(1)
        file.write(b"x")
        file.truncate(4)
        assert os.listdir(tmp_path) != ["a.bin"]
    assert (tmp_path / "a.bin").read_bytes() == b"1x34" and os.listdir(tmp_path) == ["a.bin"]


def test_names_become_text():
    assert files.as_text("a é\udcff\n\x1b.mp4") == "a é\\udcff\\n\\x1b.mp4"


#: Ways of writing that do not name the file, leave half of it, or fail in a library.
OTHER_WAYS = re.compile(
    r"""\.write_text\(|\.write_bytes\(|\.mkdir\(|makedirs\(|np\.savez?\(|savefig\((?!image)"""
    r"""|(?<!\.)open\([^)\n]*["'][wax]|(h5py\.File|av\.open)\((?!image|target)[^)\n]*["'][wa]"""
)


def test_nothing_is_written_in_another_way():
    found = []
    for package in ("nnlite", "models", "data", "train", "benchmarks", "examples"):
        for path in (ROOT / package).rglob("*.py"):
            if path.name not in ("files.py", "library_file.py"):
                found += [
                    f"{path.name}: {line}" for line in path.read_text().split("\n") if OTHER_WAYS.search(line)
                ]
    assert found == [
        'moving_mnist_files.py:     with replacing(path) as part, open(part, "wb") as file:',
        'lock.py:         file = open(folder / LOCK, "a")',
        'processes.py:             nowhere = stack.enter_context(open(os.devnull, "w"))',
    ]


def test_a_new_series_counts_from_zero_and_leaves_an_older_one_alone(tmp_path):
    folder = tmp_path / "new" / "flow"
    series = "flow_{:06d}.flo", "--save-flow"
    with files.new_series(folder, *series) as paths:
        for _ in range(2):
            next(paths).write_text("")
    assert sorted(os.listdir(folder)) == ["flow_000000.flo", "flow_000001.flo"]
    refused = r"flow holds flow_\*\.flo already; .* --save-flow"
    with pytest.raises(FileExistsError, match=refused), files.new_series(folder, *series):
        pass
    assert len(os.listdir(folder)) == 2
    refused = "000.flo is a file; name a folder with --save-flow"
    with pytest.raises(FileExistsError, match=refused), files.new_series(folder / "flow_000000.flo", *series):
        pass


def test_of_a_series_that_fails_nothing_is_left(tmp_path):
    for folder, left in ((tmp_path / "new", None), (tmp_path, ["other.txt"])):
        (tmp_path / "other.txt").write_text("")
        with pytest.raises(KeyError), files.new_series(folder, "{:03d}.flo", "--save-flow") as paths:
            next(paths).write_text("")
            next(paths)
            raise KeyError
        assert (sorted(os.listdir(folder)) if folder.exists() else None) == left
