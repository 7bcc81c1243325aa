"""Moving MNIST in .npy and .t7 files: reading, writing, and invalid files."""

import functools
import resource
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from nnlite import torch7
from nnlite.data import moving_mnist_files
from nnlite.data.drawn_digits import draw_digits
from nnlite.data.moving_mnist import MovingMNIST
from nnlite.data.moving_mnist_files import SequenceFile, save_sequences

RECORDED = Path(__file__).parents[1] / "golden" / "serialization"
DATA = MovingMNIST(draw_digits(20)[0], size=(32, 32), n_frames=7)


def standard(path, count=6, frames=20):
    """Write grey sequences in the format of mnist_test_seq.npy and return them."""
    values = np.random.default_rng(0).integers(0, 256, (frames, count, 16, 12), np.uint8)
    np.save(path, values)
    return values


def test_standard_npy(tmp_path):
    values = standard(tmp_path / "mnist_test_seq.npy")
    data = SequenceFile(tmp_path / "mnist_test_seq.npy")
    assert len(data) == 6 and data.size == (16, 12) and data.n_frames == 20
    frames = data.batch([4, 0, 4]).frames
    assert frames.shape == (20, 3, 1, 16, 12) and frames.dtype == np.float32
    np.testing.assert_array_equal(frames[:, :, 0], values[:, [4, 0, 4]] > 127)


def test_npy_is_mapped(tmp_path):
    """The standard file has 800 MB."""
    standard(tmp_path / "s.npy")
    assert isinstance(SequenceFile(tmp_path / "s.npy")._values, np.memmap)


def test_first_frames(tmp_path):
    values = standard(tmp_path / "s.npy")
    data = SequenceFile(tmp_path / "s.npy", 11)
    assert data.n_frames == 11
    np.testing.assert_array_equal(data.batch(range(6)).frames[:, :, 0], values[:11] > 127)


@pytest.mark.parametrize("mode", ["ascii", "binary"])
def test_recorded_t7(mode):
    """As Torch7 wrote it: sequences first, frames second."""
    path = RECORDED / f"moving_mnist_like_4x5x1x8x8_{mode}.t7"
    data = SequenceFile(path)
    assert len(data) == 4 and data.size == (8, 8) and data.n_frames == 5
    tensor = torch7.load(path)
    frames = data.batch([3, 1]).frames
    assert frames.shape == (5, 2, 1, 8, 8)
    np.testing.assert_array_equal(frames[:, 0], tensor[3] > 127)
    np.testing.assert_array_equal(frames[:, 1], tensor[1] > 127)


@pytest.mark.parametrize("name", ["test.npy", "test.t7"])
def test_saved_is_loaded(name, tmp_path):
    save_sequences(tmp_path / name, DATA, 130)
    data = SequenceFile(tmp_path / name)
    assert len(data) == 130 and data.size == (32, 32)
    for indices in ([0, 129], range(99, 102)):
        np.testing.assert_array_equal(data.batch(indices).frames, DATA.batch(indices).frames)
    save_sequences(tmp_path / f"again-{name}", data, 130)
    assert (tmp_path / f"again-{name}").read_bytes() == (tmp_path / name).read_bytes()


def test_forms(tmp_path):
    """The axes and values of the published files."""
    save_sequences(tmp_path / "test.npy", DATA, 3)
    save_sequences(tmp_path / "test.t7", DATA, 3)
    values, tensor = np.load(tmp_path / "test.npy"), torch7.load(tmp_path / "test.t7")
    assert values.shape == (7, 3, 32, 32) and values.dtype == np.uint8 and set(np.unique(values)) == {0, 255}
    assert tensor.shape == (3, 7, 1, 32, 32) and tensor.dtype == np.uint8
    np.testing.assert_array_equal(values[5, 2], tensor[2, 5, 0])


@pytest.mark.parametrize("name", ["a.npy", "a.t7"])
def test_a_file_is_saved_over_itself(name, tmp_path):
    path = tmp_path / name
    save_sequences(path, DATA, 5)
    expected = SequenceFile(path).batch(range(3)).frames
    save_sequences(path, SequenceFile(path), 3)
    assert len(SequenceFile(path)) == 3
    np.testing.assert_array_equal(SequenceFile(path).batch(range(3)).frames, expected)


