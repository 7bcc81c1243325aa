"""Atomic file replacement."""

import contextlib
import glob
import os
from pathlib import Path


@contextlib.contextmanager
def replacing(path, durable=False):
    """Return, as a context, the path of a file to write beside `path`; at the end it is renamed to `path`.

    Whatever goes wrong inside, the unfinished file is removed and an earlier one at `path` stays as it is. An
    OSError of the system that names no file, or the unfinished one, is raised anew with the name of `path`.
    durable: the new file is on the disk before it takes its name, so that a crash of the machine leaves one
    of the two whole; and what processes left unfinished that were killed while writing `path` is removed.
    """
    path = Path(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        if durable:
            _remove_leftovers(path)
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


def _remove_leftovers(path):
    """Remove the unfinished files of processes that no longer run."""
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        process = leftover.name.rsplit(".", 2)[1]
        try:
            os.kill(int(process), 0)  # signal 0 only asks
        except ProcessLookupError:
            leftover.unlink(missing_ok=True)
        except (ValueError, OSError):  # another kind of name, or the process of another user
            continue
