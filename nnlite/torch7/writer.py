"""Writes .t7 files; `types.py` describes the format."""

from itertools import chain
from typing import Any

import numpy as np

from ..files import write_bytes
from ..typing import File
from .types import (
    BOOLEAN,
    CHAR,
    DOUBLE,
    INT,
    LONG,
    NAMES,
    NIL,
    NUMBER,
    STRING,
    TABLE,
    TORCH,
    Key,
    Storage,
    Torch7Error,
    TorchObject,
)


def save(path: File, obj: Any, mode: str = "binary") -> None:
    """Write `obj` (`types.py` says what can be) to the file `path`; mode is "binary" or "ascii".

    Arrays of `obj` that share memory share a storage in the file too, with the strides that they have. Any
    other array is written by itself and contiguous, whatever it is a view of: some readers overlook strides.
    TypeError for what has no place in a file; Torch7Error for a number or an array that is too large.
    """
    if mode not in ("binary", "ascii"):
        raise ValueError(f"torch7.save: mode must be binary or ascii, got {mode!r}")
    writer = _Writer(mode == "ascii", _shared_owners(obj))
    try:
        _walk(obj, writer.object)
    except MemoryError as error:
        raise Torch7Error(f"torch7.save: {path}: an array does not fit into memory: {error}") from error
    write_bytes(path, b"".join(writer.chunks))


def _inside(obj):
    """Return the objects in an object, in the order of the file."""
    if isinstance(obj, dict):
        return chain.from_iterable(obj.items())
    if isinstance(obj, list | tuple):
        return chain.from_iterable(enumerate(obj, 1))
    return iter((obj.contents,)) if isinstance(obj, TorchObject) else iter(())


def _walk(obj, enter):
    """Call `enter` with an object and, where that is true, with those inside; nesting costs no stack."""
    waiting = [iter((obj,))]
    while waiting:
        for each in waiting[-1]:
            each = each.value if isinstance(each, Key) else each
            if enter(each):
                waiting.append(_inside(each))
                break
        else:
            waiting.pop()


def _shared_owners(obj):
    """Return the identities of the arrays that several arrays or storages in `obj` are views of."""
    seen, first, shared = {}, {}, set()

    def enter(each):
        if id(each) in seen or not isinstance(each, dict | list | tuple | TorchObject | np.ndarray | Storage):
            return False
        seen[id(each)] = each
        if isinstance(each, np.ndarray | Storage):
            owner = id(_owner(each if isinstance(each, np.ndarray) else each.array))
            if first.setdefault(owner, id(each)) != id(each):
                shared.add(owner)
            return False
        return True

    _walk(obj, enter)
    return shared


