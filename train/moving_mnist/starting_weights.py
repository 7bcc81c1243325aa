"""What a run on moving digits can start with: weights of its own architecture, and parts of others."""

from dataclasses import replace

from nnlite import backend, checkpoint, models
from nnlite.data.moving_mnist import DRAWN
from nnlite.models.matrices import full_matrices
from nnlite.train.moving_mnist.evaluation import validation_subset

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


def same_curve(settings, earlier):
    """Return whether runs with these two settings have their curves from the same test sequences."""
    return all(_tested_on(earlier, name) == _tested_on(settings, name) for name in _SAME_CURVE)


def _tested_on(settings, name):
    """Return a setting as far as the curve of a run depends on it."""
    value = getattr(settings, name)
    if name == "data":
        return value == DRAWN
    return validation_subset(value) if name == "test_sequences" else value


def as_weights_of(model, settings, saved):
    """Return a checkpoint of another architecture, or with other matrices, as one that fits this model.

    Of another architecture the parts are taken in which both are alike; an AE-fcLSTM takes convolutions of
    one with `cell` as full matrices.
    """
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


def learning_curve(log):
    """Return the errors on test sequences in the log of a run, by sequences and seconds."""
    return [
        {name: line["evaluation"][name] for name in ("bce", "bce_ahead") if name in line["evaluation"]}
        | {key: line[key] for key in ("sequences", "seconds")}
        for line in log
        if "evaluation" in line
    ]
