"""Moving MNIST in the files that people exchange, read as they are and written.

    data = SequenceFile("mnist_test_seq.npy")
    frames = data.sequences(range(8)).frames
    save_sequences("test.t7", data, 100)

    python -m data.moving_mnist_files test.npy --count 10000      generate such a file

| name | array |
|---|---|
| .npy | (T, N, H, W) uint8; that of Srivastava et al., mnist_test_seq.npy, is (20, 10000, 64, 64) |
| .t7 | byte tensor (N, T, 1, H, W), binary or ascii, as the published code of the paper reads it |

A pixel is lit when its value is above 127, as everywhere in this project; files are written with 0 and 255. A
file in which that lights nothing, although it is not all 0, is refused.
A .npy file is mapped, not read: of a large one only the sequences in use are in memory.
"""

import argparse
import math
import shutil
import sys
import tokenize
from collections.abc import Sized
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nnlite import torch7
from nnlite.files import replacing

from .moving_mnist import MovingMNIST, load_digits

FORMS = {".npy": "(T, N, H, W)", ".t7": "(N, T, 1, H, W)"}
#: Values above this are lit.
DARK = 127
#: Sequences that are written at a time, and those looked at to see whether anything is lit.
CHUNK = 100
#: What NumPy's reader makes of damaged headers.
_DAMAGE = (
    *(ArithmeticError, LookupError, MemoryError, RecursionError, SyntaxError, TypeError, ValueError),
    tokenize.TokenError,
)


@dataclass(frozen=True)
class RecordedSequences:
    """N sequences of T frames whose motion nobody has recorded: frames (T, N, 1, H, W), float32, 0 or 1."""

    frames: np.ndarray


class SequenceFile:
    """The sequences in a .npy or .t7 file, to be used like a `MovingMNIST` that is finite.

    path: of the file. frames: how many of each sequence to use, from its beginning (default: all).
    Attributes: `frames`; `size`, (H, W). `len()` is the number of sequences.
    Errors: FileNotFoundError; ValueError for a file of another form, a damaged one, one of fewer frames, or
    one whose pixels are above 0 but, as far as its first 100 sequences show, never lit.
    """

    def __init__(self, path, frames=None):
        self.path = Path(path)
        self._values = _read(self.path)  # (T, N, H, W)
        length, _, *size = self._values.shape
        self.frames, self.size = frames or length, tuple(size)
        if self.frames > length:
            raise ValueError(f"{path} holds sequences of {length} frames, fewer than the {frames} asked for")

    def __len__(self):
        return self._values.shape[1]

    def sequences(self, indices):
        """Return the `RecordedSequences` of the given numbers, from 0 to len() - 1."""
        values = self._values[: self.frames, np.asarray(indices, np.int64)]
        return RecordedSequences((values > DARK).astype(np.float32)[:, :, None])


def save_sequences(path, data, count):
    """Write the first `count` sequences of `data` (a MovingMNIST or SequenceFile) to a .npy or .t7 file.

    The file appears at once and whole; until then an earlier one stays, and may be the one that `data` reads.
    ValueError when there are fewer sequences or they do not fit into memory, OSError when the file cannot be
    written, both naming it.
    """
    path, kind = Path(path), _kind(path)
    if count < 1:
        raise ValueError(f"{path}: a file needs at least 1 sequence, got {count}")
    if isinstance(data, Sized) and count > len(data):
        raise ValueError(f"{path}: {count} sequences are asked for, there are {len(data)}; ask for no more")
    height, width = (data.size, data.size) if np.isscalar(data.size) else data.size
    shape = int(data.frames), int(count), int(height), int(width)
    size, room = math.prod(shape) / 1e6, shutil.disk_usage(path.parent).free / 1e6
    if size > room:
        raise OSError(
            f"{path} would take {size:,.0f} MB, of which {room:,.0f} are free: ask for fewer or smaller "
            "sequences, or name another folder"
        )
    try:
        (_write_npy if kind == ".npy" else _write_t7)(path, data, shape)
    except MemoryError as error:
        raise ValueError(
            f"{path}: sequences like these do not fit into memory; ask for fewer, shorter or smaller ones"
        ) from error


