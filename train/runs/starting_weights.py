"""Trained weights to start a run with, and the training behind them."""

from nnlite import checkpoint
from nnlite.train.report import provenance
from nnlite.train.runs.experiment import load_checkpoint, settings_of
from nnlite.train.runs.log import read_log


def start_with(experiment, model, where):
    """Copy trained weights into a new model; return as metadata the training behind them.

    where: see `load_checkpoint`. The training is what `with_earlier` takes: its commands, commits, machines,
    sequences, seconds, and its curve where that goes on in the run's. ValueError when there are no such
    weights or they do not fit.
    """
    saved = load_checkpoint(type(experiment), where)
    checkpoint.load_parameters(model, experiment.weights_from(saved, model))
    training = training_of(experiment, saved)
    if not experiment.continues_curve(settings_of(experiment.settings_type, saved)):
        training["curve"] = []
    return {"earlier": training}


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


def training_of(experiment, saved):
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
        "curve": experiment.curve(log),
    }
    return with_earlier(own, metadata.get("earlier"))
