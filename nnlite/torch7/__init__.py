"""Reads and writes Torch7's .t7 files, and converts the `nn` modules in them.

    frames = torch7.load("data.t7")                       a ByteTensor as an array, a table as a dict, ...
    net = torch7.to_module(torch7.load("model.t7"))       an nn.Sequential as nnlite's
    torch7.save("model.t7", torch7.from_module(net))

Recorded files: `tests/golden/serialization`.
"""

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
    "from_module",
    "load",
    "load_all",
    "save",
    "to_module",
]
