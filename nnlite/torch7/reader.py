"""Reads .t7 files; `types.py` describes the format."""

import math
import mmap
from typing import Any

import numpy as np

from ..limits import refusal
from ..typing import File
from .foreign import refuse_foreign
from .streams import AsciiStream, BinaryStream
from .types import (
    ARRAY_CLASSES,
    BOOLEAN,
    FUNCTION,
    INDEXED,
    MAX_DIMENSIONS,
    NIL,
    NUMBER,
    RECURSIVE_FUNCTION,
    STRING,
    TABLE,
    TORCH,
    Key,
    Storage,
    Torch7Error,
    TorchObject,
)

#: Libraries whose classes write a table and nothing else.
_LIBRARIES = ("nn", "cudnn", "cunn", "nngraph", "graph", "nnop", "inn")
#: Tables outside Lua's memory, whose entries follow without an index. (An early version spelt it tds_hash.)
_TDS = {"tds.Vec": list, "tds.Hash": dict, "tds_hash": dict}
_KINDS = {NUMBER: "number", STRING: "string", BOOLEAN: "boolean", TORCH: "tensor"}
#: In place of a key: there is none yet; there is none in a list.
_NO_KEY, _ENTRY = object(), object()


def load(path: File, mode: str = "auto") -> Any:
    """Return the object in the .t7 file `path`; mode is "binary", "ascii" or "auto" (look and see).

    Tensors saved on a GPU (torch.CudaTensor) are read as ordinary ones. Torch7Error for a file that is
    damaged, truncated or not a .t7 file, and for one that goes on after its first object (`load_all` reads
    that).
    """
    return _read(path, mode, _first)


def load_all(path: File, mode: str = "auto") -> list[Any]:
    """Return a list of all objects in the .t7 file `path`, which were written one after the other.

    As in Torch7 they share references: what occurs in several of them is one object here.
    """
    return _read(path, mode, _all)


def _read(path, mode, take):
    """Return what `take` takes from a reader of the file."""
    if mode not in ("auto", "binary", "ascii"):
        raise ValueError(f"torch7.load: mode must be auto, binary or ascii, got {mode!r}")
    with open(path, "rb") as file:
        if not file.read(1):
            raise Torch7Error(f"{path}: the file is empty")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            refuse_foreign(path, data)
            if mode == "ascii" or (mode == "auto" and data[0] > RECURSIVE_FUNCTION):
                return take(_Reader(AsciiStream(path, data)))
            reader = _Reader(BinaryStream(path, data))
            try:
                return take(reader)
            except Torch7Error:
                shorter = _Reader(BinaryStream(path, data, 4))
                try:
                    found = take(shorter)
                    if shorter.stream.sure:
                        return found
                except Torch7Error:
                    if shorter.stream.sure and shorter.stream.place > reader.stream.place:
                        raise  # that is how the file was meant
                raise


def _first(reader):
    found, start = reader.object(), reader.stream.place
    left = reader.stream.left()
    if left:
        reader.stream.fail(
            f"{left} bytes follow the first object; torch7.load_all reads a file of several objects", start
        )
    return found


def _all(reader):
    found = [reader.object()]
    while reader.stream.left():
        found.append(reader.object())
    return found


