"""Atomic file replacement."""

import contextlib
import functools
import glob
import itertools
import os
import platform
import zlib
from pathlib import Path

#: Numbers of the unfinished files of this process.
_numbers = itertools.count()


@contextlib.contextmanager
def replacing(path, durable=False):
    """Return, as a context, the path of a file to write beside `path`; at the end it is renamed to `path`.

    Whatever goes wrong inside, the unfinished file is removed and an earlier one at `path` stays as it is. An
    OSError of the system that names no file, or the unfinished one, is raised anew with the name of `path`.
    durable: the new file is on the disk before it takes its name, so that a crash of the machine leaves one
    of the two whole; and what processes left unfinished that were killed while writing `path` is removed.
    """
    path = Path(path)
    # Also threads, and processes of other machines or containers, may be writing `path` now.
    part = path.with_name(f".{path.name}.{os.getpid()}-{next(_numbers)}-{_system()}.part")
    try:
        if durable:
            remove_leftovers(path.parent, path.name)
        yield part
        if durable:
            _sync(part)
        os.replace(part, path)
        if durable:
            with contextlib.suppress(OSError):  # not every file system can sync a folder
                _sync(path.parent)
    except OSError as error:
        if error.errno is None or error.filename not in (None, str(part)):
            raise
        raise OSError(error.errno, f"could not be written ({error.strerror})", str(path)) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def _sync(path):
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_leftovers(folder, name=None):
    """Remove the unfinished files of processes that run no longer, in a folder and those below it.

    name: that of the one file that they were writing, in this folder alone.
    """
    folder = Path(folder)
    own = folder.glob(f".{glob.escape(name)}.*.part") if name else folder.rglob(".*.*.part")
    for leftover in own:
        process, *rest = leftover.name.split(".")[-2].split("-")
        if rest and rest[-1] != _system():  # whose processes cannot be asked for
            continue
        try:
            os.kill(int(process), 0)  # signal 0 only asks
        except ProcessLookupError:
            leftover.unlink(missing_ok=True)
        except (ValueError, OverflowError, OSError):  # another kind of name, or a process of another user
            continue


@functools.cache
def _system():
    """Return a mark of what process numbers are valid in: this machine, and on Linux this container."""
    try:
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:
        namespace = ""
    return f"{zlib.crc32((platform.node() + namespace).encode()):08x}"
