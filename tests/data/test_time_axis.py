"""Files of sequences whose axes of time and sequences are exchanged: noticed, and read if it is said."""

import re

import numpy as np
import pytest

from nnlite import torch7
from nnlite.data.moving_mnist_files import TIME_AXIS, SequenceFile


def moving(n_frames=6, n_sequences=5):
    """Return (T, N, 64, 64) frames, in each sequence a disc that moves by 2 px a frame."""
    y, x = np.mgrid[:64, :64]
    rows, columns = np.random.default_rng(0).uniform(10, 50, (2, n_sequences, 1, 1))
    frames = [np.hypot(y - rows, x - 2 * t - columns) < 8 for t in range(n_frames)]
    return (255 * np.stack(frames)).astype(np.uint8)


def write(path, values, time_axis):
    """Write frames (T, N, H, W) with time as this axis; return the shape of the array."""
    stored = values.swapaxes(0, time_axis)
    if path.suffix == ".npy":
        np.save(path, stored)
        return stored.shape
    torch7.save(path, np.ascontiguousarray(stored[:, :, None]))
    return stored.shape


@pytest.mark.parametrize("name", ["a.npy", "a.t7"])
def test_which_axis_is_time(tmp_path, name):
    values, path = moving(), tmp_path / name
    usual = TIME_AXIS[path.suffix]
    write(path, values, usual)
    for axis in (None, usual):
        read = SequenceFile(path, time_axis=axis).batch(range(5)).frames
        np.testing.assert_array_equal(read[:, :, 0], values / 255)
    assert SequenceFile(path, time_axis=1 - usual).n_frames == 5
    shape = write(path, values, 1 - usual)
    read = SequenceFile(path, time_axis=1 - usual).batch(range(5)).frames
    np.testing.assert_array_equal(read[:, :, 0], values / 255)
    message = rf"{name}: axis {usual} of the array {re.escape(str(shape))} should be time, "
    with pytest.raises(ValueError, match=rf"{message}.*--time-axis {1 - usual} "):
        SequenceFile(path)


def test_nothing_is_said_of_what_does_not_tell(tmp_path):
    """Noise, sequences that stand still, one sequence, one frame."""
    noise = np.random.default_rng(0).integers(0, 256, (6, 5, 8, 8), np.uint8)
    for values in (noise, noise[:1].repeat(6, 0), noise[:, :1], noise[:1]):
        np.save(tmp_path / "a.npy", values)
        assert SequenceFile(tmp_path / "a.npy").n_frames == len(values)


def test_bad_axis(tmp_path):
    with pytest.raises(ValueError, match="time_axis must be 0, 1 or None, got 2"):
        SequenceFile(tmp_path / "a.npy", time_axis=2)
