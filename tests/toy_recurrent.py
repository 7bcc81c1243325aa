"""Small recurrent modules for tests."""

import nnlite as nn


def simple(transfer=None, rho=9999):
    """h(t) = transfer(A x(t) + B h(t-1)), from 3 numbers to 4."""
    return nn.Recurrent(4, nn.Linear(3, 4), nn.Linear(4, 4), transfer, rho)


def stack():
    """A module with memory in the middle: containers around it must find it as it was at each step."""
    return nn.Sequential(nn.Linear(3, 4), nn.LSTM(4, 4, 9999, False), nn.Linear(4, 2))
