"""What a run on moving digits is about, new or from a checkpoint: its data, its model, and its score."""

from pathlib import Path

from nnlite.data.mnist import find_mnist
from nnlite.data.moving_mnist import DRAWN, MovingMNIST, load_digits
from nnlite.data.moving_mnist_files import SequenceFile
from nnlite.train import evaluation, report

import nnlite as nn
from nnlite import backend, checkpoint, models

#: Settings that say what is learned from what, kept in the checkpoint; those of `LoopOptions` say how.
EXPERIMENT = (
    *("model", "model_options", "data", "sequences_file", "train_sequences_file", "size", "digits", "speed"),
    *("frames", "train_sequences", "test_sequences", "seed"),
)
#: Test sequences scored now and then during training, for the curves, at most. Nothing is chosen by them.
WATCHED = 100
#: The `data` of a model that learned from MNIST, wherever that was.
MNIST = "MNIST"


def load_checkpoint(path, settings):
    """Return a checkpoint of a run; `settings` may say where its digits are now and what to test on.

    Training goes on with the kind of digits that it began with; a trained model may be tried on the other.
    """
    saved = checkpoint.load(path)
    if not {"experiment", "loop", "commands"} <= set(saved.metadata):
        raise ValueError(f"{path} is a checkpoint, but not one of train.moving_mnist")
    experiment = saved.metadata["experiment"]
    asked = settings.get("data", experiment["data"])
    if "resume" in settings and (asked == DRAWN) != (experiment["data"] == DRAWN):
        raise ValueError(
            f"the model of {path} learned from {digits_name(experiment)}; --data {asked} differs"
        )
    if asked == MNIST and not (asked := find_mnist()):
        raise FileNotFoundError(
            f"the model of {path} learned from MNIST: name the folder of its idx files with --data or "
            "NNLITE_DATA, or try it on other digits with --data drawn"
        )
    files = {name: experiment.get(name) for name in ("sequences_file", "train_sequences_file")}
    experiment |= files | {"data": str(asked)}
    if "result" in saved.metadata:  # its curve stays that of the training
        saved.metadata["result"].setdefault("watched", watched(experiment))
    experiment |= {n: settings[n] for n in ("sequences_file", "test_sequences") if n in settings}
    return saved


def load_trained(path, settings):
    """Return the model in the checkpoint of a run, with its weights, and the checkpoint."""
    saved = load_checkpoint(path, settings)
    model = build_model(saved.metadata["experiment"], backend.resolve_device(settings.get("device", "auto")))
    checkpoint.load_parameters(model, saved)
    return model, saved


def load_data(experiment):
    """Return training and test sequences; notes in `experiment` where their digits come from.

    The seed changes the training sequences only, so that all runs are scored on the same test set.
    """
    size, frames = experiment["size"], experiment["frames"]
    train_digits, test_digits, experiment["data"] = load_digits(experiment["data"])
    form = {"size": (size, size), "n_frames": frames, "n_digits": experiment["digits"]}
    form["speed"] = experiment["speed"][0], experiment["speed"][-1]

    def recorded(setting, count):
        data = SequenceFile(experiment[setting], frames)
        if data.size != (size, size):
            raise ValueError(
                f"{data.path} has frames of {data.size[0]}x{data.size[1]}, the model takes {size}x{size}"
            )
        if len(data) < experiment[count]:
            asked = f"--{count.replace('_', '-')} {experiment[count]}"
            raise ValueError(f"{data.path} holds {len(data)} sequences, fewer than {asked}")
        return data

    train = MovingMNIST(train_digits, **form, seed=experiment["seed"], split="train")
    test = MovingMNIST(test_digits, **form, seed=0, split="test")
    if experiment["train_sequences_file"]:
        train = recorded("train_sequences_file", "train_sequences")
    if experiment["sequences_file"]:
        test = recorded("sequences_file", "test_sequences")
    return train, test


def build_model(experiment, device):
    """Return the experiment's model with its initial weights, on the given device."""
    nn.manual_seed(experiment["seed"])
    options = {"height": experiment["size"], "width": experiment["size"]} | experiment["model_options"]
    if experiment["model"] == "ae_conv":
        options["n_frames"] = experiment["frames"] - 1
    return models.build(experiment["model"], **options).type(device=device)


def check_runs(runs):
    """Raise an error when one of several runs, {name: settings}, cannot begin for its data or its model.

    ValueError names the model that cannot be built with these settings.
    """
    load_data(dict(max(runs.values(), key=lambda settings: settings["train_sequences"])))
    for name, settings in runs.items():
        try:
            build_model(settings, backend.resolve_device(settings["device"]))
        except (ValueError, TypeError) as error:
            raise ValueError(f"{name} cannot be built: {error}") from error


def watched(experiment):
    """Return how many test sequences the curves of an experiment are of."""
    return min(WATCHED, experiment["test_sequences"])


def evaluation_batch(options):
    """Return how many sequences are scored at once: those that training holds in memory, if not very few."""
    return max(options.batch, 8)


def score(model, experiment, train_data, test_data, batch):
    """Return the scores of model and baselines, ready for JSON."""
    count = experiment["test_sequences"]
    scores = evaluation.evaluate(model, test_data, count, batch)
    reference = evaluation.score_baselines(train_data, test_data, count)
    return {
        "experiment": experiment,
        "parameters": models.count_parameters(model),
        "scores": scores,
        "baselines": reference,
        "ratios": evaluation.ratios(scores, reference),
        "hardware": report.hardware(model.device),
    }


def format_result(result):
    """Return the tables of what `score` found as text."""
    experiment = result["experiment"]
    return evaluation.format_scores(
        experiment["model"], result["scores"], result["baselines"], experiment["frames"]
    )


def describe(model, experiment):
    """Return in one line what is learned from what, on what."""
    return (
        f"{experiment['model']} ({models.count_parameters(model):,} parameters) on the {model.device}: "
        f"{describe_data(experiment)}"
    )


def describe_data(experiment):
    """Return in a few words which sequences a model learns from and is tested on."""
    slow, fast = experiment["speed"][0], experiment["speed"][-1]
    pace = f"{slow:g}" if slow == fast else f"{slow:g} to {fast:g}"
    size, digits = experiment["size"], "digits" if experiment["digits"] > 1 else "digit"
    generated = (
        f"{experiment['digits']} moving {digits} of {digits_name(experiment)} in {size}x{size} at {pace} px "
        "a frame"
    )
    train, test = (
        Path(experiment[name]).name if experiment[name] else generated
        for name in ("train_sequences_file", "sequences_file")
    )
    return train if train == test else f"{train}, tested on {test}"


def digits_name(experiment):
    """Return whose digits these are."""
    if experiment["data"] in (DRAWN, MNIST):
        return "the project's own drawing" if experiment["data"] == DRAWN else MNIST
    return f"MNIST in {experiment['data']}"
