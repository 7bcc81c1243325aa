"""Reads and writes Torch7's .t7 files, and converts the `nn` modules and criteria in them.

    frames = torch7.load("data.t7")                       a ByteTensor as an array, a table as a dict, ...
    net = torch7.to_module(torch7.load("model.t7"))       an nn.Sequential as nnlite's
    torch7.save("model.t7", torch7.from_module(net))
    loss = torch7.to_criterion(torch7.load("loss.t7"))    an nn.MSECriterion as nnlite's

Recorded files: `tests/golden/serialization`.
"""

from .criterion_kinds import from_criterion, to_criterion
from .modules import to_module
from .objects import from_module
from .reader import load, load_all
from .types import Key, Storage, Torch7Error, TorchObject, as_list
from .writer import save

__all__ = [
    "Key",
    "Storage",
    "Torch7Error",
    "TorchObject",
    "as_list",
    "from_criterion",
    "from_module",
    "load",
    "load_all",
    "save",
    "to_criterion",
    "to_module",
]
