"""Checkpoints: everything needed to resume training bit by bit, in one HDF5 file, without pickle.

    checkpoint.save("run/checkpoint.h5", model, optimiser=state, position={"epoch": 3, "step": 120})
    saved = checkpoint.load("run/checkpoint.h5")
    checkpoint.load_parameters(model, saved)

In the file: attributes `format` and `version`; datasets /parameters/<path> and /buffers/<path> (paths as in
`Module.named_parameters`); /state, a JSON text of the five dicts that `save` takes, in which an array is
{"$array": name of its dataset} and a tuple {"$tuple": [...]}. Nothing in a file is ever executed. Before all
that, in what HDF5 calls the user block, stands a digest of the rest: HDF5 itself would read some damaged
files as zeros, and others forever.
"""

import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from . import backend
from .files import CannotWrite, write_bytes
from .hdf5_arrays import Refused, own_entries, read_numbers
from .limits import TooLarge
from .module import Module
from .typing import Array, File

#: Of the checkpoint in the folder of a run.
NAME = "checkpoint.h5"
FORMAT = "nnlite checkpoint"
VERSION = 1
#: The user block is BLOCK bytes: MARK, the SHA-256 of all bytes after the block in hexadecimal, and zeros.
BLOCK, MARK = 512, b"nnlite checkpoint, sha256 of what follows byte 512: "
#: The dicts that a checkpoint keeps as JSON.
_STATE = {"architecture", "optimiser", "random", "position", "metadata"}
#: The first bytes of an HDF5 file without user block.
_SIGNATURE = b"\x89HDF\r\n\x1a\n"
#: The errors that a damaged file can raise; MemoryError where a dataset claims to be larger than memory.
_DAMAGE = OSError, RuntimeError, LookupError, AttributeError, TypeError, ValueError, MemoryError


@dataclass
class Checkpoint:
    """The content of a file: the dicts that were given to `save`, and arrays by path, all in host memory."""

    path: Path
    parameters: dict[str, Array]
    buffers: dict[str, Array]
    architecture: dict[str, Any]
    optimiser: dict[str, Any]
    random: dict[str, Any]
    position: dict[str, Any]
    metadata: dict[str, Any]


def save(
    path: File,
    model: Module,
    *,
    architecture: dict[str, Any] | None = None,
    optimiser: dict[str, Any] | None = None,
    random: dict[str, Any] | None = None,
    position: dict[str, Any] | None = None,
    metadata: dict[str, Any] | None = None,
) -> None:
    """Write `model`'s parameters and buffers and the given dicts to the file `path`.

    architecture: {"name": ..., "options": {...}} to build the model from. optimiser: its state dict.
    random: {name: state of a generator}, such as `Generator.get_state()` of nnlite.random or
    `bit_generator.state` of NumPy. position: epoch, step and the like. metadata: anything else. The dicts
    hold numbers, strings, booleans, None, arrays, lists, tuples and dicts with string keys.

    The file is replaced atomically: it is written under another name in the same folder and renamed. When
    that fails (`CannotWrite`), an earlier file at `path` is still there. TypeError for a value of another
    type, naming it. FloatingPointError, naming it, for NaN or an infinity in parameters, buffers, optimiser
    or position: training cannot go on from there.
    """
    state = {
        "architecture": architecture or {},
        "optimiser": optimiser or {},
        "random": random or {},
        "position": position or {},
        "metadata": metadata or {},
    }
    _write(Path(path), model, state, lambda array: {"data": array})


def save_parameters(
    path: File,
    model: Module,
    *,
    architecture: dict[str, Any] | None = None,
    metadata: dict[str, Any] | None = None,
    half: bool = False,
) -> None:
    """Write a small file for a trained model: parameters and buffers alone, in float32, compressed.

    half: arrays of two axes or more in float16, which rounds to 11 bits; half the size.
    `load` and `load_parameters` read it like any checkpoint; it holds nothing to resume training from.
    """

    def packed(array):
        array = array.astype(np.float32) if array.dtype == np.float64 else array
        array = array.astype(np.float16) if half and array.dtype == np.float32 and array.ndim > 1 else array
        return {"data": array} | ({"compression": "gzip", "shuffle": True} if array.ndim else {})

    state = {"architecture": architecture or {}, "optimiser": {}, "random": {}, "position": {}}
    _write(Path(path), model, state | {"metadata": metadata or {}}, packed)


