"""The .t7 format: its types, and what stands for them here.

| Torch7 | here |
|---|---|
| nil, boolean, string | None, bool, str (UTF-8; other bytes as surrogate escapes, so that nothing is lost) |
| number | int when it is whole, else float |
| table | dict in the file's order, keys included: entry 1 is table[1]. A list is written as entries 1..n |
| tensor | array of the tensor's type; tensors that share a storage are views of one array |
| storage | `Storage` |
| tds.Vec, tds.Hash | list, dict; written, they are tables |
| any other class, such as nn.Linear | `TorchObject(class name, its table, its version)` |
| function | `TorchObject("function", its upvalues)`: the code is dropped and cannot be written back |
| table or tensor as the key of a table | `Key(it)`, for in Lua, other than in Python, both can be keys |

Shared and cyclic references stay what they are. Nothing in a file is ever executed, and, other than in
Torch7, sizes, strides, offsets and references are checked: `Torch7Error` names the file and the byte.

An object is its type (an int), for tables and classes an index for back references, and its content.
Binary mode packs little-endian numbers: int 4 bytes, long 8 (4 on 32-bit machines and Windows), number 8.
Ascii mode writes each run of numbers on a line; strings and bytes stay raw, with a newline after them. Files
from before versioning lack the "V 1" in front of class names; the version of their objects is 0.

A class may write a body of its own in place of a table. Those of tensors, storages and tds are known; that of
another class can be read by Torch7 alone, and so can what follows it.
"""

from typing import Any

import numpy as np

from ..typing import Array

NIL, NUMBER, STRING, TABLE, TORCH, BOOLEAN, FUNCTION, OLD_RECURSIVE_FUNCTION, RECURSIVE_FUNCTION = range(9)
INDEXED = (TABLE, TORCH, OLD_RECURSIVE_FUNCTION, RECURSIVE_FUNCTION)

INT, LONG, DOUBLE, CHAR = (np.dtype(code) for code in ("<i4", "<i8", "<f8", "i1"))
DTYPES = {
    "Byte": np.dtype("u1"),
    "Char": CHAR,
    "Short": np.dtype("<i2"),
    "Int": INT,
    "Long": LONG,
    "Half": np.dtype("<f2"),
    "Float": np.dtype("<f4"),
    "Double": DOUBLE,
}
NAMES = {dtype: name for name, dtype in DTYPES.items()}
#: Element types as class names spell them: those of tensors on a GPU have no "Float".
ELEMENTS = DTYPES | {"Cuda" + name.removeprefix("Float"): dtype for name, dtype in DTYPES.items()}
#: (family, dtype) of a class name.
ARRAY_CLASSES = {
    f"torch.{element}{family}": (family, dtype)
    for element, dtype in ELEMENTS.items()
    for family in ("Tensor", "Storage")
}
MAX_DIMENSIONS = 32


class Torch7Error(ValueError):
    """A .t7 file, or an object of one, is damaged, of another kind or without a counterpart."""


class Storage:
    """A torch storage: a flat array that stands for itself rather than for a tensor."""

    def __init__(self, array: Array) -> None:
        self.array = array

    def __repr__(self) -> str:
        return f"Storage({self.array!r})"


class TorchObject:
    """An instance of a Torch class, inert: its class name, the table in the file, its version."""

    def __init__(self, class_name: str, contents: Any, version: int = 1) -> None:
        self.class_name, self.contents, self.version = class_name, contents, version

    def __repr__(self) -> str:
        return f"TorchObject({self.class_name!r})"


class Key:
    """A table, list or tensor as the key of a table, equal only to the key that is the same object."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __hash__(self) -> int:
        return id(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Key) and self.value is other.value

    def __repr__(self) -> str:
        return f"Key(a {type(self.value).__name__})"  # its value may hold the table that it is a key of


def as_list(table: dict[Any, Any]) -> list[Any]:
    """Return entries 1, 2, ... of a table (a dict) as a list, up to the first that is missing."""
    entries: list[Any] = []
    while len(entries) + 1 in table:
        entries.append(table[len(entries) + 1])
    return entries
