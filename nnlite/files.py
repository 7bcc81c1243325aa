"""The one way of writing files: as a whole or not at all, and a failure names the file.

Whatever is written goes through here, so that on a full disk every command behaves alike: `CannotWrite` names
the file that failed, an earlier file of that name is still there, and no half of a new one is left.
"""

import contextlib
import glob
import io
import os
from pathlib import Path

import numpy as np


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
    except CannotWrite:
        raise
    except OSError as error:
        named = {os.fspath(name) for name in (path, *others)}
        if error.errno is None or (error.filename is not None and os.fspath(error.filename) not in named):
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
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with writing(path, part):
            if durable:
                _remove_leftovers(path)
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
    write_bytes(path, image.getbuffer())


def append_text(path, text):
    """Add a text to the end of a file; when that fails, the file is as it was before."""
    content, size = text.encode("utf-8", "backslashreplace"), None
    with writing(path):
        try:
            with open(path, "ab", buffering=0) as file:
                size = file.tell()
                _write_all(file, content)
        except OSError:
            if size is not None:
                with contextlib.suppress(OSError):
                    os.truncate(path, size)
            raise


def make_folder(path):
    """Make a folder, and those above it, where there is none; return its path."""
    path = Path(path)
    with writing(path, *path.parents):
        path.mkdir(parents=True, exist_ok=True)
    return path


@contextlib.contextmanager
def file_for_library(path):
    """Return, as a context, a `LibraryFile` that becomes the file `path` at the end, as in `replacing`.

    The end is too late for a long job: it asks `check` in between.
    """
    with replacing(path) as part, LibraryFile(part) as file:
        yield file
        file.check()


class LibraryFile(io.RawIOBase):
    """A new file at `path` for libraries in C that do not survive it when a write fails (HDF5, FFmpeg).

    They never see it fail: what could not be written stays in memory, where it is read again, and the error
    waits until `check` is called. After an error whoever uses this has to stop.
    """

    def __init__(self, path):
        super().__init__()
        self.error = None
        self._file = open(path, "w+b", buffering=0)  # no buffer, so closing writes nothing
        self._place, self._size, self._kept = 0, 0, []

    def check(self):
        """Raise the OSError of the first write that failed, if one did."""
        if self.error is not None:
            raise self.error

    def readable(self):
        """Say that it can be read."""
        return True

    def writable(self):
        """Say that it can be written."""
        return True

    def seekable(self):
        """Say that it can be searched."""
        return True

    def tell(self):
        """Return the place of the next byte."""
        return self._place

    def seek(self, offset, whence=os.SEEK_SET):
        """Go to a place."""
        self._place = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence]
        return self._place

    def truncate(self, size=None):
        """Change the size."""
        self._size = self._place if size is None else size
        self._attempt(lambda: self._file.truncate(self._size))
        return self._size

    def write(self, content):
        """Write bytes where the file stands."""
        content, place = bytes(content), self._place

        def write():
            self._file.seek(place)
            _write_all(self._file, content)

        if not self._attempt(write):
            self._kept.append((place, content))
        self._place = place + len(content)
        self._size = max(self._size, self._place)
        return len(content)

    def readinto(self, buffer):
        """Read bytes, those among them that could not be written."""
        count = max(0, min(len(buffer), self._size - self._place))
        self._file.seek(self._place)
        found = bytearray((self._file.read(count) or b"").ljust(count, b"\0"))
        for place, content in self._kept:
            first, last = max(place, self._place), min(place + len(content), self._place + count)
            if first < last:
                found[first - self._place : last - self._place] = content[first - place : last - place]
        buffer[:count] = found
        self._place += count
        return count

    def close(self):
        """Close the file."""
        if not self.closed:
            self._attempt(self._file.close)
        super().close()

    def _attempt(self, function):
        """Call the function unless a call has failed before; return whether it succeeded."""
        if self.error is None:
            try:
                function()
            except OSError as error:
                self.error = error
        return self.error is None


def _write_all(file, content):
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