def load(path: File) -> Checkpoint:
    """Return the `Checkpoint` in the file `path`, or in the folder of a run.

    FileNotFoundError when there is none; ValueError when it is not a checkpoint, is damaged, was written by a
    newer version, asks for more memory than `nnlite.limits` allows, or names other files: it brings nothing
    but its own bytes.
    """
    folder = path = Path(path)
    if folder.is_dir():
        path = folder / NAME
    if not path.is_file():
        runs = sorted(found.parent.name for found in folder.glob(f"*/{NAME}"))
        several = f"; {folder} holds several runs, name one of them: {', '.join(runs)}" if runs else ""
        raise FileNotFoundError(f"there is no checkpoint {path}{several}")
    damaged = _different_bytes(path)  # outside: a file that cannot be read is not damaged
    try:
        if damaged:
            raise ValueError(damaged)
        with h5py.File(path, "r") as file:
            kind, version = file.attrs.get("format"), file.attrs.get("version")
            if (kind, version) == (FORMAT, VERSION):
                saved = _read(path, file)
    except (Refused, TooLarge):
        raise
    except _DAMAGE as error:
        raise ValueError(f"{path} is not a checkpoint, or is truncated or damaged: {error}") from error
    if (kind, version) == (FORMAT, VERSION):
        if place := _place_not_finite(vars(saved)):
            raise ValueError(f"{path} holds values that are not finite (NaN or infinite), in {place}")
        return saved
    if kind != FORMAT:
        raise ValueError(f"{path} is an HDF5 file, but not a checkpoint of nnlite")
    raise ValueError(
        f"{path} has format version {version}; this nnlite reads version {VERSION}: update nnlite"
    )


def load_parameters(model: Module, checkpoint: Checkpoint) -> None:
    """Copy the parameters and buffers of a `Checkpoint` into `model`, converted to its dtype and device.

    ValueError, before anything is copied, when a path is missing, unexpected or of another shape.

        >>> import os, tempfile
        >>> from nnlite import checkpoint
        >>> one, another = nn.Linear(3, 2), nn.Linear(3, 2)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "one.h5")
        ...     checkpoint.save(path, one, position={"step": 120})
        ...     saved = checkpoint.load(path)
        >>> checkpoint.load_parameters(another, saved)
        >>> bool((one.weight == another.weight).all()), saved.position
        (True, {'step': 120})
    """
    targets = {path: weight for path, weight, _ in model.named_parameters()}
    targets |= dict(model.named_buffers())
    values = checkpoint.parameters | checkpoint.buffers
    wrong = {
        "missing in the file": [path for path in targets if path not in values],
        "not in the model": [path for path in values if path not in targets],
        "of another shape": [
            f"{path} {values[path].shape} (model: {target.shape})"
            for path, target in targets.items()
            if path in values and values[path].shape != target.shape
        ],
    }
    if any(wrong.values()):
        differences = "; ".join(f"{what}: {_first(paths)}" for what, paths in wrong.items() if paths)
        name = checkpoint.architecture.get("name", "an unnamed model")
        raise ValueError(f"{checkpoint.path} (of {name}) does not fit this {model.name}: {differences}")
    for path, target in targets.items():
        target[...] = backend.asarray(values[path], target.dtype, backend.device_of(target))


def _place_not_finite(content):
    """Return the name of the first thing of a checkpoint that holds NaN or an infinity, or None.

    Names and options, in architecture and metadata, may hold what they like, and so may generators.
    """
    for kind in ("parameters", "buffers", "optimiser", "position"):
        if place := _not_finite(content[kind], kind):
            return place
    return None


def _not_finite(value, place):
    """Return the place below `place` of a value that is not finite, or None."""
    if isinstance(value, dict | list | tuple):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return next(filter(None, (_not_finite(entry, f"{place}/{key}") for key, entry in items)), None)
    if isinstance(value, float | np.floating):
        return None if np.isfinite(value) else place
    if backend.is_array(value) and value.dtype.kind == "f":
        return None if bool(backend.get_array_module(value).isfinite(value).all()) else place
    return None


def _first(paths):
    """Return the first few of many paths as text."""
    return ", ".join(paths[:5]) + (f" and {len(paths) - 5} more" if len(paths) > 5 else "")


