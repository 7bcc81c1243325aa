"""How a class in a .t7 file is described: what its fields say in terms of a constructor here."""

from collections.abc import Callable
from dataclasses import dataclass, field
from operator import attrgetter

import numpy as np

from .types import Storage, TorchObject

REQUIRED = object()

#: The arrays of a module and Torch7's fields for them.
ARRAYS = {
    "weight": "weight",
    "bias": "bias",
    "grad_weight": "gradWeight",
    "grad_bias": "gradBias",
    "running_mean": "running_mean",
    "running_var": "running_var",
}


@dataclass
class Argument:
    """A constructor argument and the field that Torch7 keeps it in.

    read turns the field into the argument, write makes the field of a module (None: Torch7 has no such
    field); default stands for a field that a file lacks.
    """

    field: str
    read: Callable
    write: Callable | None
    default: object = REQUIRED


@dataclass
class Kind:
    """A class: its constructor's arguments in order, and what else there is to its fields.

    build(modules inside, *arguments) makes the module where calling the class and adding does not. fixed:
    fields with the one value that exists here; a file with another is refused. check(fields): raises
    ValueError for fields that do not go together, before anything is allocated by what they claim.
    extra(module): fields that Torch7's constructor makes and its methods rely on; modules among them become
    objects. None: can be read, not written.

    parts(fields): for a class that is assembled from a network of its own, {path in the module: the object
    of that layer}. Of the network in its `modules` nothing else is read: it follows from the class.

    assemble(fields, convert): makes the module of a class whose wiring is all in its fields; convert(object,
    its path below) returns a module. old(fields, version, library): what Torch7 does to the fields (a copy)
    of files from before some of them existed. version: that of the class in Torch7, to be written.
    link(fields): completes the fields that are written, once the objects in them are made.
    """

    arguments: tuple = ()
    build: Callable | None = None
    fixed: dict = field(default_factory=dict)
    check: Callable = lambda fields: None
    extra: Callable | None = lambda module: {}
    parts: Callable | None = None
    assemble: Callable | None = None
    old: Callable = lambda fields, version, library: fields
    version: int = 1
    link: Callable = lambda fields: None


def same(name, attribute=None, default=REQUIRED):
    """Return the argument that has the same value, a number or a boolean, on both sides."""
    return Argument(name, plain, attrgetter(attribute or name), default)


def text(name, attribute, default):
    """Return the argument that is the same text on both sides."""
    return Argument(name, _text, attrgetter(attribute), default)


def module(name, attribute):
    """Return the argument that is a module."""
    return Argument(name, read_module, attrgetter(attribute))


def index(name, attribute=None, default=REQUIRED):
    """Return the argument that counts from one in Torch7; negative ones count from the end in both."""
    get = attrgetter(attribute or name)

    def write(module):
        value = get(module)
        return None if value is None else value + (value >= 0)

    return Argument(name, _from_one, write, default)


def sizes(attribute):
    """Return the argument `size`, a LongStorage in Torch7 and a tuple here."""
    get = attrgetter(attribute)
    return Argument("size", _longs, lambda module: longs(get(module)))


def shape(name, axis, less=0):
    """Return the argument that Torch7 knows only from the shape of an array, which is larger by `less`."""

    def read(array):
        if not isinstance(array, np.ndarray) or array.ndim <= axis or not array.size:
            least = f"a tensor of {axis + 1} or more dimensions, not empty"
            raise ValueError(f"expected {least}, got {described(array)}")
        return array.shape[axis] - less

    return Argument(name, read, None)


def missing(**values):
    """Return the `old` of a kind whose fields, where a file lacks them, have these values."""
    return lambda fields, version, library: values | fields


def longs(values):
    """Return a LongStorage."""
    return Storage(np.array(values, np.int64))


def empty(module):
    """Return an empty tensor of the module's type."""
    return np.empty(0, module.dtype)


def check_weight(fields, *shape):
    """Raise ValueError unless `weight` has as many numbers as a tensor of this shape."""
    weight = fields.get("weight")
    if not isinstance(weight, np.ndarray) or weight.size != np.prod([int(n) for n in shape], dtype=object):
        got = weight.shape if isinstance(weight, np.ndarray) else weight
        raise ValueError(f"weight must be a tensor of shape {shape}, got {got!r}")


def plain(value):
    """Return a number or a boolean, or raise ValueError."""
    if not isinstance(value, bool | int | float):
        raise ValueError(f"expected a number or a boolean, got {described(value)}")
    return value


def read_module(value):
    """Raise ValueError: objects, of which a builder makes modules, never come here."""
    raise ValueError(f"expected an nn object, got {described(value)}")


def tensor(value):
    """Return a copy of a tensor, or raise ValueError."""
    if not isinstance(value, np.ndarray):
        raise ValueError(f"expected a tensor, got {described(value)}")
    return value.copy()


def described(value):
    """Say what stands where something else should; of a table its keys, among which the right one may be."""
    if isinstance(value, dict):
        keys = [repr(key) for key in value]
        return f"a table with the keys {', '.join(keys[:20])}{', ...' if len(keys) > 20 else ''}"
    return f"an array of shape {value.shape}" if isinstance(value, np.ndarray) else repr(value)


def _text(value):
    if not isinstance(value, str):
        raise ValueError(f"expected a string, got {described(value)}")
    return value


def _longs(value):
    if not isinstance(value, Storage) or value.array.dtype.kind not in "iu":
        raise ValueError(f"expected a LongStorage, got {described(value)}")
    return value.array.tolist()


def _from_one(value):
    if not isinstance(value, int) or value == 0:
        raise ValueError(f"expected a whole number that counts from 1 or from -1, got {described(value)}")
    return value - (value > 0)


def is_object(value, *class_names):
    """Tell whether `value` is an object with fields, of one of these classes when any are given."""
    fits = isinstance(value, TorchObject) and isinstance(value.contents, dict)
    return fits and (not class_names or value.class_name in class_names)
