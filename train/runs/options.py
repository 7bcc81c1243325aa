"""What command lines of all experiments share: options, their defaults and types, and which go together."""

import argparse
import json
import math

import numpy as np

from nnlite import optim

#: What no preset of any experiment sets otherwise.
DEFAULTS = {
    "model_options": {},
    "seed": 0,
    "tf32": False,
    "clip": 50.0,
    "decay_epochs": 5,
    "optimiser_options": {},
    "cooldown": 0.0,
    "still": 0,
    "minutes": None,
    "device": "auto",
    "out": None,
    "log_every": 10,
    "save_every": 60.0,
}
#: Values of NAME=VALUE as Python spells them.
CONSTANTS = {"true": True, "false": False, "none": None}


def layered(*layers):
    """Return all settings of a run: those of each layer over those before, model options one by one.

    ValueError for an option that the optimiser does not have.
    """
    settings = {name: value for layer in layers for name, value in layer.items() if name != "by_model"}
    _check_optimiser(settings["optimiser"], settings["optimiser_options"])
    options = (layer.get("model_options", {}) for layer in layers)
    return settings | {"model_options": {name: value for some in options for name, value in some.items()}}


def layered_by_model(model, *layers):
    """Return the same for one model, a layer's "by_model" standing over its other settings."""
    parts = [part for layer in layers for part in (layer, layer.get("by_model", {}).get(model, {}))]
    return layered(*parts) | {"model": model}


def named_options(given):
    """Return `given` with its --model-option and --optimiser-option pairs as dicts of settings."""
    pairs = ("model_option", "optimiser_option")
    model, optimiser = (dict(given.get(name, ())) for name in pairs)
    rest = {name: value for name, value in given.items() if name not in pairs}
    return rest | {"model_options": model} | ({"optimiser_options": optimiser} if optimiser else {})


def _check_optimiser(name, options):
    """Raise ValueError unless the optimiser knows these options and no other setting gives them."""
    for option, source in (("learning_rate", "--lr"), ("shapes", "the model")):
        if option in options:
            raise ValueError(f"--optimiser-option {option} comes from {source}; leave it out")
    nothing = np.empty(0, np.float32)
    getattr(optim, name)(lambda x: (0.0, x), nothing, dict(options), {})  # a step of no parameters


def add_device_argument(group):
    """Add the option that says where to compute."""
    choices = ("auto", "cpu", "cuda")
    group.add_argument("--device", choices=choices, help="auto takes the GPU when there is one")


def add_save_every_argument(group):
    """Add the option that says how often to save."""
    group.add_argument("--save-every", type=number(0), metavar="S", help="seconds between checkpoints (60)")


def add_model_option_argument(group, examples):
    """Add the option that says how to build the architecture; examples: text for the help."""
    group.add_argument(
        "--model-option",
        type=assignment,
        action="append",
        metavar="NAME=VALUE",
        help=f"option of {examples}; may be repeated",
    )


def add_training_arguments(parser, predictor=True):
    """Add the group of options that say how to train, those of `LoopOptions`.

    predictor: whether frames are all that the model predicts. Only then is there a choice of the steps to
    train on, and only then does a step fit into a graph: labels are looked at on the way.
    """
    training = parser.add_argument_group("training")
    training.add_argument("--sequences", type=count(1), metavar="N", help="sequences to train on in all")
    training.add_argument(
        "--minutes", type=number(0), metavar="M", help="end training after M minutes in all"
    )
    training.add_argument("--batch", type=count(1), help="sequences in a step")
    training.add_argument("--optimiser", choices=("rmsprop", "adam", "sgd", "adagrad", "muon"))
    training.add_argument(
        "--optimiser-option",
        type=assignment,
        action="append",
        metavar="NAME=VALUE",
        help="option of the optimiser, such as momentum=0.98 for muon; may be repeated",
    )
    training.add_argument(
        "--lr", type=number(0), dest="learning_rate", metavar="RATE", help="learning rate at the start"
    )
    training.add_argument("--decay", type=number(0), help="factor on the learning rate every --decay-epochs")
    training.add_argument("--decay-epochs", type=count(1), metavar="N", help="epochs between two decays (5)")
    training.add_argument(
        "--cooldown",
        type=number(0),
        metavar="SHARE",
        help="share of the run, at its end, over which the learning rate falls to a tenth (0)",
    )
    training.add_argument(
        "--still",
        type=count(0),
        metavar="N",
        help="keep the flow at zero for the first N sequences, until the decoder has learned to copy (0); "
        "not a flow that trained weights bring along",
    )
    training.add_argument("--clip", type=number(0), metavar="C", help="limit gradients to -C..C (50)")
    if predictor:
        training.add_argument(
            "--loss-at",
            choices=("all", "last"),
            help="train on the predictions of all steps, or the last (all)",
        )
    training.add_argument(
        "--tf32",
        action="store_const",
        const=True,
        help="let a GPU round the factors of float32 products to 10 bits: faster, less exact",
    )
    if predictor:
        training.add_argument(
            "--cuda-graph",
            action="store_const",
            const=True,
            help="let a GPU run the thousands of kernels of forward and backward pass as one graph: less "
            "waiting",
        )
    training.add_argument(
        "--seed", type=count(0), help="of initial weights, training sequences and their order (0)"
    )


def other_mode(parser, given, companions):
    """Return the option of `companions` that is among the `given`, or None for a new run.

    companions: {option: those that go with it}. With others the parser ends the program and names them.
    """
    for mode, allowed in companions.items():
        if mode in given:
            extra = sorted(set(given) - allowed - {mode})
            if extra:
                names = ", ".join(
                    "--" + name.replace("learning_rate", "lr").replace("_", "-") for name in extra
                )
                parser.error(f"--{mode} takes its settings from the run; leave out {names}")
            return mode
    return None


def count(least):
    """Return the type of a whole number from `least` on."""

    def parse(text):
        number = int(text)
        if number < least:
            raise argparse.ArgumentTypeError(f"must be at least {least}, got {text}")
        return number

    parse.__name__ = "whole number"
    return parse


def number(least):
    """Return the type of a finite number from `least` on."""

    def parse(text):
        number = float(text)
        if not (number >= least and math.isfinite(number)):
            raise argparse.ArgumentTypeError(f"must be a number from {least} on, got {text}")
        return number

    parse.__name__ = "number"
    return parse


def assignment(text):
    """Return the pair of NAME=VALUE.

    A value that is JSON, or one of Python's True, False and None in any case, is what it means; any other
    text is itself.
    """
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"must be NAME=VALUE, got {text}")
    if value.lower() in CONSTANTS:
        return name, CONSTANTS[value.lower()]
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value
