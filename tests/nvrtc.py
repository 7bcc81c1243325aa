"""NVIDIA's run-time compiler from PyPI, by ctypes: it compiles CUDA for any GPU on a machine without one."""

import ctypes
import importlib.util
from functools import cache
from pathlib import Path


@cache
def library():
    """Return the compiler of the wheel nvidia-cuda-nvrtc (or nvidia-cuda-nvrtc-cu12), or None."""
    spec = importlib.util.find_spec("nvidia")
    folders = spec.submodule_search_locations if spec else ()
    found = sorted(path for folder in folders for path in Path(folder).glob("*/lib/libnvrtc.so.*"))
    return ctypes.CDLL(str(found[-1])) if found else None


def compile_for(architecture, source, *options):
    """Return the machine code of a CUDA source; ValueError with the compiler's messages if there are errors.

    architecture: for instance "sm_90".
    """
    nvrtc, program = library(), ctypes.c_void_p()
    options = [option.encode() for option in (f"--gpu-architecture={architecture}", *options)]
    nvrtc.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"source.cu", 0, None, None)
    try:
        failed = nvrtc.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options))
        if failed:
            raise ValueError(_text(nvrtc.nvrtcGetProgramLogSize, nvrtc.nvrtcGetProgramLog, program).decode())
        return _text(nvrtc.nvrtcGetCUBINSize, nvrtc.nvrtcGetCUBIN, program)
    finally:
        nvrtc.nvrtcDestroyProgram(ctypes.byref(program))


def _text(get_size, get, program):
    size = ctypes.c_size_t()
    get_size(program, ctypes.byref(size))
    buffer = ctypes.create_string_buffer(size.value)
    get(program, buffer)
    return buffer.raw
