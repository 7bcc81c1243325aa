"""Command lines without the folders of the machine that they ran on, fit to be passed on."""

import shlex
from pathlib import Path

from nnlite import checkpoint

#: Of a checkpoint, which in every run has this name, the folder is named too.
CHECKPOINT = checkpoint.NAME


def anonymised_command(command, path_flags):
    """Return a command line whose files and folders are named without those that they lie in.

    path_flags: the options whose values, one or more, are paths.
    """
    words, paths = [], False
    for word in shlex.split(command):
        flag, equals, value = word.partition("=")
        if word.startswith("--"):
            paths = word in path_flags
            word = f"{flag}={anonymised_path(value)}" if equals and flag in path_flags else word
        elif paths:
            word = anonymised_path(word)
        words.append(word)
    return shlex.join(words)


def anonymised_path(path):
    """Return the name of a file, and of a checkpoint the run that it is of."""
    path = Path(path)
    return str(Path(path.parent.name, CHECKPOINT)) if path.name == CHECKPOINT else path.name
