"""What command lines of all experiments share: how to train, types of numbers, which options go together."""

import argparse
import json
import math


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
    training.add_argument("--optimiser", choices=("rmsprop", "adam", "sgd", "adagrad"))
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
    """Return the pair of NAME=VALUE; a value that is JSON is what it means, any other text itself."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"must be NAME=VALUE, got {text}")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value
