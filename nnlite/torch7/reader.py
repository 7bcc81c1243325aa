"""Reads .t7 files; `types.py` describes the format."""

import math
import mmap

import numpy as np

from .types import (
    BOOLEAN,
    CHAR,
    DOUBLE,
    DTYPES,
    FUNCTION,
    INDEXED,
    INT,
    LONG,
    MAX_DIMENSIONS,
    NIL,
    NUMBER,
    RECURSIVE_FUNCTION,
    STRING,
    TABLE,
    TORCH,
    Storage,
    TorchObject,
)


def load(path, mode="auto"):
    """Return the object in the .t7 file `path`; mode is "binary", "ascii" or "auto" (look and see).

    Tensors saved on a GPU (torch.CudaTensor) are read as ordinary ones. ValueError for a file that is
    damaged, truncated or not a .t7 file.
    """
    if mode not in ("auto", "binary", "ascii"):
        raise ValueError(f"torch7.load: mode must be auto, binary or ascii, got {mode!r}")
    with open(path, "rb") as file:
        if not file.read(1):
            raise ValueError(f"{path}: the file is empty")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            reader = _Reader(path, data, mode == "ascii" or (mode == "auto" and data[0] > RECURSIVE_FUNCTION))
            try:
                return reader.object()
            except RecursionError:
                reader.fail("objects are nested too deeply", reader.place)


class _Reader:
    """Reads objects one after the other from the bytes `data`; `objects` holds those seen, by index."""

    def __init__(self, path, data, ascii):
        self.path, self.data, self.ascii = path, data, ascii
        self.place, self.objects = 0, {}

    def fail(self, message, place):
        mode = "ascii" if self.ascii else "binary"
        raise ValueError(f"{self.path}: {message}, at byte {place} (read as {mode})")

    def array(self, dtype, count):
        """Read a run of `count` numbers: packed, or as text on a line (in ascii mode, wider than a byte)."""
        start, packed = self.place, not self.ascii or dtype.itemsize == 1
        left = len(self.data) - start
        if not 0 <= count * (dtype.itemsize if packed else 2) <= left:
            self.fail(f"{count} numbers of type {dtype} do not fit in the {left} bytes that are left", start)
        if count == 0:
            return np.empty(0, dtype)
        if packed:
            values = np.frombuffer(self.data, dtype, count, start).copy()
            self.place += values.nbytes
            if self.ascii:
                self.place += self.data[self.place : self.place + 1] == b"\n"
            return values
        limit = min(start + 64 * count, len(self.data))
        end = self.data.find(b"\n", start, limit)
        if end < 0:  # without it the last number may be the beginning of a longer one
            self.fail(f"{count} numbers without the end of their line", start)
        self.place = end + 1
        words = self.data[start:end].split()
        if len(words) != count:
            self.fail(f"expected {count} numbers on a line, found {len(words)}", start)
        try:
            with np.errstate(over="ignore"):
                return np.array(words).astype(dtype)
        except (ValueError, OverflowError) as error:
            self.fail(f"expected numbers of type {dtype}: {error}", start)

    def integer(self):
        return int(self.array(INT, 1)[0])

    def string(self):
        return self.array(CHAR, self.integer()).tobytes().decode("utf-8", "surrogateescape")

    def object(self):
        """Read any object."""
        start = self.place
        kind = self.integer()
        if kind == NIL:
            return None
        if kind == NUMBER:
            return _number(float(self.array(DOUBLE, 1)[0]))
        if kind == STRING:
            return self.string()
        if kind == BOOLEAN:
            return self.integer() != 0
        if kind == FUNCTION:
            self.string()
            return TorchObject("function", self.object())
        if kind not in INDEXED:
            self.fail(f"{kind} is no type of object", start)
        index = self.integer()
        if index in self.objects:
            return self.objects[index]
        if kind == TABLE:
            return self.table(index)
        if kind == TORCH:
            return self.torch_object(index)
        self.string()
        function = self.objects[index] = TorchObject("function", None)
        function.contents = self.object()
        return function

    def table(self, index):
        """Read the entries of a table."""
        table = self.objects[index] = {}
        start = self.place
        count = self.integer()
        if count < 0:
            self.fail(f"a table announces {count} entries", start)
        for _ in range(count):
            start = self.place
            key = self.object()
            if not isinstance(key, int | float | str):
                self.fail(
                    f"a table key is a {type(key).__name__}; only numbers, strings, booleans can be", start
                )
            if key in table:
                self.fail(f"the table key {key!r} occurs twice (1 and true are one in Python)", start)
            table[key] = self.object()
        return table

    def torch_object(self, index):
        """Read an instance of a class: a tensor, a storage or any other."""
        name = self.string()
        if name.startswith("V ") and name[2:].isdigit():
            name = self.string()
        dtype, family = _torch_type(name)
        if family == "Tensor":
            self.objects[index] = self.tensor(dtype)
        elif family == "Storage":
            start = self.place
            count = int(self.array(LONG, 1)[0])
            if count < 0:
                self.fail(f"a storage announces {count} entries", start)
            self.objects[index] = Storage(self.array(dtype, count))
        else:
            found = self.objects[index] = TorchObject(name, None)
            found.contents = self.object()
        return self.objects[index]

    def tensor(self, dtype):
        """Read a tensor: sizes, strides, 1-based offset, storage."""
        start = self.place
        dimensions = self.integer()
        if not 0 <= dimensions <= MAX_DIMENSIONS:
            self.fail(f"a tensor announces {dimensions} dimensions", start)
        sizes = self.array(LONG, dimensions).tolist()
        strides = self.array(LONG, dimensions).tolist()
        offset = int(self.array(LONG, 1)[0]) - 1
        storage = self.object()
        if dimensions == 0:
            return np.empty(0, dtype)
        values = np.empty(0, dtype) if storage is None else getattr(storage, "array", None)
        if values is None or values.dtype != dtype:
            got = type(storage).__name__ if values is None else f"Storage of {values.dtype}"
            self.fail(f"a tensor of type {dtype} has a {got} for its storage", start)
        if min(sizes) < 0 or min(strides) < 0 or offset < 0:
            self.fail(f"a tensor has negative sizes {sizes}, strides {strides} or offset {offset}", start)
        last = offset + sum((size - 1) * stride for size, stride in zip(sizes, strides))
        if math.prod(sizes) and last >= values.size:
            self.fail(f"a tensor reaches entry {last} of a storage of {values.size}", start)
        try:
            if not math.prod(sizes):
                return np.empty(sizes, dtype)
            steps = [stride * dtype.itemsize for stride in strides]
            return np.ndarray(sizes, dtype, values, offset * dtype.itemsize, steps)
        except ValueError as error:
            self.fail(f"a tensor of sizes {sizes} cannot be: {error}", start)


def _number(value):
    """Return a Lua number as an int when that says the same."""
    exact = value.is_integer() and abs(value) < 2**53 and not (value == 0 and math.copysign(1, value) < 0)
    return int(value) if exact else value


def _torch_type(name):
    """Return (dtype, "Tensor" or "Storage") of a class such as torch.FloatTensor, else (None, None)."""
    for family in ("Tensor", "Storage"):
        if name.startswith("torch.") and name.endswith(family):
            element = name.removeprefix("torch.").removesuffix(family)
            if element.startswith("Cuda"):
                element = element.removeprefix("Cuda") or "Float"
            if element in DTYPES:
                return DTYPES[element], family
    return None, None
