"""The .t7 format: its types, and what stands for them here.

| Torch7 | here |
|---|---|
| nil, boolean, string | None, bool, str (UTF-8; other bytes as surrogate escapes, so that nothing is lost) |
| number | int when it is whole, else float |
| table | dict in the file's order, keys included: entry 1 is table[1]. A list is written as entries 1..n |
| tensor | array of the tensor's type; tensors that share a storage are views of one array |
| storage | `Storage` |
| any other class, such as nn.Linear | `TorchObject(class name, its table)` |
| function | `TorchObject("function", its upvalues)`: the code is dropped and cannot be written back |

Shared and cyclic references stay what they are. Nothing in a file is ever executed, and, other than in
Torch7, sizes, strides, offsets and references are checked: ValueError names the file and the byte.

An object is its type (an int), for tables and classes an index for back references, and its content.
Binary mode packs little-endian numbers: int 4 bytes, long 8, number 8. Ascii mode writes each run of
numbers on a line; strings and bytes stay raw, with a newline after them. Files from before versioning
lack the "V 1" in front of class names.
"""

import numpy as np

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
MAX_DIMENSIONS = 32


class Storage:
    """A torch storage: a flat array that stands for itself rather than for a tensor."""

    def __init__(self, array):
        self.array = array

    def __repr__(self):
        return f"Storage({self.array!r})"


class TorchObject:
    """An instance of a Torch class, inert: its class name and what the file holds of it."""

    def __init__(self, class_name, contents):
        self.class_name, self.contents = class_name, contents

    def __repr__(self):
        return f"TorchObject({self.class_name!r})"


def as_list(table):
    """Return entries 1, 2, ... of a table (a dict) as a list, up to the first that is missing."""
    entries = []
    while len(entries) + 1 in table:
        entries.append(table[len(entries) + 1])
    return entries
