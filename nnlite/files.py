"""The one way of writing files: as a whole or not at all, and a failure names the file.

Whatever is written goes through here, so that on a full disk every command behaves alike: `CannotWrite` names
the file that failed, an earlier file of that name is still there, and no half of a new one is left.
"""

import contextlib
import functools
import glob
import io
import itertools
import os
import platform
import re
import zlib
from pathlib import Path

import numpy as np

#: Numbers of the unfinished files of this process.
_numbers = itertools.count()


class CannotWrite(OSError):
    """A file or folder could not be written: a full disk, a missing folder, no permission.

    `filename` is its path, `strerror` the system's reason. Commands end with the status 1 after it.
    """

    def __str__(self):
        return f"{self.filename} could not be written ({self.strerror})"


def exit_status(error):
    """Return the exit status of a command that an error ends: 1 where it could not write, else 2."""
    return 1 if isinstance(error, CannotWrite) else 2


@contextlib.contextmanager
def writing(path, *others):
    """Return a context in which an OSError of the system about `path` becomes a `CannotWrite` that names it.

    That is one that names no file, `path`, or one of the `others`, under which the file is written.
    """
    try:
        yield
    except (CannotWrite, FileExistsError):
        raise
    except OSError as error:
        ours = {os.fspath(name) for name in (path, *others)}
        named = {os.fspath(name) for name in (error.filename, error.filename2) if name is not None}
        if error.errno is None or (named and not named & ours):
            raise
        raise CannotWrite(error.errno, error.strerror, os.fspath(path)) from error


@contextlib.contextmanager
def replacing(path, durable=False):
    """Return, as a context, the path of a file to write beside `path`; at the end it is renamed to `path`.

    Whatever goes wrong inside, the unfinished file is removed and an earlier one at `path` stays as it is. An
    OSError of the system that names no file, or the unfinished one, becomes a `CannotWrite` of `path`.
    durable: the new file is on the disk before it takes its name, so that a crash of the machine leaves one
    of the two whole; and what processes left unfinished that were killed while writing `path` is removed.
    """
    path = Path(path)
    # Also threads, and processes of other machines or containers, may be writing `path` now.
    part = path.with_name(f".{path.name}.{os.getpid()}-{next(_numbers)}-{_system()}.part")
    try:
        with writing(path, part):
            if durable:
                remove_leftovers(path.parent, path.name)
            yield part
            if durable:
                _sync(part)
            os.replace(part, path)
            if durable:
                with contextlib.suppress(OSError):  # not every file system can sync a folder
                    _sync(path.parent)
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def write_bytes(path, content, durable=False):
    """Write a file as a whole, replacing an earlier one."""
    with replacing(path, durable) as part:
        part.write_bytes(content)


def as_text(name):
    """Return the name of a file as a line of text: what is not UTF-8 in it, or does not print, as escapes."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in os.fspath(name))


def write_text(path, text):
    """Write a text in UTF-8; characters of names that are not UTF-8 are written as escapes."""
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def write_arrays(path, arrays):
    """Write {name: array} to a .npz file."""
    image = io.BytesIO()
    np.savez(image, **arrays)
    with image.getbuffer() as content:  # an error would keep the view, which Python 3.14 warns of
        write_bytes(path, content)


def append_text(path, text):
    """Add a text to the end of a file; when that fails, the file is as it was before."""
    content, size = text.encode("utf-8", "backslashreplace"), None
    with writing(path):
        try:
            with open(path, "ab", buffering=0) as file:
                size = file.tell()
                write_all(file, content)
        except OSError:
            if size is not None:
                with contextlib.suppress(OSError):
                    os.truncate(path, size)
            raise


def make_folder(path, new=False):
    """Make a folder, and those above it, where there is none; return its path.

    new: FileExistsError where there is one already.
    """
    path = Path(path)
    with writing(path, *path.parents):
        path.mkdir(parents=True, exist_ok=not new)
    return path


@contextlib.contextmanager
def new_series(folder, name, option):
    """Return, as a context, an iterator over the paths of a new series of files in a folder.

    name: of each, with a field for its number, from 0 on, as in "flow_{:06d}.flo". The folder is made if
    needed. Where the context ends with an error, the files are removed, and a folder that was made for them.
    FileExistsError, naming the option with which to choose another folder, when there is a file of its name,
    or the folder holds such files already.
    """
    folder, such, written = Path(folder), re.sub("{.*}", "*", name), 0
    made = not folder.exists()
    if not made and not folder.is_dir():
        raise FileExistsError(f"{folder} is a file; name a folder with {option}")
    if not made and any(folder.glob(such)):
        raise FileExistsError(f"{folder} holds {such} already; name another folder with {option}")

    def paths():
        nonlocal written
        for number in itertools.count():
            written = number + 1
            yield folder / name.format(number)

    make_folder(folder)
    try:
        yield paths()
    except BaseException:
        for number in range(written):
            (folder / name.format(number)).unlink(missing_ok=True)
        if made:
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise


def write_all(file, content):
    """Write all of the bytes to a file without a buffer, which may take a part of them at a time."""
    rest = memoryview(content)
    while len(rest):
        rest = rest[file.write(rest) :]


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
