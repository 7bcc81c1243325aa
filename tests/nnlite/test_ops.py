"""The operations of each device: the right object, the same interface, and no device branches elsewhere."""

import inspect
import re
from pathlib import Path

import numpy as np
import pytest

import nnlite
from nnlite import backend
from nnlite.ops import get_ops
from nnlite.ops.cupy_ops import CupyOps
from nnlite.ops.numpy_ops import NumpyOps

PACKAGE = Path(nnlite.__file__).parent

#: Where devices may be told apart.
DEVICE_FILES = {"backend.py", "ops/__init__.py", "ops/estimates.py", "ops/numpy_ops.py", "ops/cupy_ops.py"}

#: What looks like a branch but is none: objects of Torch7 files are NumPy arrays, numbers or tables, never on
#: a GPU, and the range of a target is checked only where looking at it does not make the host wait.
ALLOWED = re.compile(r"torch7/|criterion\.py")

BRANCHES = [
    r"\bxp is (not )?np\b",
    r"\bget_array_module\([^()]*\) is (not )?np\b",
    r"\b__name__ (==|!=) \"(numpy|cupy)\"",
    r"\[\w*\.?xp\.__name__\]",
    r"\bisinstance\([\w.\[\]]+, np\.ndarray\)",
    r"\bhasattr\([\w.]+, \"get\"\)",
    r"\bdevice_of\([^()]*\) (==|!=) \"",
]

CUDA_IMPORT = re.compile(r"^\s*(?:from|import) .*\b(cublas|\w+_cuda)\b", re.MULTILINE)


def sources():
    """Return {path inside nnlite: text} of the package's own files."""
    return {str(path.relative_to(PACKAGE)): path.read_text() for path in sorted(PACKAGE.rglob("*.py"))}


def branches(text):
    """Return the device branches in a source text."""
    return [found[0] for pattern in BRANCHES for found in re.finditer(pattern, text)]


def test_numpy():
    assert type(get_ops(np.ones(1))) is type(get_ops(np)) is NumpyOps
    assert get_ops(np).xp is np and get_ops(np) is get_ops(np.ones(1))


@pytest.mark.usefixtures("library")
def test_cupy():
    xp = backend.array_module("cuda")
    assert type(get_ops(xp.ones(1))) is type(get_ops(xp)) is CupyOps
    assert get_ops(xp).xp is xp and get_ops(xp) is get_ops(xp.ones(1))
    assert type(get_ops(np.ones(1))) is NumpyOps


def test_both_have_the_same_interface():
    numpy_ops, cupy_ops = NumpyOps(), CupyOps(np)
    names = [name for name in dir(numpy_ops) if not name.startswith("_")]
    assert names == [name for name in dir(cupy_ops) if not name.startswith("_")]
    for name in names:
        ours, theirs = getattr(numpy_ops, name), getattr(cupy_ops, name)
        if callable(ours) and not isinstance(ours, np.ufunc):
            assert [*inspect.signature(ours).parameters] == [*inspect.signature(theirs).parameters], name


@pytest.mark.parametrize(
    "line",
    [
        "if xp is np:",
        "    if xp is not np: return",
        "if get_array_module(x) is not np:",
        'work if xp.__name__ == "numpy" else other',
        "limit = BLOCK_BYTES[self.xp.__name__] // row",
        "size = PIECE if isinstance(first, np.ndarray) else first.size",
        'x.get() if hasattr(x, "get") else x',
        'step = BLOCK if device_of(flat[0]) == "cpu" else flat[0].size',
    ],
)
def test_branches_are_recognised(line):
    assert branches(line)


def test_devices_are_told_apart_in_one_place():
    found = {path: branches(text) for path, text in sources().items() if branches(text)}
    assert "backend.py" in found
    elsewhere = {path for path in found if path not in DEVICE_FILES and not ALLOWED.match(path)}
    assert elsewhere == set(), found


def test_cuda_code_is_imported_by_the_operations_of_the_gpu_alone():
    importers = {path for path, text in sources().items() if CUDA_IMPORT.search(text)}
    assert importers == {"ops/cupy_ops.py", "ops/cublas.py"}  # the second imports CuPy's own `cublas`
