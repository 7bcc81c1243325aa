"""Optimisers in Torch `optim`'s calling convention, and gradient clipping.

    x, fs = rmsprop(feval, x, config, state)

feval(x) returns (f, dfdx). x is the flat parameter array of `Module.get_parameters` and is updated in
place; dfdx is its flat gradient. config is a dict of options, read at every call, so that a training loop
may change `config["learning_rate"]` between steps. state is the dict that holds the moving averages and
the step count; without one they are kept in config. fs is [f], with f from before the update.

An option that is missing or None takes its default; 0.0 is a value. An unknown key raises ValueError. As in
Torch7, weight decay is added to the array that feval returned.
Recorded vectors: `tests/golden/e_optim.h5`. Source: torch/optim (2017-11); `muon` is of 2024.
"""

from .adaptive import adadelta, adagrad, adam, adamax, rmsprop
from .clipping import clip_by_norm, clip_by_value
from .momentum import nag, sgd
from .orthogonal import muon

__all__ = [
    "adadelta",
    "adagrad",
    "adam",
    "adamax",
    "clip_by_norm",
    "clip_by_value",
    "muon",
    "nag",
    "rmsprop",
    "sgd",
]
