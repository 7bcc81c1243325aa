"""Results without the folders of the machine that they were measured on, fit to be passed on."""

import shlex
from pathlib import Path

from nnlite.data.moving_mnist import DRAWN
from nnlite.train.moving_mnist.experiment import MNIST
from nnlite.train.runs.loop import CHECKPOINT

_PATHS = (
    *("--data", "--sequences-file", "--train-sequences-file"),
    *("--out", "--resume", "--evaluate", "--figures", "--export"),
    *("--sintel", "--middlebury", "--camvid", "--weights"),
    *("--videos", "--test", "--splits", "--predict", "--save-flow", "--render"),
)


def portable_experiment(experiment):
    """Return the experiment with MNIST in place of its folder, and files by name alone."""
    files = {
        name: Path(experiment[name]).name if experiment[name] else None
        for name in ("sequences_file", "train_sequences_file")
    }
    return experiment | files | {"data": DRAWN if experiment["data"] == DRAWN else MNIST}


def portable_command(command):
    """Return a command line whose files and folders are named without those that they lie in.

    Checkpoints, which all have one name, are named with the run that they are of.
    """
    words, paths = [], False
    for word in shlex.split(command):
        option, equals, value = word.partition("=")
        if word.startswith("--"):
            paths = word in _PATHS
            word = f"{option}={_name(value)}" if equals and option in _PATHS else word
        elif paths:
            word = _name(word)
        words.append(word)
    return shlex.join(words)


def _name(path):
    path = Path(path)
    return str(Path(path.parent.name, CHECKPOINT)) if path.name == CHECKPOINT else path.name


def portable_result(result):
    """Return a run's result with both made portable."""
    return result | {
        "experiment": portable_experiment(result["experiment"]),
        "commands": [portable_command(command) for command in result["commands"]],
    }
