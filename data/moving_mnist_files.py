"""Moving MNIST in the file formats that people exchange: reads them and writes them.

    data = SequenceFile("mnist_test_seq.npy")
    frames = data.batch(range(8)).frames
    save_sequences("test.t7", data, 100)

    python -m data.moving_mnist_files test.npy --count 10000      generate such a file

| name | array |
|---|---|
| .npy | (T, N, H, W) uint8; that of Srivastava et al., mnist_test_seq.npy, is (20, 10000, 64, 64) |
| .t7 | byte tensor (N, T, 1, H, W), binary or ascii, as the published code of the paper reads it |

Values are bytes, 255 the brightest. Read as binary frames, a pixel is lit if its value is above 127, as
everywhere in this project, and a file that is not all 0 but in which no pixel is lit is refused.
A .npy file is memory-mapped: of a large one, only the sequences in use are in memory.
"""

import argparse
import errno
import math
import shutil
import sys
import tokenize
from collections.abc import Sized
from pathlib import Path

import numpy as np

from nnlite import torch7
from nnlite.files import CannotWrite, exit_status, replacing, writing

from .folders import data_folder
from .moving_mnist import MovingMNIST, load_digits
from .video_dataset import VideoBatch

FORMS = {".npy": "(T, N, H, W)", ".t7": "(N, T, 1, H, W)"}
#: Values above this are lit.
DARK = 127
#: Sequences that are written at a time; also how many are searched for lit pixels.
CHUNK = 100
#: Which axis of the array in a file is time.
TIME_AXIS = {".npy": 0, ".t7": 1}
#: Along the axis of time neighbours differ by less than along that of sequences: 0.7 times as much for digits
#: that move by 3.6 px a frame, 1.01 times by 20 px. Above this share the two are taken to be exchanged.
_ALIKE = 1.1
#: What NumPy raises for a damaged header, which it evaluates as Python: much more than ValueError.
_DAMAGED = (
    ArithmeticError,
    LookupError,
    MemoryError,
    RecursionError,
    SyntaxError,
    TypeError,
    ValueError,
    tokenize.TokenError,
)


class SequenceFile:
    """The sequences in a .npy or .t7 file: a `VideoDataset` with a length.

    path: of the file. n_frames: how many of each sequence to use, from its beginning (default: all). grey:
    whether frames have the grey values of the file in place of zeros and ones. time_axis: which axis of the
    array is time, 0 or 1 (default: that of the table above, unless the frames look otherwise).
    Errors: FileNotFoundError; ValueError for a file in another format, a damaged one, one with fewer frames,
    one with pixels above 0 but none lit in its first 100 sequences, or one whose axes of time and sequences
    seem to be exchanged.
    """

    def __init__(self, path, n_frames=None, grey=False, time_axis=None):
        if time_axis not in (None, 0, 1):
            raise ValueError(f"time_axis must be 0, 1 or None, got {time_axis!r}")
        self.path, self.grey = Path(path), grey
        usual = TIME_AXIS[_suffix(self.path)]
        self._values = _read(self.path, usual if time_axis is None else time_axis)  # (T, N, H, W)
        if time_axis is None:
            _check_axes(self.path, self._values, usual)
        if not grey:
            _check_lit(self.path, self._values)
        stored, _, *size = self._values.shape
        self.n_frames, self.size = n_frames or stored, tuple(size)
        if self.n_frames > stored:
            raise ValueError(
                f"{path} holds sequences of {stored} frames, fewer than the {n_frames} requested"
            )

    def __len__(self):
        return self._values.shape[1]

    def batch(self, indices):
        """Return the `VideoBatch` of the sequences with these indices, from 0 to len() - 1."""
        values = self._values[: self.n_frames, np.asarray(indices, np.int64)]
        frames = values / np.float32(255) if self.grey else (values > DARK).astype(np.float32)
        return VideoBatch(frames[:, :, None])


def find_test_sequences():
    """Return the path of Srivastava et al.'s mnist_test_seq.npy below the folder of NNLITE_DATA, or None.

    Either there or in moving_mnist/ or mnist/.
    """
    folder = data_folder()
    if folder is None:
        return None
    places = (folder / name / "mnist_test_seq.npy" for name in ("", "moving_mnist", "mnist"))
    return next((path for path in places if path.is_file()), None)


def save_sequences(path, data, n_sequences):
    """Write the first sequences of `data` (a MovingMNIST or SequenceFile) to a .npy or .t7 file.

    The file is replaced atomically; `data` may be the one that is replaced. ValueError if there are fewer
    sequences or they do not fit into memory, OSError if the file cannot be written; both name the file.
    """
    path, suffix = Path(path), _suffix(path)
    if n_sequences < 1:
        raise ValueError(f"{path}: a file needs at least 1 sequence, got {n_sequences}")
    if isinstance(data, Sized) and n_sequences > len(data):
        raise ValueError(f"{path}: {n_sequences} sequences requested, but there are only {len(data)}")
    shape = int(data.n_frames), int(n_sequences), *map(int, data.size)
    with writing(path, path.parent):
        needed, free = math.prod(shape) / 1e6, shutil.disk_usage(path.parent).free / 1e6
    if needed > free:
        raise CannotWrite(
            errno.ENOSPC,
            f"it needs {needed:,.0f} MB, but only {free:,.0f} MB are free: request fewer or smaller "
            "sequences, or name another folder",
            str(path),
        )
    try:
        (_write_npy if suffix == ".npy" else _write_t7)(path, data, shape)
    except MemoryError as error:
        raise ValueError(
            f"{path}: these sequences do not fit into memory; request fewer, shorter or smaller ones"
        ) from error


