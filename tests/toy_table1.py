"""A toy run of Table 1's four models, for the tests of what is done with such a run."""

import contextlib

import pytest

from nnlite.train.moving_mnist import __main__ as moving_mnist
from nnlite.train.moving_mnist import evaluation
from nnlite.train.moving_mnist.experiment import MovingDigits

TOY = ["--model", "all", "--preset", "tiny", "--data", "drawn", "--device", "cpu"]
TOY += ["--sequences", "16", "--test-sequences", "8"]
DRAW_RUN = MovingDigits.draw_run


@contextlib.contextmanager
def less_work(pictures=False):
    """Within this context baselines are estimated from few sequences, and pictures are drawn only if told.

    Pictures and the microscope's page take four fifths of a toy run's time.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluation, "CALIBRATION", 60)
        patch.setattr(MovingDigits, "draw_run", DRAW_RUN if pictures else lambda *_: None)
        yield


def plan(argv):
    """Return the settings of the run that a command line asks for, or {name: settings} of a group of runs."""
    return MovingDigits.plan(MovingDigits.parse(argv, "a program")[1])


def train_all(folder):
    """Train the four models in the folder, and return it."""
    assert moving_mnist.main([*TOY, "--out", str(folder)]) == 0
    return folder