def _write(path, model, state, dataset):
    """Write the file; `dataset` turns a parameter array into the arguments of `create_dataset`."""
    parameters = {name: weight for name, weight, _ in model.named_parameters()}
    if place := _place_not_finite(
        {"parameters": parameters, "buffers": dict(model.named_buffers()), **state}
    ):
        raise FloatingPointError(
            f"checkpoint {path} was not written: values in {place} are not finite (NaN or infinite); an "
            "earlier file of that name is untouched"
        )
    # HDF5 goes to memory first: a disk that is full in the middle of a write leaves the library with a
    # file that it can neither finish nor close.
    image = io.BytesIO()
    with h5py.File(image, "w", userblock_size=BLOCK) as file:
        file.attrs["format"], file.attrs["version"] = FORMAT, VERSION
        for name, weight, _ in model.named_parameters():
            file.create_dataset(f"parameters/{name}", **dataset(backend.as_numpy(weight)))
        for name, array in model.named_buffers():
            file.create_dataset(f"buffers/{name}", **dataset(backend.as_numpy(array)))
        file["state"] = json.dumps(_encode(state, file, ""))
    with image.getbuffer() as content:
        stamp = MARK + hashlib.sha256(content[BLOCK:]).hexdigest().encode()
        content[: len(stamp)] = stamp

    try:
        with image.getbuffer() as content:  # an error would keep the view; Python 3.12.1 crashed then
            write_bytes(path, content, durable=True)
    except CannotWrite as error:
        hint = (
            "an earlier file of that name is untouched; its folder must exist, be writable and have room for "
            f"{image.getbuffer().nbytes / 1e6:.1f} MB"
        )
        raise CannotWrite(error.errno, f"{error.strerror}: {hint}", error.filename) from error


def _different_bytes(path):
    """Return what tells that a file is not what was written, or None; older files have no user block."""
    with open(path, "rb") as file:
        block = file.read(BLOCK)
        if block.startswith(_SIGNATURE):
            return None
        if not block.startswith(MARK):
            return "its first bytes are not those of one"
        digest = hashlib.sha256()
        while chunk := file.read(2**20):
            digest.update(chunk)
    same = block.removeprefix(MARK).rstrip(b"\0") == digest.hexdigest().encode()
    return None if same else "its content has changed since it was written"


def _read(path, file):
    """Return the Checkpoint in an open file."""
    entries = own_entries(path, file)
    state = entries.pop("state")
    if state.shape != () or not h5py.check_string_dtype(state.dtype):
        raise ValueError("its state is not a text")
    arrays = {entry: read_numbers(path, entry, item) for entry, item in entries.items()}
    state = _decode(json.loads(state.asstr()[()]), arrays)
    if not isinstance(state, dict) or set(state) != _STATE:
        raise ValueError(f"its state must be an object of {', '.join(sorted(_STATE))}")
    for name, value in state.items():
        if not isinstance(value, dict):
            raise ValueError(f"{name} in its state must be an object, got {value!r:.50}")
    own = {kind: {} for kind in ("parameters", "buffers")}
    for entry, array in arrays.items():
        kind, _, name = entry.partition("/")
        if kind in own and name:
            own[kind][name] = array
    return Checkpoint(path, **own, **state)


def _encode(value, file, place):
    """Return `value` as JSON can hold it; arrays become datasets of `file`, named after their place."""
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str) or key in ("", ".") or "/" in key or key.startswith("$"):
                raise TypeError(f"checkpoint: {place or 'state'} has the key {key!r}; keys are plain names")
        return {key: _encode(entry, file, f"{place}/{key}") for key, entry in value.items()}
    if isinstance(value, list | tuple):
        entries = [_encode(entry, file, f"{place}/{i}") for i, entry in enumerate(value)]
        return {"$tuple": entries} if isinstance(value, tuple) else entries
    if isinstance(value, np.generic):
        return _encode(value.item(), file, place)
    if backend.is_array(value) and value.dtype.kind in "biuf":
        file.create_dataset(place, data=backend.as_numpy(value))
        return {"$array": place}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(
        f"checkpoint: {place} is a {type(value).__name__}; it can hold numbers, strings, booleans, None, "
        "arrays of numbers, lists, tuples and dicts"
    )


def _decode(value, arrays):
    """Return the value that `_encode` encoded; arrays: {name: array} of the data sets."""
    if isinstance(value, list):
        return [_decode(entry, arrays) for entry in value]
    if not isinstance(value, dict):
        return value
    if "$array" in value:
        return arrays[value["$array"].lstrip("/")]
    if "$tuple" in value:
        return tuple(_decode(entry, arrays) for entry in value["$tuple"])
    return {key: _decode(entry, arrays) for key, entry in value.items()}
