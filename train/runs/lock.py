"""One process at a time in a run folder: two that train there would overwrite each other's checkpoints."""

import contextlib
import itertools
import os
from datetime import datetime
from pathlib import Path

from nnlite.files import make_folder, remove_leftovers, writing
from nnlite.train.runs import processes

try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None

LOCK = ".lock"


def lock_run(folder):
    """Return an open file; until it is closed, or the process ends, no other process can lock the folder.

    What processes that were killed left unfinished in the folder is removed. RuntimeError when the folder is
    locked already. On Windows, and on file systems without locks, nothing is locked. Of several processes
    that train together the leader locks it for all.
    """
    return processes.current().leader_does(lambda: _lock(folder)) or open(os.devnull)


def _lock(folder):
    with writing(folder / LOCK):
        file = open(folder / LOCK, "a")
    try:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not _is_there(file, folder / LOCK):  # removed by a run that never began, after it was opened
                file.close()
                return _lock(folder)
    except BlockingIOError as error:
        file.close()
        raise RuntimeError(
            f"another process is training in {folder}; wait for its end, or stop it with Ctrl-C (it saves)"
        ) from error
    except OSError:  # this file system has no locks
        pass
    remove_leftovers(folder)
    return file


@contextlib.contextmanager
def new_run_folder(out, name):
    """Return, as a context, the folder of a new run and its lock, held before anything is read or written.

    out: the folder; if None it is one below runs/ of its own. Where the context ends with an error the lock
    is released, and a folder that was made for it is removed, unless there is something in it.
    """
    group = processes.current()

    def begin():
        made = out is None or not Path(out).exists()
        return make_folder(new_folder(name) if out is None else Path(out)), made

    folder, made = group.from_leader(begin)
    lock = lock_run(folder)
    try:
        yield folder, lock
    except BaseException:
        if made and group.leader:
            with contextlib.suppress(OSError):
                (folder / LOCK).unlink()
                folder.rmdir()
        lock.close()
        raise


def refuse_another(folder, *names):
    """Raise FileExistsError where a folder holds one of these files, of a run or of a group of runs."""
    if any((folder / name).exists() for name in names):
        raise FileExistsError(f"{folder} holds a run already; --resume it, or choose another --out")


def new_folder(name):
    """Make and return a folder below runs/ that no other process has, named after `name` and the time."""
    stem = f"runs/{name}-{datetime.now():%Y%m%d-%H%M%S}"
    for number in itertools.count(1):
        folder = Path(stem if number == 1 else f"{stem}-{number}")
        with contextlib.suppress(FileExistsError):
            return make_folder(folder, new=True)


def _is_there(file, path):
    """Return whether an open file is still the one of this name."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False