def _write_npy(path, data, shape):
    """Write sequences to a .npy file of the shape (T, N, H, W), a chunk at a time."""
    n_frames, n_sequences, height, width = shape
    with replacing(path) as part, open(part, "wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        start = file.tell()
        for first, values in _chunks(data, n_sequences):
            for t in range(n_frames):
                file.seek(start + (t * n_sequences + first) * height * width)
                file.write(values[t].tobytes())


def _write_t7(path, data, shape):
    """Write sequences to a .t7 file; they have to fit into memory."""
    n_frames, n_sequences, height, width = shape
    stored = np.empty((n_sequences, n_frames, 1, height, width), np.uint8)
    for first, values in _chunks(data, n_sequences):
        stored[:, :, 0].swapaxes(0, 1)[:, first : first + values.shape[1]] = values
    torch7.save(path, stored)


def _chunks(data, n_sequences):
    """Yield (index of the first, values (T, N, H, W)) of one chunk of sequences after another."""
    for first in range(0, n_sequences, CHUNK):
        frames = data.batch(range(first, min(first + CHUNK, n_sequences))).frames[:, :, 0]
        yield first, np.rint(255 * frames).astype(np.uint8)


def _suffix(path):
    """Return ".npy" or ".t7"."""
    suffix = Path(path).suffix
    if suffix not in FORMS:
        raise ValueError(f"{path}: the name of a sequence file must end in .npy or .t7")
    return suffix


def _read(path, time_axis):
    """Return the values in a file, (T, N, H, W) uint8."""
    suffix = _suffix(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no sequence file {path}")
    if suffix == ".t7":
        values = torch7.load(path)
    else:
        try:
            values = np.lib.format.open_memmap(path, mode="r")
        except _DAMAGED as error:
            raise ValueError(f"{path}: not a .npy file, or a damaged one: {error}") from error
    expected = f"{path}: expected unsigned bytes {FORMS[suffix]}, got "
    if not isinstance(values, np.ndarray):
        raise ValueError(f"{expected}a {type(values).__name__}")
    fits = values.ndim == 4 if suffix == ".npy" else values.ndim == 5 and values.shape[2] == 1
    if values.dtype != np.uint8 or not fits or not values.size:
        raise ValueError(f"{expected}{values.dtype} {values.shape}")
    stored = values if suffix == ".npy" else values[:, :, 0]
    return stored.swapaxes(0, time_axis)


def _check_axes(path, values, time_axis):
    """Raise ValueError if frames resemble those of other sequences more than the next ones of their own."""
    some = values[:CHUNK, :CHUNK].astype(np.int16)
    if min(some.shape[:2]) < 2:
        return
    in_time, across = (np.abs(np.diff(some, axis=axis)).mean() for axis in (0, 1))
    if in_time > _ALIKE * across:
        raise ValueError(
            f"{path}: axis {time_axis} of the array {values.swapaxes(0, time_axis).shape} should be time, "
            f"but neighbours along axis {1 - time_axis} resemble each other more; say which one is time with "
            f"--time-axis {1 - time_axis} (or {time_axis}, if it is right), in Python "
            f"time_axis={1 - time_axis}"
        )


def _check_lit(path, values):
    """Raise ValueError if the first sequences have pixels above 0 but none that is lit."""
    brightest = 0
    for i in range(min(CHUNK, values.shape[1])):  # one at a time: usually the first is enough
        brightest = max(brightest, int(values[:, i].max()))
        if brightest > DARK:
            return
    if brightest:
        raise ValueError(
            f"{path}: a pixel is lit if it is above {DARK}, but none is above {brightest}; if only 0 is "
            f"meant to be dark, multiply the values by {255 // brightest}"
        )


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
    parser.add_argument(
        "--split", choices=("train", "test"), default="test", help="source of the digits (test)"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the generator (0)")
    parser.add_argument("--grey", action="store_true", help="digits as grey as they are, not binary")
    parser.add_argument("--data", help="folder with MNIST's idx files, or 'drawn', as in train.moving_mnist")
    options = parser.parse_args(argv)
    try:
        digits = dict(zip(("train", "test"), load_digits(options.data)))[options.split]
        data = MovingMNIST(
            digits,
            (options.size, options.size),
            n_digits=options.digits,
            speed=options.speed,
            n_frames=options.frames,
            seed=options.seed,
            split=options.split,
            grey=options.grey,
        )
        save_sequences(options.file, data, options.count)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return exit_status(error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
