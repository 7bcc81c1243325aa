"""MNIST idx files: reading and finding them, and the errors of damaged ones."""

import gzip
import struct

import numpy as np
import pytest

from nnlite import limits
from nnlite.data.mnist import find_mnist, load_mnist, read_idx


def idx(array):
    """Return the idx file of an array of unsigned bytes."""
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.fixture
def folder(tmp_path):
    """A folder with three training digits (gzipped) and two test digits (plain), in `mnist/`."""
    mnist = tmp_path / "mnist"
    mnist.mkdir()
    rng = np.random.default_rng(0)
    for prefix, count, pack, end in (("train", 3, gzip.compress, ".gz"), ("t10k", 2, bytes, "")):
        images = rng.integers(0, 256, (count, 28, 28), np.uint8)
        (mnist / f"{prefix}-images-idx3-ubyte{end}").write_bytes(pack(idx(images)))
        (mnist / f"{prefix}-labels-idx1-ubyte{end}").write_bytes(pack(idx(np.arange(count, dtype=np.uint8))))
    return tmp_path


def test_reads_plain_and_gzipped(folder):
    expected = np.random.default_rng(0).integers(0, 256, (3, 28, 28), np.uint8)
    images, labels = load_mnist(folder / "mnist")
    np.testing.assert_array_equal(images, expected)
    np.testing.assert_array_equal(labels, [0, 1, 2])
    assert load_mnist(folder / "mnist", "test")[0].shape == (2, 28, 28)


def test_reads_the_other_usual_name(folder):
    plain = folder / "mnist" / "t10k-images-idx3-ubyte"
    plain.rename(plain.with_name("t10k-images.idx3-ubyte"))
    assert load_mnist(folder / "mnist", "test")[0].shape == (2, 28, 28)


def test_finds_by_option_then_environment(folder, tmp_path_factory, monkeypatch):
    monkeypatch.delenv("NNLITE_DATA", raising=False)
    assert find_mnist() is None
    assert find_mnist(folder) == folder / "mnist"
    assert find_mnist(folder / "mnist") == folder / "mnist"
    monkeypatch.setenv("NNLITE_DATA", str(folder))
    assert find_mnist() == folder / "mnist"
    empty = tmp_path_factory.mktemp("empty")
    with pytest.raises(
        FileNotFoundError,
        match=r"--data: no MNIST in .*empty.*: the idx files .* this folder or its mnist/; it is empty$",
    ):
        find_mnist(empty)
    monkeypatch.setenv("NNLITE_DATA", str(empty))
    assert find_mnist() is None


@pytest.mark.parametrize("origin", ["--data", "NNLITE_DATA"])
def test_missing_folder(origin, monkeypatch):
    monkeypatch.setenv("NNLITE_DATA", "/no/such/place")
    with pytest.raises(FileNotFoundError, match=f"{origin}: there is no folder /no/such/place"):
        find_mnist("/no/such/place" if origin == "--data" else None)


def test_missing_file(folder):
    (folder / "mnist" / "train-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(FileNotFoundError, match=r"mnist has no train-labels-idx1-ubyte or \.gz"):
        load_mnist(folder / "mnist")


def test_labels_that_do_not_fit(folder):
    (folder / "mnist" / "t10k-labels-idx1-ubyte").write_bytes(idx(np.zeros(5, np.uint8)))
    with pytest.raises(ValueError, match=r"labels \(5,\) of split test"):
        load_mnist(folder / "mnist", "test")


GOOD = idx(np.zeros((2, 3), np.uint8))
LONG = idx(np.random.default_rng(0).integers(256, size=(10, 100), dtype=np.uint8))


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "begins with nothing"),
        (b"PK\x03\x04 a zip file", "not an idx file of unsigned bytes .* begins with 50 4b 03 04"),
        (b"\0\0\x0d\x01" + GOOD[4:], "not an idx file of unsigned bytes"),
        (GOOD[:7], r"truncated within its header \(7 of 12 bytes\)"),
        (GOOD[:-1], r"truncated: 5 bytes, but sizes \(2, 3\) take 6"),
        (GOOD + b"\0", "too long: more than the 6 bytes"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "an array of the sizes .* takes 79,.* MB of memory"),
    ],
    ids=["empty", "zip", "floats", "header", "short", "long", "absurd sizes"],
)
def test_broken_idx(content, message, tmp_path):
    path = tmp_path / "digits-ubyte"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"digits-ubyte: .*{message}"):
        read_idx(path)


def test_inflating_ends_where_the_header_says(tmp_path, monkeypatch):
    path = tmp_path / "digits-ubyte.gz"
    path.write_bytes(gzip.compress(GOOD + bytes(10**6)))
    with pytest.raises(ValueError, match="too long: more than the 6 bytes"):
        read_idx(path)
    path.write_bytes(gzip.compress(idx(np.zeros((100, 100), np.uint8))))
    monkeypatch.setenv(limits.VARIABLE, "9999")
    with pytest.raises(ValueError, match=r"gz: an array of the sizes \(100, 100\) takes .* NNLITE_LARGEST"):
        read_idx(path)


@pytest.mark.parametrize(
    "content", [gzip.compress(GOOD)[:-9], b"not gzip", gzip.compress(LONG)[:500] + b"\xff" * 600]
)
def test_broken_gzip(content, tmp_path):
    path = tmp_path / "digits-ubyte.gz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"digits-ubyte\.gz: broken gzip file"):
        read_idx(path)
