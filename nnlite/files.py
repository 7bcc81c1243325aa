"""Files that appear at once and whole."""

import contextlib
import os
from pathlib import Path


@contextlib.contextmanager
def replacing(path):
    """Return, as a context, the path of a file to write beside `path`; at the end it is renamed to `path`.

    Whatever goes wrong inside, the unfinished file is removed and an earlier one at `path` stays as it is. An
    OSError of the system that names no file, or the unfinished one, is raised anew with the name of `path`.
    """
    path = Path(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        os.replace(part, path)
    except OSError as error:
        if error.errno is None or error.filename not in (None, str(part)):
            raise
        raise OSError(error.errno, f"could not be written ({error.strerror})", str(path)) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()
