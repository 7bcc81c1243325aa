"""A small net with a buffer, and comparisons of what checkpoints hold, for tests."""

import numpy as np

import nnlite as nn


class Running(nn.Module):
    """A module with one parameter and one buffer."""

    parameter_names = ("weight",)
    buffer_names = ("running_mean",)

    def __init__(self):
        super().__init__()
        self.add_parameter("weight", (3,))
        self.running_mean = np.zeros(3, np.float32)


def model(seed=0):
    """Return a small net with drawn parameters and buffers."""
    nn.manual_seed(seed)
    net = nn.Sequential(nn.Linear(4, 3), nn.Sequential(Running()), nn.Linear(3, 2))
    running = net.modules[1].modules[0]
    running.running_mean[...] = np.arange(3) + seed
    return net


def parameters(net):
    """Return {path: copy} of all parameters and buffers."""
    named = [(path, weight) for path, weight, _ in net.named_parameters()] + list(net.named_buffers())
    return {path: array.copy() for path, array in named}


def assert_same(got, want):
    """Compare nested state to the bit, types included."""
    assert type(got) is type(want)
    if isinstance(want, dict):
        assert list(got) == list(want)
        for key in want:
            assert_same(got[key], want[key])
    elif isinstance(want, list | tuple):
        assert len(got) == len(want)
        for g, w in zip(got, want):
            assert_same(g, w)
    elif isinstance(want, np.ndarray):
        assert got.dtype == want.dtype and got.shape == want.shape and got.tobytes() == want.tobytes()
    elif isinstance(want, float):
        assert np.float64(got).tobytes() == np.float64(want).tobytes()
    else:
        assert got == want
