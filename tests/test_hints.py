"""Type hints: what users call has them. (That they are right is mypy's affair.)"""

import importlib
import inspect
import pkgutil

import pytest

import nnlite as nn
from nnlite import checkpoint, gradcheck, init, models, optim, torch7

PLACES = [gradcheck, checkpoint, init, importlib.import_module("nnlite.trace"), torch7, optim, models]
PLACES += [
    importlib.import_module(f"nnlite.models.{found.name}")
    for found in pkgutil.iter_modules(models.__path__)
    if found.name != "gradcheck_cases"
]


def public(place):
    """Return the functions and classes that a module offers: its own, or those in its `__all__`."""
    if hasattr(place, "__all__"):
        things = [getattr(place, name) for name in place.__all__]
    else:
        named = [thing for name, thing in vars(place).items() if not name.startswith("_")]
        things = [thing for thing in named if getattr(thing, "__module__", None) == place.__name__]
    return [thing for thing in things if inspect.isfunction(thing) or inspect.isclass(thing)]


def functions_of(thing):
    """Return what can be called of a function or class: not methods that have their hints from a base."""
    if inspect.isfunction(thing):
        return [thing]
    found = []
    for name, method in vars(thing).items():
        method = getattr(method, "fget", None) or getattr(method, "__func__", method)
        inherited = any(name in vars(base) for base in thing.__mro__[1:-1])
        offered = name == "__init__" or not (name.startswith("_") or inherited)
        if inspect.isfunction(method) and offered:
            found.append(inspect.unwrap(method))
    return found


def unhinted(function):
    """Return the parameters without a hint, and "return" if the result has none."""
    signature = inspect.signature(function)
    parameters = [one for name, one in signature.parameters.items() if name not in ("self", "cls")]
    missing = [one.name for one in parameters if one.annotation is one.empty]
    return missing + ["return"] * (signature.return_annotation is signature.empty)


@pytest.mark.parametrize("place", [nn, *PLACES], ids=lambda place: place.__name__)
def test_what_users_call_has_hints(place):
    functions = [function for thing in public(place) for function in functions_of(thing)]
    assert functions
    missing = {f"{one.__module__}.{one.__qualname__}": unhinted(one) for one in functions}
    assert {name: what for name, what in missing.items() if what} == {}


def test_what_is_missing_is_seen():
    class Layer(nn.Linear):
        def __init__(self, n):
            """No hints."""

        def update_output(self, input):
            """As in Module."""

        def reset_all(self, bound: float):
            """One hint."""

    assert [unhinted(one) for one in functions_of(Layer)] == [["n", "return"], ["return"]]
