"""Finds data sets: in the folder that a command-line option names, else below the one of NNLITE_DATA."""

import os
from pathlib import Path

VARIABLE = "NNLITE_DATA"
#: How many of a folder's entries a message names.
_NAMED = 8


def data_folder(path=None, option=None):
    """Return the folder to look for data sets in, or None if none is named.

    path: the value of the command-line `option`; without it the environment variable NNLITE_DATA names the
    folder. FileNotFoundError if there is no such folder.
    """
    origin, folder = (option, path) if path else (VARIABLE, os.environ.get(VARIABLE))
    if not folder:
        return None
    if not Path(folder).is_dir():
        raise FileNotFoundError(f"{origin}: there is no folder {folder}")
    return Path(folder)


def find_data_set(title, path, option, subfolders, is_data_set, contents):
    """Return the folder of the data set called `title`, or None if it is not below the folder of NNLITE_DATA.

    path, option: as for `data_folder`; the data set must be in the folder that the option names. subfolders:
    where in that folder to look, "" being the folder itself. is_data_set: tells whether a path is the data
    set's folder. contents: what such a folder holds, for the message of the FileNotFoundError.
    """
    folder = data_folder(path, option)
    if folder is None:
        return None
    for name in subfolders:
        if is_data_set(folder / name):
            return folder / name
    if path:
        allowed = " or ".join(f"its {name}/" if name else "this folder" for name in subfolders)
        raise FileNotFoundError(
            f"{option}: no {title} in {folder}: {contents} must be in {allowed}; {found_in(folder)}"
        )
    return None


def found_in(folder):
    """Return in words what is in a folder."""
    if not Path(folder).is_dir():
        return "there is no such folder"
    entries = sorted(Path(folder).iterdir())
    names = [f"{entry.name}/" if entry.is_dir() else entry.name for entry in entries[:_NAMED]]
    more = f" and {len(entries) - _NAMED} more" if len(entries) > _NAMED else ""
    return f"found there: {', '.join(names)}{more}" if names else "it is empty"
