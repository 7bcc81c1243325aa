"""`ElementwiseKernel` by the host's C++ compiler, with the loop and declarations that CuPy puts around it."""

import ctypes
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from . import streams
from .array import host, ndarray

C_TYPES = {np.dtype(np.float32): "float", np.dtype(np.float64): "double", np.dtype(np.int32): "int"}
#: The most axes of a raw array.
AXES = 8

# As in CuPy a parameter is declared inside the loop, as a reference to its element.
SOURCE = """
#include <cmath>
#include <cstddef>
using std::exp; using std::sqrt; using std::tanh;
{typedefs}
// A whole array, indexed in C order whatever its strides; what lies outside is counted and not read.
template <typename T> struct Raw {{
    char *data; const std::ptrdiff_t *form; std::ptrdiff_t &outside;  // form: ndim, shape, strides
    T &operator[](std::ptrdiff_t index) const {{
        std::ptrdiff_t at = 0;
        const std::ptrdiff_t *shape = form + 1, *strides = form + 1 + {axes};
        bool missed = index < 0;
        for (std::ptrdiff_t axis = form[0] - 1; axis >= 0; axis--) {{
            at += index % shape[axis] * strides[axis];
            index /= shape[axis];
        }}
        missed = missed || index > 0;
        outside += missed;
        return *(T *)(data + (missed ? 0 : at));
    }}
}};
extern "C" std::ptrdiff_t kernel(
    std::ptrdiff_t size, int ndim, const std::ptrdiff_t *_shape, char **_data, const std::ptrdiff_t *_strides,
    const std::ptrdiff_t *_forms)
{{
    std::ptrdiff_t _outside = 0;
    for (std::ptrdiff_t i = 0; i < size; ++i) {{
        std::ptrdiff_t _at[{count}] = {{}}, _rest = i;
        for (int _axis = ndim - 1; _axis >= 0; _axis--) {{
            for (int _k = 0; _k < {count}; _k++)
                _at[_k] += _rest % _shape[_axis] * _strides[_k * ndim + _axis];
            _rest /= _shape[_axis];
        }}
        {declarations}
        {operation};
    }}
    return _outside;
}}
"""


class ElementwiseKernel:
    """A kernel over the broadcast elements of its arguments; a parameter is a type and a name, as "T x".

    A type is a letter, which stands for the dtype of the arrays that have it, or "int32". With "raw" before
    it the whole array is handed over, to be indexed.
    """

    def __init__(self, in_params, out_params, operation, name="kernel"):
        params = [param.split() for param in f"{in_params},{out_params}".split(",")]
        self.types, self.names = zip(*(param[-2:] for param in params))
        self.raw = tuple(param[0] == "raw" for param in params)
        self.n_in, self.operation, self.name = len(in_params.split(",")), operation, name
        for taken in self.names:
            if taken in ("i", "n") or taken.startswith("_"):
                raise ValueError(f"Can not use '{taken}' as a parameter name")

    def __call__(self, *args):
        if len(args) != len(self.names):  # CuPy also makes outputs that are not given; nnlite gives them
            raise TypeError(f"Wrong number of arguments for {self.name!r}")
        for output in args[self.n_in :]:
            if not isinstance(output, ndarray):
                raise TypeError("Output arguments type must be cupy.ndarray")
        dtypes = self._dtypes(args)
        elements = [arg for arg, raw in zip(args, self.raw) if isinstance(arg, ndarray) and not raw]
        shape = np.broadcast_shapes(*(arg.shape for arg in elements))
        if any(output.shape != shape for output in args[self.n_in :]):
            raise ValueError("Out shape is mismatched")
        # A scalar takes the type that its parameter has by the arrays.
        values = [
            arg._host if isinstance(arg, ndarray) else dtypes[t].type(host(arg))
            for arg, t in zip(args, self.types)
        ]
        streams.write(_run, _compiled(self._source(dtypes)), shape, self.raw, *values)

    def _dtypes(self, args):
        """Return the dtype that each type letter stands for; TypeError where two arrays disagree."""
        dtypes = {"int32": np.dtype(np.int32)} if "int32" in self.types else {}
        for arg, kind in zip(args, self.types):
            if isinstance(arg, ndarray) and dtypes.setdefault(kind, arg.dtype) != arg.dtype:
                raise TypeError(f"Type is mismatched. {kind} {arg.dtype} {dtypes[kind]}")
        return dtypes

    def _source(self, dtypes):
        typedefs = [f"typedef {C_TYPES[dtype]} {kind};" for kind, dtype in dtypes.items()]
        declarations = []
        for k, (kind, name) in enumerate(zip(self.types, self.names)):
            const = "const " if k < self.n_in else ""
            if self.raw[k]:
                form = f"_forms + {k * (1 + 2 * AXES)}"
                declarations.append(f"const Raw<{const}{kind}> {name}{{_data[{k}], {form}, _outside}};")
            else:
                declarations.append(f"{const}{kind} &{name} = *({const}{kind} *)(_data[{k}] + _at[{k}]);")
        return SOURCE.format(
            typedefs="\n".join(typedefs),
            declarations="\n        ".join(declarations),
            count=len(self.names),
            axes=AXES,
            operation=self.operation,
        )


def _run(kernel, shape, raw, *values):
    """Run a compiled kernel on arrays and scalars, broadcast to a shape but for the raw ones.

    IndexError when it has indexed a raw array outside.
    """
    values = [np.asarray(value) for value in values]
    arrays = [x if whole else np.broadcast_to(x, shape) for x, whole in zip(values, raw)]
    strides = np.array([(0,) * len(shape) if whole else x.strides for x, whole in zip(arrays, raw)], np.int64)
    addresses = np.array([array.__array_interface__["data"][0] for array in arrays], np.uint64)
    forms = np.zeros((len(arrays), 1 + 2 * AXES), np.int64)
    for form, array in zip(forms, arrays):
        form[0] = array.ndim
        form[1 : 1 + array.ndim] = array.shape
        form[1 + AXES : 1 + AXES + array.ndim] = array.strides
    outside = kernel(
        ctypes.c_ssize_t(int(np.prod(shape))),
        ctypes.c_int(len(shape)),
        *(ctypes.c_void_p(x.ctypes.data) for x in (np.array(shape, np.int64), addresses, strides, forms)),
    )
    if outside:
        raise IndexError(f"a kernel indexed its raw arrays {outside} times outside")


@cache
def _compiled(source):
    """Return the function in a C++ source; the test is skipped where there is no compiler."""
    compiler = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("no C++ compiler to compile the kernels with")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kernel"
        path.with_suffix(".cc").write_text(source)
        command = [
            compiler,
            "-O1",
            "-shared",
            "-fPIC",
            "-o",
            path.with_suffix(".so"),
            path.with_suffix(".cc"),
        ]
        subprocess.run(command, check=True)
        function = ctypes.CDLL(str(path.with_suffix(".so"))).kernel
        function.restype = ctypes.c_ssize_t
        return function
