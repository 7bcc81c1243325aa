"""Trained weights to start a run on moving digits with, and the training behind them."""

from dataclasses import replace
from pathlib import Path

from nnlite import backend, checkpoint, models
from nnlite.data.moving_mnist import DRAWN
from nnlite.models.matrices import full_matrices
from nnlite.train.moving_mnist.evaluation import validation_subset
from nnlite.train.moving_mnist.settings import Settings
from nnlite.train.report import provenance
from nnlite.train.runs.experiment import kind_of, load_run, settings_of
from nnlite.train.runs.loop import read_log

#: In place of a checkpoint: the weights that come with the package.
PRETRAINED = "pretrained"
#: What two runs have to share for their curves to be of the same test sequences.
_SAME_CURVE = [
    "model",
    "size",
    "digits",
    "speed",
    "targets",
    "seen",
    "sequences_file",
    "data",
    "test_sequences",
]


def start_with(model, settings):
    """Copy the trained weights that the settings name into a model; return the training behind them.

    Of another architecture the parts are taken in which both are alike; an AE-fcLSTM takes convolutions of
    one with `cell` as full matrices. The training is what `with_earlier` takes: its commands, commits,
    machines, sequences, seconds, and its curve where that is of this architecture and of the same test
    sequences. ValueError when there are no such weights or they do not fit.
    """
    path = _path(settings)
    saved = load_run(path)
    if kind_of(saved) != "moving_mnist":
        raise ValueError(f"{path} is a checkpoint, but not one of train.moving_mnist")
    checkpoint.load_parameters(model, _as_weights_of(model, settings, saved))
    training, earlier = _training(saved), settings_of(Settings, saved)
    if any(_tested_on(earlier, name) != _tested_on(settings, name) for name in _SAME_CURVE):
        training["curve"] = []
    return training


def _path(settings):
    """Return the file that the settings name: a checkpoint, or weights that come with the package."""
    name = settings.model if settings.weights == PRETRAINED else settings.weights
    if settings.weights == PRETRAINED or (name in models.pretrained_names() and not Path(name).exists()):
        return models.pretrained_path(name)
    return Path(name)


def _tested_on(settings, name):
    """Return a setting as far as the curve of a run depends on it."""
    value = getattr(settings, name)
    if name == "data":
        return value == DRAWN
    return validation_subset(value) if name == "test_sequences" else value


def _as_weights_of(model, settings, saved):
    """Return a checkpoint of another architecture, or with other matrices, as one that fits this model."""
    name, other = settings.model, saved.architecture.get("name")
    if other != name:
        return replace(saved, parameters=_with_shared_parts(model, name, saved))
    options = saved.architecture.get("options", {})
    if options.get("cell") and not settings.model_options.get("cell"):
        return replace(saved, parameters=_with_full_matrices(saved))
    return saved


def _with_shared_parts(model, name, saved):
    """Return the weights of a model with the parts that it shares with another from a checkpoint of that."""
    other = saved.architecture.get("name")
    if not (parts := models.shared_parts(name, other)):
        raise ValueError(f"{saved.path} is of {other}, of which {name} has no part")
    own = {path: backend.as_numpy(weight) for path, weight, _ in model.named_parameters()}
    for part, source in parts.items():
        inside = {path: f"{source}{path.removeprefix(part)}" for path in own if path.startswith(f"{part}.")}
        if missing := [path for path in inside.values() if path not in saved.parameters]:
            raise ValueError(f"{saved.path} lacks {', '.join(missing)}, which {name} would start with")
        own |= {path: saved.parameters[source_path] for path, source_path in inside.items()}
    return own


def _with_full_matrices(saved):
    """Return the weights of a checkpoint of an AE-fcLSTM with cells as those of one without."""
    model = models.build(saved.architecture["name"], **saved.architecture["options"])
    checkpoint.load_parameters(model, saved)
    return full_matrices(model)


def with_earlier(result, earlier):
    """Return a run's result including the training of its initial weights, if there was any."""
    if earlier is None:
        return result
    sequences, seconds = earlier["sequences_seen"], earlier["training_seconds"]
    own = [
        point | {"sequences": sequences + point["sequences"], "seconds": seconds + point["seconds"]}
        for point in result["curve"]
    ]
    return result | {
        # Runs of one group have the same command.
        "commands": list(dict.fromkeys(earlier["commands"] + result["commands"])),
        "commits": list(dict.fromkeys(earlier["commits"] + result["commits"])),
        "machines": list(dict.fromkeys(earlier.get("machines", []) + result["machines"])),
        "sequences_seen": sequences + result["sequences_seen"],
        "training_seconds": seconds + result["training_seconds"],
        # Where one ends the other begins, with the same weights.
        "curve": [point for point in earlier["curve"] if point["sequences"] < sequences] + own,
    }


def learning_curve(log):
    """Return the errors on test sequences in the log of a run, by sequences and seconds."""
    return [
        {name: line["evaluation"][name] for name in ("bce", "bce_ahead") if name in line["evaluation"]}
        | {key: line[key] for key in ("sequences", "seconds")}
        for line in log
        if "evaluation" in line
    ]


def _training(saved):
    """Return the training behind the weights of a checkpoint."""
    metadata, position = saved.metadata, saved.position
    if "result" in metadata:  # of a finished run, packed by `export`
        kept = ("commits", "sequences_seen", "training_seconds", "curve")
        training = {name: metadata["result"][name] for name in kept}
        return training | {
            "commands": metadata["commands"],
            "machines": provenance.machines(metadata["result"]),
        }
    log = [line for line in read_log(saved.path.parent) if line["step"] <= position["step"]]
    own = {
        "commands": metadata["commands"],
        "commits": metadata["commits"],
        "machines": metadata.get("machines", []),
        "sequences_seen": position["step"] * metadata["loop"]["batch"],
        "training_seconds": position["seconds"],
        "curve": learning_curve(log),
    }
    return with_earlier(own, metadata.get("earlier"))