class Failing:
    """Like `DATA`, but the second hundred of sequences raises `error`."""

    size, n_frames = DATA.size, DATA.n_frames

    def __init__(self, error):
        self.error = error

    def batch(self, indices):
        if indices[0]:
            raise self.error
        return DATA.batch(indices)


@pytest.mark.parametrize("name", ["a.npy", "a.t7"])
@pytest.mark.parametrize(
    "error, expected, message",
    [
        (KeyboardInterrupt(), KeyboardInterrupt, None),
        (MemoryError(), ValueError, r"a\.\w+: these sequences do not fit into memory; request fewer"),
        (None, OSError, r"a\.\w+ could not be written \(File too large"),
    ],
)
def test_failure_keeps_the_old_file(name, error, expected, message, tmp_path):
    path = tmp_path / name
    save_sequences(path, DATA, 1)
    old = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    if error is None:  # as on a full disk
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(expected, match=message):
            save_sequences(path, Failing(error) if error else DATA, 120)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == old and [entry.name for entry in tmp_path.iterdir()] == [name]


def write_npy(values):
    return lambda path: np.save(path, values)


def write_header(shape):
    """Write the header of a .npy file with this text for its shape."""
    text = f"{{'descr':'|u1','fortran_order':False,'shape':{shape}".ljust(117).encode() + b"\n"
    return lambda path: path.write_bytes(
        b"\x93NUMPY\1\0" + len(text).to_bytes(2, "little") + text + bytes(100)
    )


@pytest.mark.parametrize(
    "name, write, message",
    [
        (
            "s.npy",
            write_npy(np.zeros((20, 3, 8, 8))),
            r"bytes \(T, N, H, W\), got float64 \(20, 3, 8",
        ),
        ("s.npy", write_npy(np.zeros((20, 8, 8), np.uint8)), r"got uint8 \(20, 8, 8\)"),
        ("s.npy", write_npy(np.zeros((20, 0, 8, 8), np.uint8)), r"got uint8 \(20, 0, 8, 8\)"),
        ("s.npy", lambda path: path.write_bytes(b"no array"), r"s\.npy: not a \.npy file, or a damaged one"),
        ("s.npy", lambda path: path.write_bytes(b""), r"s\.npy: not a \.npy file"),
        ("s.npy", lambda path: np.save(path, np.array([{}]), allow_pickle=True), r"s\.npy: not a \.npy file"),
        ("s.npy", write_header("(20,"), r"s\.npy: not a \.npy file, or a damaged one"),
        ("s.npy", write_header("(20,-5,64,64)}"), r"s\.npy: not a \.npy file, or a damaged one"),
        ("s.npy", write_header(f"(20,{10**20},64,64)}}"), r"s\.npy: not a \.npy file, or a damaged one"),
        (
            "s.npy",
            write_npy(np.eye(8, dtype=np.uint8)[None, None]),
            r"above 1; if .* multiply the values by 255",
        ),
        ("s.t7", lambda path: torch7.save(path, np.full((2, 3, 1, 8, 8), 127, np.uint8)), r"s\.t7: .* by 2"),
        ("s.t7", lambda path: torch7.save(path, {1: 2}), r"s\.t7: expected .*, got a dict"),
        (
            "s.t7",
            lambda path: torch7.save(path, np.zeros((2, 3, 3, 8, 8), np.uint8)),
            r"bytes \(N, T, 1, H, W\), got uint8 \(2, 3, 3, 8, 8\)",
        ),
        ("s.t7", lambda path: path.write_bytes(b"\4\0\0\0\1\0"), r"s\.t7: .* at byte"),
        ("s.png", lambda path: path.write_bytes(b""), r"must end in \.npy or \.t7"),
    ],
)
def test_what_is_not_a_sequence_file(name, write, message, tmp_path):
    write(tmp_path / name)
    with pytest.raises(ValueError, match=message):
        SequenceFile(tmp_path / name)


def test_float_t7_is_refused():
    with pytest.raises(ValueError, match=r"got float32 \(4, 5, 1, 8, 8\)"):
        SequenceFile(RECORDED / "moving_mnist_like_float_binary.t7")


def test_truncated_npy(tmp_path):
    standard(tmp_path / "s.npy")
    (tmp_path / "s.npy").write_bytes((tmp_path / "s.npy").read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"s\.npy: not a \.npy file, or a damaged one"):
        SequenceFile(tmp_path / "s.npy")