class _Writer:
    """Collects the bytes of objects in `chunks`; `indices` holds the index of those written, by identity."""

    def __init__(self, ascii, shared):
        self.ascii, self.shared, self.chunks = ascii, shared, []
        self.indices, self.kept, self.storages = {}, [], {}  # storages by address, size and type

    def array(self, values, dtype):
        """Write a run of numbers (see `AsciiStream.numbers`)."""
        values = np.ascontiguousarray(values, dtype)
        if not self.ascii or dtype.itemsize == 1:
            self.chunks.append(values.tobytes())
        else:
            form = "%d" if dtype.kind == "i" else "%.17g" if dtype == DOUBLE else "%.9g"
            words = [form % value for value in values.tolist()]
            if dtype.kind == "f":
                for i in np.flatnonzero(np.isnan(values) & np.signbit(values)):
                    words[i] = "-nan"
            self.chunks.append(" ".join(words).encode())
        if self.ascii and values.size:
            self.chunks.append(b"\n")

    def integer(self, value):
        self.array([value], INT)

    def string(self, text):
        data = text.encode("utf-8", "surrogateescape")
        self.integer(len(data))
        self.array(np.frombuffer(data, CHAR), CHAR)

    def object(self, obj):
        """Write any object but for what is inside a table or class; return whether that comes next."""
        if obj is None:
            self.integer(NIL)
        elif isinstance(obj, bool | np.bool_):
            self.integer(BOOLEAN)
            self.integer(int(obj))
        elif isinstance(obj, int | float | np.integer | np.floating):
            if isinstance(obj, int | np.integer) and abs(int(obj)) > 2**53:
                raise Torch7Error(f"torch7.save: {obj} is too large for a Lua number")
            self.integer(NUMBER)
            self.array([float(obj)], DOUBLE)
        elif isinstance(obj, str):
            self.integer(STRING)
            self.string(obj)
        elif isinstance(obj, dict | list | tuple):
            return self.table(obj)
        elif isinstance(obj, np.ndarray):
            self.tensor(obj)
        elif isinstance(obj, Storage):
            self.storage(obj)
        elif isinstance(obj, TorchObject) and obj.class_name != "function":
            if not isinstance(obj.contents, dict):
                raise TypeError(f"torch7.save: the contents of {obj!r} must be a dict, got {obj.contents!r}")
            return self.begin(TORCH, obj, obj.class_name, obj.version)
        else:
            raise TypeError(f"torch7.save: {obj!r} of type {type(obj).__name__} has no place in a .t7 file")
        return False

    def begin(self, kind, obj, class_name=None, version=1):
        """Write type, index and class name of an object; return False when it was written before."""
        self.integer(kind)
        known = id(obj) in self.indices
        index = self.indices.setdefault(id(obj), len(self.indices) + 1)
        self.kept.append(obj)  # so that its id is not given to another object meanwhile
        self.integer(index)
        if class_name and not known:
            self.string(f"V {version}")
            self.string(class_name)
        return not known

    def table(self, obj):
        """Write the head of a dict, or of a list, which is the table with entries 1..n."""
        if not self.begin(TABLE, obj):
            return False
        for key in obj if isinstance(obj, dict) else ():
            if not isinstance(key, int | float | str | Key | TorchObject | Storage):
                raise TypeError(
                    f"torch7.save: a table key must be a number, a string, an object or a Key, got {key!r}"
                )
        self.integer(len(obj))
        return True

    def storage(self, obj):
        """Write a `Storage`, or the one with the same memory that was written before."""
        array = obj.array
        obj = self.storages.setdefault((array.ctypes.data, array.size, array.dtype), obj)
        if self.begin(TORCH, obj, f"torch.{_type_name(array)}Storage"):
            self.array([array.size], LONG)
            self.array(array, array.dtype.newbyteorder("<"))

    def tensor(self, obj):
        """Write an array as a tensor, over the storage of what it is a view of where others are as well."""
        if obj.ndim == 0:
            raise TypeError("torch7.save: Torch7 has no 0-dimensional tensors; write a number or shape (1,)")
        if not self.begin(TORCH, obj, f"torch.{_type_name(obj)}Tensor"):
            return
        if obj.size == 0:
            self.integer(0)
            self.array([1], LONG)
            self.integer(NIL)
            return
        view, owner = self.with_owner(obj)
        self.integer(view.ndim)
        self.array(view.shape, LONG)
        self.array([stride // view.itemsize for stride in view.strides], LONG)
        self.array([(view.ctypes.data - owner.ctypes.data) // view.itemsize + 1], LONG)
        self.storage(Storage(owner.reshape(-1, order="A")))

    def with_owner(self, view):
        """Return an array and what its storage holds: all that is shared, or its own entries in order."""
        owner = _owner(view)
        plain = (
            id(owner) in self.shared
            and (owner.flags.c_contiguous or owner.flags.f_contiguous)
            and owner.dtype == view.dtype
            and all(stride >= 0 and stride % view.itemsize == 0 for stride in view.strides)
        )
        if plain:
            return view, owner
        alone = np.ascontiguousarray(view)
        self.kept.append(alone)  # so that its memory, by which storages are known, is not reused
        return alone, alone


def _owner(view):
    """Return the array that owns the memory of an array."""
    while isinstance(view.base, np.ndarray):
        view = view.base
    return view


def _type_name(array):
    """Return the element type ("Float") of an array, as Torch7 calls it."""
    if array.dtype.newbyteorder("<") not in NAMES:
        known = ", ".join(str(dtype) for dtype in NAMES)
        raise TypeError(f"torch7.save: Torch7 has no tensors of {array.dtype}; it has {known}")
    return NAMES[array.dtype.newbyteorder("<")]
