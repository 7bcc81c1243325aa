"""What to say when memory runs out, and before any work where a run cannot fit."""

import math
import os

import nnlite as nn
from nnlite import backend

#: Bytes of a number of the frames.
FLOAT = 4


def check_batch(experiment, device):
    """Raise ValueError unless the frames of a batch and their predictions, the least of it, would fit."""
    shape = frames, batch, _, height, width = experiment.batch_shape
    what = f"a batch of {batch} {experiment.unit} of {frames} frames of {height}x{width}"
    _require(2 * FLOAT * math.prod(shape), device, what, experiment.settings.memory_flags())


def check_order(experiment):
    """Raise ValueError unless the order of the training sequences fits in the memory of the host."""
    flags = "--train-sequences or --sequences"
    _require(8 * experiment.epoch, "cpu", f"the order of {experiment.epoch} {experiment.unit}", flags)


def _require(needed, device, what, flags):
    """Raise ValueError, naming what and the options that make it less, unless a device has these bytes."""
    total = total_memory(device)
    if total is not None and needed > total:
        raise ValueError(
            f"{what} takes at least {_size(needed)} of memory, and the {device} has {_size(total)}: make it "
            f"smaller with {flags}"
        )


def total_memory(device):
    """Return the bytes of memory that a device has, or None where the system does not tell."""
    if device != "cpu":
        return backend.array_module(device).cuda.runtime.memGetInfo()[1]
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not on Windows
        return None
    try:
        with open("/sys/fs/cgroup/memory.max") as file:  # a container may have less
            return min(total, int(file.read()))
    except (OSError, ValueError):  # there is no such limit
        return total


def describe_shortage(error, flags):
    """Return what a MemoryError, of NumPy or CuPy, should say: how much, for what, and the way out."""
    asked = str(error).rstrip(".") or "no more could be allocated"
    return f"out of memory ({asked}) {_place(error.__traceback__)}: make it smaller with {flags}"


def _place(traceback):
    """Return in words where an error was raised: the innermost module, else the innermost function."""
    place = ""
    module = None
    while traceback is not None:
        frame = traceback.tb_frame
        here = frame.f_locals.get("self")
        module = here if isinstance(here, nn.Module) else module
        if frame.f_globals.get("__name__", "").startswith("nnlite."):
            place = f"in {frame.f_globals['__name__']}.{frame.f_code.co_name}"
        traceback = traceback.tb_next
    return place if module is None else f"in {module.name}"


def _size(count):
    """Return a number of bytes in words."""
    return f"{count / 2**30:,.1f} GiB" if count >= 2**30 else f"{count / 2**20:,.1f} MiB"
