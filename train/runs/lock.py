"""One process at a time in a run folder: two that train there would overwrite each other's checkpoints."""

try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None

LOCK = ".lock"


def claim(folder):
    """Return an open file; until it is closed, or the process ends however it may, others are kept out.

    RuntimeError when the folder is claimed already. On Windows, and on file systems that have no locks,
    nobody is kept out.
    """
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
