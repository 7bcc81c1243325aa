"""Writes .t7 files; `types.py` describes the format."""

import numpy as np

from ..files import replacing
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
    Storage,
    TorchObject,
)


def save(path, obj, mode="binary"):
    """Write `obj` (`types.py` says what can be) to the file `path`; mode is "binary" or "ascii".

    As in Torch7 a view writes the whole array that it is a view of, and arrays that share memory are
    written once: copy an array first to write only what it shows. TypeError for what has no place in a file.
    """
    if mode not in ("binary", "ascii"):
        raise ValueError(f"torch7.save: mode must be binary or ascii, got {mode!r}")
    writer = _Writer(mode == "ascii")
    try:
        writer.object(obj)
    except RecursionError:
        raise ValueError(f"torch7.save: {path}: objects are nested too deeply") from None
    with replacing(path) as part:
        part.write_bytes(b"".join(writer.chunks))


class _Writer:
    """Collects the bytes of objects in `chunks`; `indices` holds the index of those written, by identity."""

    def __init__(self, ascii):
        self.ascii, self.chunks = ascii, []
        self.indices, self.kept, self.storages = {}, [], {}  # storages by address, size and type

    def array(self, values, dtype):
        """Write a run of numbers (see `_Reader.array`)."""
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
        """Write any object."""
        if obj is None:
            self.integer(NIL)
        elif isinstance(obj, bool | np.bool_):
            self.integer(BOOLEAN)
            self.integer(int(obj))
        elif isinstance(obj, int | float | np.integer | np.floating):
            if isinstance(obj, int | np.integer) and abs(int(obj)) > 2**53:
                raise ValueError(f"torch7.save: {obj} is too large for a Lua number")
            self.integer(NUMBER)
            self.array([float(obj)], DOUBLE)
        elif isinstance(obj, str):
            self.integer(STRING)
            self.string(obj)
        elif isinstance(obj, dict | list | tuple):
            self.table(obj)
        elif isinstance(obj, np.ndarray):
            self.tensor(obj)
        elif isinstance(obj, Storage):
            self.storage(obj)
        elif isinstance(obj, TorchObject) and obj.class_name != "function":
            if self.begin(TORCH, obj, obj.class_name):
                self.object(obj.contents)
        else:
            raise TypeError(f"torch7.save: {obj!r} of type {type(obj).__name__} has no place in a .t7 file")

    def begin(self, kind, obj, class_name=None):
        """Write type, index and class name of an object; return False when it was written before."""
        self.integer(kind)
        known = id(obj) in self.indices
        index = self.indices.setdefault(id(obj), len(self.indices) + 1)
        self.kept.append(obj)  # so that its id is not given to another object meanwhile
        self.integer(index)
        if class_name and not known:
            self.string("V 1")
            self.string(class_name)
        return not known

    def table(self, obj):
        """Write a dict, or a list as the table with entries 1..n."""
        if self.begin(TABLE, obj):
            entries = list(obj.items()) if isinstance(obj, dict) else list(enumerate(obj, 1))
            self.integer(len(entries))
            for key, value in entries:
                if not isinstance(key, int | float | str):
                    raise TypeError(f"torch7.save: a table key must be a number or a string, got {key!r}")
                self.object(key)
                self.object(value)

    def storage(self, obj):
        """Write a `Storage`, or the one with the same memory that was written before."""
        array = obj.array
        obj = self.storages.setdefault((array.ctypes.data, array.size, array.dtype), obj)
        if self.begin(TORCH, obj, f"torch.{_type_name(array)}Storage"):
            self.array([array.size], LONG)
            self.array(array, array.dtype.newbyteorder("<"))

    def tensor(self, obj):
        """Write an array as a tensor over the storage of the array that it is a view of."""
        if obj.ndim == 0:
            raise TypeError("torch7.save: Torch7 has no 0-dimensional tensors; write a number or shape (1,)")
        if not self.begin(TORCH, obj, f"torch.{_type_name(obj)}Tensor"):
            return
        if obj.size == 0:
            self.integer(0)
            self.array([1], LONG)
            self.integer(NIL)
            return
        view, owner = _with_owner(obj)
        self.integer(view.ndim)
        self.array(view.shape, LONG)
        self.array([stride // view.itemsize for stride in view.strides], LONG)
        self.array([(view.ctypes.data - owner.ctypes.data) // view.itemsize + 1], LONG)
        self.storage(Storage(owner.reshape(-1, order="A")))


def _with_owner(view):
    """Return an array and the contiguous one that owns its memory; a copy where Torch has no such view."""
    owner = view
    while isinstance(owner.base, np.ndarray):
        owner = owner.base
    contiguous = owner.flags.c_contiguous or owner.flags.f_contiguous
    plain = (
        contiguous
        and owner.dtype == view.dtype
        and all(stride >= 0 and stride % view.itemsize == 0 for stride in view.strides)
    )
    if plain:
        return view, owner
    copy = np.ascontiguousarray(view).copy()
    return copy, copy


def _type_name(array):
    """Return the element type ("Float") of an array, as Torch7 calls it."""
    if array.dtype.newbyteorder("<") not in NAMES:
        known = ", ".join(str(dtype) for dtype in NAMES)
        raise TypeError(f"torch7.save: Torch7 has no tensors of {array.dtype}; it has {known}")
    return NAMES[array.dtype.newbyteorder("<")]
