"""What a run on moving digits is about, in words, and without the folders of the machine that it ran on."""

from pathlib import Path

from nnlite.data.moving_mnist import DRAWN
from nnlite.train.moving_mnist.settings import Settings
from nnlite.train.report.anonymise import anonymised_command

#: The `data` of a model that learned from MNIST, wherever that was.
MNIST = "MNIST"


def describe_data(experiment):
    """Return in a few words which sequences a model learns from and is tested on."""
    slow, fast = experiment["speed"][0], experiment["speed"][-1]
    pace = f"{slow:g}" if slow == fast else f"{slow:g} to {fast:g}"
    size, digits = experiment["size"], "digits" if experiment["digits"] > 1 else "digit"
    generated = (
        f"{experiment['digits']} moving {digits} of {digits_name(experiment['data'])} in {size}x{size} at "
        f"{pace} px a frame{', grey' if experiment.get('targets') == 'grey' else ''}"
    )
    train, test = (
        Path(experiment[name]).name if experiment[name] else generated
        for name in ("train_sequences_file", "sequences_file")
    )
    return train if train == test else f"{train}, tested on {test}"


def frames_scored(experiment):
    """Return the number of the frame that is predicted from all frames seen, 11 in the paper."""
    return experiment["frames"] - experiment.get("steps_ahead", 1) + 1


def digits_name(data):
    """Return the source of the digits that a run's `data` names."""
    if data in (DRAWN, MNIST):
        return "the project's own drawing" if data == DRAWN else MNIST
    return f"MNIST in {data}"


def anonymised_result(result):
    """Return the result of a run with MNIST in place of its folder, and other files by name alone."""
    commands = [anonymised_command(line, Settings.path_flags()) for line in result["commands"]]
    return result | {"experiment": anonymised_experiment(result["experiment"]), "commands": commands}


def anonymised_experiment(experiment):
    """Return what a run was about, likewise."""
    files = {
        name: Path(experiment[name]).name if experiment[name] else None
        for name in ("sequences_file", "train_sequences_file")
    }
    files["data"] = DRAWN if experiment["data"] == DRAWN else MNIST
    return experiment | files
