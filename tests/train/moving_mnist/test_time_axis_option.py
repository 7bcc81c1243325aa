"""The option that says which axis of a file of sequences is time."""

import numpy as np

from nnlite.data.drawn_digits import draw_digits
from nnlite.data.moving_mnist import MovingMNIST
from nnlite.train.moving_mnist.experiment import MovingDigits


def test_time_axis(tmp_path):
    digits = MovingMNIST(draw_digits(20)[0], n_frames=11, seed=0)
    frames = digits.batch(range(5)).frames
    np.save(tmp_path / "a.npy", (255 * frames[:, :, 0]).astype(np.uint8).swapaxes(0, 1))
    given = {"sequences_file": str(tmp_path / "a.npy"), "test_sequences": 5, "data": "drawn"}
    _, test = MovingDigits(MovingDigits.plan({**given, "time_axis": 1})).data
    np.testing.assert_array_equal(test.batch(range(5)).frames, frames)
