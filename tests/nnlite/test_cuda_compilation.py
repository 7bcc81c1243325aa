"""Every CUDA source compiled for three generations of GPUs, and every CuPy name looked up; no GPU is needed.

Both need CuPy itself, which can be imported without a driver: pip install -e '.[gpu-check]'.
"""

import ast
import re
from functools import cache, reduce
from pathlib import Path

import numpy as np
import pytest

from nnlite.ops import gates_cuda, tiles_cuda, updates_cuda
from tests import nvrtc
from tests.test_architecture import MODULES

cupy = pytest.importorskip("cupy")

SOURCES = gates_cuda, tiles_cuda, updates_cuda
#: A100, H100 and H200, B200.
ARCHITECTURES = "sm_80", "sm_90", "sm_100"
#: What makes a kernel of our own source.
KERNELS = re.compile(r"\b(?:ElementwiseKernel|ReductionKernel|RawKernel|RawModule)\(")
#: CuPy's own numbers for the kinds of a kernel's arguments, and the headers that it puts before each kernel.
NDARRAY, INDEXER, SCALAR = 1, 2, 3
HEADERS = "cupy/complex.cuh", "cupy/carray.cuh", "cupy/atomics.cuh", "cupy/math_constants.h"


def kernels():
    return [kernel for module in SOURCES for kernel in module._kernels.__wrapped__()]


def cuda_source(kernel, dtype, contiguous):
    """Return the CUDA source that CuPy makes of an ElementwiseKernel for arrays of `dtype`."""
    from cupy._core import _kernel

    params = kernel.params[:-1]  # the last one is the index
    dtypes = [param.dtype or np.dtype(dtype) for param in params]
    *_, letters = kernel._decide_params_type(tuple(dtypes[: kernel.nin]), tuple(dtypes[kernel.nin :]))
    arguments = [
        _kernel._ArgInfo(SCALAR, int, kind.type, 0, True, True)
        if param.dtype
        else _kernel._ArgInfo(NDARRAY, cupy.ndarray, kind.type, 3, contiguous, True)
        for param, kind in zip(params, dtypes)
    ]
    arguments.append(_kernel._ArgInfo(INDEXER, object, None, 3, False, True))
    code = _kernel._get_elementwise_kernel_code(
        tuple(arguments), letters, kernel.params, kernel.operation, kernel.name, kernel.preamble
    )
    return code.replace(kernel.name, f"{kernel.name}_{dtype}_{contiguous}")


def compile_all(architecture, sources):
    folder = Path(cupy.__file__).parent / "_core" / "include"
    parts = ("", "cupy/_cccl/libcudacxx", "cupy/_cccl/cub", "cupy/_cccl/thrust")
    includes = [f"-I{folder / part}" for part in parts]
    # Each source has the types that its letters stand for.
    spaces = [f"namespace space_{k} {{\n{source}\n}}" for k, source in enumerate(sources)]
    headers = [f"#include <{header}>" for header in HEADERS]
    return nvrtc.compile_for(architecture, "\n".join([*headers, *spaces]), "-std=c++17", *includes)


def test_no_source_is_left_out():
    found = {path for path in MODULES.values() if KERNELS.search(path.read_text(encoding="utf-8"))}
    assert found == {Path(module.__file__) for module in SOURCES}
    count = sum(len(KERNELS.findall(path.read_text(encoding="utf-8"))) for path in found)
    assert count == len(kernels()) >= 6


@pytest.mark.skipif(nvrtc.library() is None, reason="nvidia-cuda-nvrtc is not installed")
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_all_sources_compile(architecture):
    sources = [
        cuda_source(kernel, dtype, contiguous)
        for kernel in kernels()
        for dtype, contiguous in (("float32", True), ("float32", False), ("float64", False))
    ]
    code = compile_all(architecture, sources)
    assert code.startswith(b"\x7fELF")
    for kernel in kernels():
        assert f"{kernel.name}_float64_False".encode() in code


@pytest.mark.skipif(nvrtc.library() is None, reason="nvidia-cuda-nvrtc is not installed")
def test_an_error_is_found():
    kernel = cupy.ElementwiseKernel("T x", "T y", "y = x + missing", "nnlite_broken")
    with pytest.raises(ValueError, match='identifier "missing" is undefined'):
        compile_all("sm_90", [cuda_source(kernel, "float32", True)])


# ---- names -------------------------------------------------------------------------------------------------


def names_used(source):
    """Return the dotted names that a source looks up in the array library: `cupy`, `xp` or what gives it."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        names = []
        while isinstance(node, ast.Attribute) and node.attr != "xp":
            names.append(node.attr)
            node = node.value
        called = getattr(node, "func", None)  # of get_array_module(x), or backend.array_module("cuda")
        last = node if called is None else called
        base = getattr(last, "attr", getattr(last, "id", None))
        library = {"cupy", "xp"} if called is None else {"get_array_module", "array_module"}
        if names and base in library:
            found.add(".".join(reversed(names)))
    return found


@cache
def used():
    return set().union(*(names_used(path.read_text(encoding="utf-8")) for path in MODULES.values()))


def test_names_are_found():
    source = "xp.a.b(xp); self.xp.c; cupy.cuda.d().j; get_array_module(x[0]).e.f; y.g; a.array_module('h').i"
    assert names_used(source) == {"a.b", "a", "c", "cuda.d", "cuda", "e.f", "e", "i"}
    assert {"ElementwiseKernel", "cuda.runtime.getDeviceCount", "lib.stride_tricks.as_strided"} <= used()


def test_cupy_has_every_name():
    missing = []
    for name in used():
        try:
            reduce(getattr, name.split("."), cupy)
        except AttributeError:
            missing.append(name)
    assert not missing
