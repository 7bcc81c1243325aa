"""One process at a time in a run folder: two that train there would overwrite each other's checkpoints."""

try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None

from nnlite.files import writing

LOCK = ".lock"


def lock_run(folder):
    """Return an open file; until it is closed, or the process ends, no other process can lock the folder.

    RuntimeError when the folder is locked already. On Windows, and on file systems without locks, nothing is
    locked.
    """
    with writing(folder / LOCK):
        file = open(folder / LOCK, "a")
    try:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise RuntimeError(
            f"another process is training in {folder}; wait for its end, or stop it with Ctrl-C (it saves)"
        ) from error
    except OSError:  # this file system has no locks
        pass
    return file
