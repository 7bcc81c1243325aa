"""Files that libraries in C write: HDF5 and FFmpeg lose their state, or the process, when a write fails."""

import contextlib
import io
import os

from .files import replacing, write_all


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
            write_all(self._file, content)

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