def test_bad_requests(tmp_path):
    standard(tmp_path / "s.npy")
    with pytest.raises(FileNotFoundError, match=r"there is no sequence file .*none\.npy"):
        SequenceFile(tmp_path / "none.npy")
    with pytest.raises(ValueError, match=r"s\.npy holds sequences of 20 frames, fewer than the 21 requested"):
        SequenceFile(tmp_path / "s.npy", 21)
    with pytest.raises(IndexError):
        SequenceFile(tmp_path / "s.npy").batch([6])
    with pytest.raises(ValueError, match="at least 1 sequence, got 0"):
        save_sequences(tmp_path / "s.npy", DATA, 0)
    with pytest.raises(ValueError, match=r"s\.npy: 7 sequences requested, but there are only 6"):
        save_sequences(tmp_path / "s.npy", SequenceFile(tmp_path / "s.npy"), 7)
    with pytest.raises(ValueError, match=r"must end in \.npy or \.t7"):
        save_sequences(tmp_path / "s.h5", DATA, 1)


@pytest.mark.parametrize("name", ["grey.npy", "grey.t7"])
def test_grey_files(name, tmp_path):
    """Grey values are written as they are, and read as they are or binary."""
    data = MovingMNIST(draw_digits(20)[0], n_frames=3, grey=True)
    save_sequences(tmp_path / name, data, 4)
    expected = data.batch(range(4)).frames
    found = SequenceFile(tmp_path / name, grey=True)
    np.testing.assert_array_equal(found.batch(range(4)).frames, expected)
    lit = MovingMNIST(draw_digits(20)[0], n_frames=3).batch(range(4)).frames
    np.testing.assert_array_equal(SequenceFile(tmp_path / name).batch(range(4)).frames, lit)
    np.save(tmp_path / "dim.npy", np.full((3, 1, 28, 30), 100, np.uint8))
    assert SequenceFile(tmp_path / "dim.npy", grey=True).batch([0]).frames.max() == np.float32(100 / 255)


def test_grey_command(tmp_path, monkeypatch):
    monkeypatch.delenv("NNLITE_DATA", raising=False)
    path = tmp_path / "grey.npy"
    assert (
        moving_mnist_files.main([str(path), "--count", "2", "--frames", "3", "--grey", "--data", "drawn"])
        == 0
    )
    assert len(np.unique(np.load(path))) > 20


def test_black_sequences_are_sequences(tmp_path):
    np.save(tmp_path / "s.npy", np.zeros((20, 3, 8, 8), np.uint8))
    assert not SequenceFile(tmp_path / "s.npy").batch(range(3)).frames.any()


def test_command(tmp_path, capsys, monkeypatch):
    usual = functools.cache(moving_mnist_files.load_digits)
    monkeypatch.setattr(moving_mnist_files, "load_digits", usual)
    path = tmp_path / "test.npy"
    options = ["--data", "drawn", "--count", "5", "--frames", "4", "--size", "40", "--digits", "1"]
    assert moving_mnist_files.main([str(path), *options]) == 0
    expected = MovingMNIST(usual("drawn")[1], (40, 40), n_digits=1, n_frames=4, split="test").batch(range(5))
    np.testing.assert_array_equal(SequenceFile(path).batch(range(5)).frames, expected.frames)
    assert moving_mnist_files.main([str(path), *options, "--split", "train", "--seed", "3"]) == 0
    assert (SequenceFile(path).batch(range(5)).frames != expected.frames).any()
    room = SimpleNamespace(free=10**9)
    monkeypatch.setattr(moving_mnist_files.shutil, "disk_usage", lambda _: room)
    for name, more, message in (
        ("x.png", [], "must end in .npy or .t7"),
        (
            "x.npy",
            ["--count", "99999999"],
            "x.npy could not be written (it needs 640,000 MB, but only 1,000 MB are",
        ),
        ("x.t7", ["--size", "1000000"], "x.t7 could not be written (it needs 20,000,000 MB, but only"),
        ("none/x.npy", [], "No such file or directory"),
    ):
        status = 1 if name != "x.png" else 2
        assert moving_mnist_files.main([str(tmp_path / name), *options, *more]) == status
        error = capsys.readouterr().err
        assert error.startswith("error: ") and message in error
    assert [entry.name for entry in tmp_path.iterdir()] == ["test.npy"]
