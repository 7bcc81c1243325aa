"""Moving MNIST in the files that people exchange, read as they are and written.

    data = SequenceFile("mnist_test_seq.npy")
    frames = data.sequences(range(8)).frames
    save_sequences("test.t7", data, 100)

    python -m data.moving_mnist_files test.npy --count 10000      generate such a file

| name | array |
|---|---|
| .npy | (T, N, H, W) uint8; that of Srivastava et al., mnist_test_seq.npy, is (20, 10000, 64, 64) |
| .t7 | byte tensor (N, T, 1, H, W), binary or ascii, as the published code of the paper reads it |

A pixel is lit when its value is above 127, as everywhere in this project; files are written with 0 and 255.
A .npy file is mapped, not read: of a large one only the sequences in use are in memory.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nnlite import torch7

from .moving_mnist import MovingMNIST, load_digits

FORMS = {".npy": "(T, N, H, W)", ".t7": "(N, T, 1, H, W)"}


@dataclass(frozen=True)
class RecordedSequences:
    """N sequences of T frames whose motion nobody has recorded: frames (T, N, 1, H, W), float32, 0 or 1."""

    frames: np.ndarray


class SequenceFile:
    """The sequences in a .npy or .t7 file, to be used like a `MovingMNIST` that is finite.

    path: of the file. frames: how many of each sequence to use, from its beginning (default: all).
    Attributes: `frames`; `size`, (H, W). `len()` is the number of sequences.
    Errors: FileNotFoundError; ValueError for a file of another form, a damaged one, or one of fewer frames.
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
        return RecordedSequences((values > 127).astype(np.float32)[:, :, None])


def save_sequences(path, data, count):
    """Write the first `count` sequences of `data` (a MovingMNIST or SequenceFile) to a .npy or .t7 file."""
    kind = _kind(path)
    if count < 1:
        raise ValueError(f"{path}: a file needs at least 1 sequence, got {count}")
    length, _, _, height, width = data.sequences([0]).frames.shape
    if kind == ".npy":
        stored = np.lib.format.open_memmap(path, "w+", np.uint8, (length, count, height, width))
    else:
        stored = np.empty((count, length, 1, height, width), np.uint8)
    for first in range(0, count, 100):
        here = range(first, min(first + 100, count))
        lit = data.sequences(here).frames[:, :, 0] > 0
        _time_first(stored)[:, here.start : here.stop] = np.where(lit, 255, 0)
    if kind == ".t7":
        torch7.save(path, stored)


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
        except ValueError as error:
            raise ValueError(f"{path}: not a .npy file, or a damaged one: {error}") from error
    wanted = f"{path}: expected unsigned bytes {FORMS[kind]}, got "
    if not isinstance(values, np.ndarray):
        raise ValueError(f"{wanted}a {type(values).__name__}")
    fits = values.ndim == 4 if kind == ".npy" else values.ndim == 5 and values.shape[2] == 1
    if values.dtype != np.uint8 or not fits or not values.size:
        raise ValueError(f"{wanted}{values.dtype} {values.shape}")
    return _time_first(values)


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