class _Reader:
    """Reads objects one after the other from a stream; `objects` holds those seen, by index."""

    def __init__(self, stream):
        self.stream, self.objects, self.claimed = stream, {}, 0

    def object(self):
        """Read any object, however deeply nested: what is being filled waits on a stack."""
        stream = self.stream
        integer, double, string = stream.integer, stream.double, stream.string
        #: What is being filled (a dict or list), entries to come, the key of the next, what it is part of.
        inside, left, key, whole = None, 0, _NO_KEY, None
        waiting = []
        while True:
            start = stream.place
            kind = integer()
            if kind == STRING:
                value = string()
            elif kind == NUMBER:
                value = _number(double())
            elif kind == BOOLEAN:
                value = integer() != 0
            elif kind == NIL:
                value = None
            else:
                value, opened, count = self.composite(kind, start)
                if count < 0:
                    stream.fail(f"a table announces {count} entries", start)
                if count:
                    waiting.append((inside, left, key, whole))
                    inside, left, whole = opened, count, value
                    key = _NO_KEY if type(opened) is dict else _ENTRY
                    continue
            while inside is not None:  # the value is complete: put it where it belongs
                if key is _NO_KEY:
                    key = value if type(value) is str or type(value) is int else self.key(value, start)
                    if key in inside:
                        stream.fail(f"the table key {key!r} occurs twice (in Python 1 is True)", start)
                    break
                if key is _ENTRY:
                    inside.append(value)
                else:
                    inside[key] = value
                    key = _NO_KEY
                left -= 1
                if left:
                    break
                value = whole
                inside, left, key, whole = waiting.pop()
            else:
                return value

    def composite(self, kind, start):
        """Read a table or object as far as its entries; return (it, what they fill or None, their number)."""
        if kind not in INDEXED and kind != FUNCTION:
            self.stream.fail(f"{kind} is no type of object", start)
        index = None if kind == FUNCTION else self.stream.integer()
        if index in self.objects:
            return self.objects[index], None, 0
        if kind == TABLE:
            table = self.objects[index] = {}
            return table, table, self.stream.integer()
        return self.torch_object(index) if kind == TORCH else self.function(index)

    def key(self, value, start):
        """Return a value as it stands as a key."""
        if value is None or (type(value) is float and math.isnan(value)):
            self.stream.fail(f"a table key is {'nil' if value is None else 'not a number'}", start)
        return Key(value) if isinstance(value, dict | list | np.ndarray) else value

    def torch_object(self, index):
        """Read an instance of a class; return (it, a table of it to fill or None, the number of entries)."""
        start = self.stream.place
        name, version = self.class_name()
        family, dtype = ARRAY_CLASSES.get(name, (None, None))
        if family == "Tensor":
            found = self.objects[index] = self.tensor(dtype)
            return found, None, 0
        if family == "Storage":
            found = self.objects[index] = self.storage(dtype)
            return found, None, 0
        if name.startswith("torch.") and name.endswith(("Tensor", "Storage")):
            self.stream.fail(f"there is no class {name} in Torch7", start)
        if name in _TDS:
            found = self.objects[index] = _TDS[name]()
            return found, found, self.stream.long()
        if name.partition(".")[0] not in _LIBRARIES:
            self.stream.strangers.setdefault(name)
        found = self.objects[index] = TorchObject(name, None, version)
        start = self.stream.place
        table = self.stream.integer() if self.stream.tag() == TABLE else None
        if table != index + 1:  # Torch7 numbers what it writes in order, and that table is new
            self.stream.strangers.pop(name, None)
            self.stream.fail(
                f"the class {name} has a body of its own in place of a table: only Torch7 with that class "
                "can read it, and could save it again as a table",
                start,
            )
        found.contents = self.objects[table] = {}
        return found, found.contents, self.stream.integer()

    def class_name(self):
        """Read the name and version of a class."""
        name = self.stream.string()
        if name == "V 1":
            return self.stream.string(), 1
        if not name.startswith("V "):
            return name, 0
        try:
            version = _number(float(name[2:]))
        except ValueError:
            return name, 0
        return self.stream.string(), version

    def function(self, index):
        """Read a function, its code unseen; return (it, its upvalues to fill or None, their number)."""
        found = TorchObject("function", None)
        if index is not None:
            self.objects[index] = found
        self.stream.string()
        start = self.stream.place
        tag = self.stream.tag()
        if tag == NIL:
            return found, None, 0
        if tag != TABLE:
            self.stream.fail("the upvalues of a function are no table", start)
        index = self.stream.integer()
        if index in self.objects:
            found.contents = self.objects[index]
            return found, None, 0
        found.contents = self.objects[index] = {}
        return found, found.contents, self.stream.integer()

    def storage(self, dtype):
        """Read the length and numbers of a storage."""
        start = self.stream.place
        count = self.stream.long()
        if count < 0:
            self.stream.fail(f"a storage announces {count} entries", start)
        return Storage(self.stream.numbers(dtype, count))

    def storage_of_tensor(self, dtype, start):
        """Read the storage behind a tensor of a type, or a reference to it; return its array."""
        kind = self.stream.tag()
        if kind == NIL:
            return np.empty(0, dtype)
        found = None
        if kind == TORCH:
            index = self.stream.integer()
            found = self.objects.get(index)
            if found is None:
                name, _ = self.class_name()
                family, element = ARRAY_CLASSES.get(name, (None, None))
                if family == "Storage":
                    found = self.objects[index] = self.storage(element)
                else:
                    self.stream.fail(f"a tensor of type {dtype} has a {name} for its storage", start)
        if not isinstance(found, Storage) or found.array.dtype != dtype:
            got = (
                f"Storage of {found.array.dtype}" if isinstance(found, Storage) else _KINDS.get(kind, "table")
            )
            self.stream.fail(f"a tensor of type {dtype} has a {got} for its storage", start)
        return found.array

    def tensor(self, dtype):
        """Read a tensor: sizes, strides, 1-based offset, storage."""
        stream, start = self.stream, self.stream.place
        dimensions = stream.integer()
        if not 0 <= dimensions <= MAX_DIMENSIONS:
            stream.fail(f"a tensor announces {dimensions} dimensions", start)
        sizes, strides, offset = stream.layout(dimensions)
        if 0 in sizes and not stream.sure:
            stream.fail(f"a tensor has sizes {sizes}", start)
        offset -= 1
        values = self.storage_of_tensor(dtype, start)
        if dimensions == 0:
            return np.empty(0, dtype)
        if min(sizes) < 0 or min(strides) < 0 or offset < 0:
            stream.fail(f"a tensor has negative sizes {sizes}, strides {strides} or offset {offset}", start)
        last, steps = offset, []
        for size, stride in zip(sizes, strides):
            last += (size - 1) * stride
            steps.append(stride * dtype.itemsize)
        if last >= values.size and 0 not in sizes:
            stream.fail(f"a tensor reaches entry {last} of a storage of {values.size}", start)
        try:
            if 0 in sizes:
                return np.empty(sizes, dtype)
            # With a stride of zero a tensor may be of any size, whatever its storage is.
            self.claimed += math.prod(sizes) * dtype.itemsize
            if message := refusal(stream.path, "what its tensors hold together", self.claimed):
                stream.fail(message, start)
            return np.ndarray(sizes, dtype, values, offset * dtype.itemsize, steps)
        except ValueError as error:
            stream.fail(f"a tensor of sizes {sizes} cannot be: {error}", start)


def _number(value):
    """Return a Lua number as an int when that says the same."""
    if value.is_integer() and abs(value) < 2**53 and (value or math.copysign(1, value) > 0):
        return int(value)
    return value
