"""MNIST, and what has its form, in the original idx files, plain or gzipped."""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

from nnlite.limits import check_claim

from .folders import find_data_set

_PREFIX = {"train": "train", "test": "t10k"}
_UNSIGNED_BYTE = 8
_CONTENTS = "the idx files (train-images-idx3-ubyte.gz, ...)"


def find_mnist(path=None):
    """Return the folder with the MNIST idx files, or None; `path` is the value of --data.

    The folder that --data or NNLITE_DATA names contains the files itself or in its mnist/. The one that
    --data names must contain them, else FileNotFoundError.
    """
    return find_data_set(
        "MNIST",
        path,
        "--data",
        subfolders=["", "mnist"],
        is_data_set=_has_images,
        contents=_CONTENTS,
    )


def find_fashion_mnist():
    """Return the folder with the idx files of Fashion-MNIST below that of NNLITE_DATA, or None.

    They have the names of MNIST's; they are in fashion-mnist/, or where torchvision puts them.
    """
    return find_data_set(
        "Fashion-MNIST",
        None,
        None,
        subfolders=["fashion-mnist", "FashionMNIST/raw"],
        is_data_set=_has_images,
        contents=_CONTENTS,
    )


def load_mnist(folder, split="train"):
    """Return images (60000 or 10000, 28, 28) uint8 and labels of the split "train" or "test".

    FileNotFoundError names the file that is missing, ValueError the one that is damaged.
    """
    if split not in _PREFIX:
        raise ValueError(f"split must be 'train' or 'test', got {split!r}")
    images = read_idx(_require(folder, split, "images-idx3"))
    labels = read_idx(_require(folder, split, "labels-idx1"))
    if images.ndim != 3 or images.shape[1:] != (28, 28) or labels.shape != images.shape[:1]:
        raise ValueError(
            f"{folder}: images {images.shape} and labels {labels.shape} of split {split} are not MNIST's "
            "(N, 28, 28) and (N,)"
        )
    return images, labels


def read_idx(path):
    """Return the array of unsigned bytes in an idx file, which is decompressed if its name ends in .gz.

    The format: two zero bytes, the element type, the number of dimensions, the sizes as big-endian 32-bit
    integers, then the elements. ValueError if the file is anything else, truncated or too long, or takes more
    memory than `nnlite.limits` allows.
    """
    try:
        with (gzip.open if str(path).endswith(".gz") else open)(path, "rb") as file:
            header = file.read(4)
            if len(header) < 4 or header[:2] != b"\0\0" or header[2] != _UNSIGNED_BYTE or not header[3]:
                raise ValueError(
                    f"{path}: not an idx file of unsigned bytes (it must begin with 00 00 08 and the number "
                    f"of dimensions, but begins with {header.hex(' ') or 'nothing'})"
                )
            sizes = file.read(4 * header[3])
            if len(sizes) < 4 * header[3]:
                raise ValueError(
                    f"{path}: truncated within its header ({4 + len(sizes)} of {4 + 4 * header[3]} bytes)"
                )
            shape = tuple(int(size) for size in np.frombuffer(sizes, ">u4"))
            expected = math.prod(shape)
            check_claim(path, f"an array of the sizes {shape}", expected)
            content = file.read(expected + 1)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path}: broken gzip file ({error})") from error
    if len(content) < expected:
        raise ValueError(f"{path}: truncated: {len(content)} bytes, but sizes {shape} take {expected}")
    if len(content) > expected:
        raise ValueError(f"{path}: too long: more than the {expected} bytes that sizes {shape} take")
    return np.frombuffer(content, np.uint8).reshape(shape)


def _has_images(folder):
    return any(_idx_file(folder, split, "images-idx3") for split in _PREFIX)


def _idx_file(folder, split, part):
    """Return the path of one of the four files under any of its usual names, or None."""
    for name in (f"{_PREFIX[split]}-{part}-ubyte", f"{_PREFIX[split]}-{part}-ubyte".replace("-idx", ".idx")):
        for path in (Path(folder) / name, Path(folder) / f"{name}.gz"):
            if path.is_file():
                return path
    return None


def _require(folder, split, part):
    path = _idx_file(folder, split, part)
    if path is None:
        raise FileNotFoundError(f"{folder} has no {_PREFIX[split]}-{part}-ubyte or .gz of it")
    return path
