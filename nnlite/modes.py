"""Contexts in which a model runs in other modes; afterwards every module is in the mode it was found in."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from .module import Module

_M = TypeVar("_M", bound=Module)


@contextmanager
def evaluating(model: _M) -> Iterator[_M]:
    """Return a context in which `model` is in evaluation mode.

    Recurrent modules whose mode changes forget, on entering and on leaving, as with `evaluate()`.

        >>> net = nn.Dropout(0.5)
        >>> with nn.evaluating(net):
        ...     y = net.forward(np.ones(3, np.float32))
        >>> y.tolist(), net.train
        ([1.0, 1.0, 1.0], True)
    """
    modes = [(module, module.train) for module in model.list_modules()]
    model.evaluate()
    try:
        yield model
    finally:
        for module, train in modes:  # parents first, so that each module's own mode is set last
            if train != module.train:
                module.training() if train else module.evaluate()


@contextmanager
def remembering(model: Module, mode: str = "both") -> Iterator[list[Any]]:
    """Return, as a context, the modules of `model` that can `remember`, all of them in the mode `mode`.

    They start from the beginning when the context is entered, and again when it is left.
    """
    memories: list[Any] = [module for module in model.list_modules() if hasattr(module, "remember")]
    modes = [module._remember for module in memories]
    try:
        for module in memories:
            module.remember(mode).forget()
        yield memories
    finally:
        for module, earlier in zip(memories, modes):
            module.remember(earlier).forget()
