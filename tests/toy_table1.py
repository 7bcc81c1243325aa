"""A toy run of Table 1's four models, for the tests of what is done with such a run."""

import contextlib
import functools

from nnlite.train.moving_mnist import __main__ as moving_mnist
from nnlite.train.moving_mnist import evaluation
from nnlite.train.moving_mnist import experiment as moving_mnist_experiment

TOY = ["--model", "all", "--preset", "tiny", "--data", "drawn", "--device", "cpu"]
TOY += ["--sequences", "16", "--test-sequences", "8"]


@contextlib.contextmanager
def less_work():
    """Within this context digits are drawn once, and baselines are estimated from few sequences."""
    load_digits, calibration = moving_mnist_experiment.load_digits, evaluation.CALIBRATION
    moving_mnist_experiment.load_digits = functools.cache(load_digits)
    evaluation.CALIBRATION = 60
    yield
    moving_mnist_experiment.load_digits, evaluation.CALIBRATION = load_digits, calibration


def train_all(folder):
    """Train the four models in the folder, and return it."""
    assert moving_mnist.main([*TOY, "--out", str(folder)]) == 0
    return folder
