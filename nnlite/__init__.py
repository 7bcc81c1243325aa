"""nnlite: a small layer-based framework, every gradient written by hand. `import nnlite as nn`."""

from .containers import Container, Sequential
from .layers import *  # noqa: F403
from .layers import __all__ as _layers
from .module import Criterion, Module
from .random import manual_seed

__all__ = ["Container", "Criterion", "Module", "Sequential", "manual_seed", *_layers]