def _write_npy(path, data, shape):
    """Write sequences to a .npy file of the shape (T, N, H, W), a few at a time."""
    length, count, height, width = shape
    with replacing(path) as part, open(part, "wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        begin = file.tell()
        for first, values in _chunks(data, count):
            for t in range(length):
                file.seek(begin + (t * count + first) * height * width)
                file.write(values[t].tobytes())


def _write_t7(path, data, shape):
    """Write sequences to a .t7 file; they have to fit into memory."""
    length, count, height, width = shape
    stored = np.empty((count, length, 1, height, width), np.uint8)
    for first, values in _chunks(data, count):
        _time_first(stored)[:, first : first + values.shape[1]] = values
    torch7.save(path, stored)


def _chunks(data, count):
    """Yield (number of the first, values (T, N, H, W)), a few sequences after the other."""
    for first in range(0, count, CHUNK):
        lit = data.sequences(range(first, min(first + CHUNK, count))).frames[:, :, 0] > 0
        yield first, np.where(lit, np.uint8(255), np.uint8(0))


def _kind(path):
    """Return ".npy" or ".t7"."""
    kind = Path(path).suffix
    if kind not in FORMS:
        raise ValueError(f"{path}: files of sequences are named .npy or .t7")
    return kind


def _read(path):
    """Return the values of a file, (T, N, H, W) uint8."""
    kind = _kind(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file of sequences {path}")
    if kind == ".t7":
        values = torch7.load(path)
    else:
        try:
            values = np.lib.format.open_memmap(path, mode="r")
        except _DAMAGE as error:
            raise ValueError(f"{path}: not a .npy file, or a damaged one: {error}") from error
    wanted = f"{path}: expected unsigned bytes {FORMS[kind]}, got "
    if not isinstance(values, np.ndarray):
        raise ValueError(f"{wanted}a {type(values).__name__}")
    fits = values.ndim == 4 if kind == ".npy" else values.ndim == 5 and values.shape[2] == 1
    if values.dtype != np.uint8 or not fits or not values.size:
        raise ValueError(f"{wanted}{values.dtype} {values.shape}")
    values = _time_first(values)
    _check_lit(path, values)
    return values


def _check_lit(path, values):
    """Raise ValueError when the first sequences have pixels above 0 but none that is lit."""
    brightest = 0
    for i in range(min(CHUNK, values.shape[1])):  # one after the other: mostly the first will do
        brightest = max(brightest, int(values[:, i].max()))
        if brightest > DARK:
            return
    if brightest:
        raise ValueError(
            f"{path}: pixels are lit when they are above {DARK}, but none is above {brightest}; multiply the "
            f"values by {255 // brightest} where 0 alone is dark"
        )


def _time_first(stored):
    """Return what a file stores as (T, N, H, W)."""
    return stored if stored.ndim == 4 else stored[:, :, 0].swapaxes(0, 1)


def main(argv=None):
    """Generate a file; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m data.moving_mnist_files",
        description="Write moving-digit sequences to a .npy or .t7 file.",
    )
    parser.add_argument("file", help=f".npy {FORMS['.npy']} or .t7 {FORMS['.t7']}")
    parser.add_argument("--count", type=int, default=10000, help="number of sequences (10000)")
    parser.add_argument("--frames", type=int, default=20, help="frames in a sequence (20)")
    parser.add_argument("--size", type=int, default=64, help="side of the square frames in pixels (64)")
    parser.add_argument("--digits", type=int, default=2, help="digits in a sequence (2)")
    parser.add_argument("--speed", type=float, default=3.6, help="pixels a frame (3.6)")
    parser.add_argument("--split", choices=("train", "test"), default="test", help="whose digits (test)")
    parser.add_argument("--seed", type=int, default=0, help="(0)")
    parser.add_argument("--data", help="folder with MNIST's idx files, or 'drawn', as in train.moving_mnist")
    asked = parser.parse_args(argv)
    try:
        digits = dict(zip(("train", "test"), load_digits(asked.data)))[asked.split]
        motion = {"number": asked.digits, "speed": asked.speed, "frames": asked.frames}
        data = MovingMNIST(digits, asked.size, **motion, seed=asked.seed, split=asked.split)
        save_sequences(asked.file, data, asked.count)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
