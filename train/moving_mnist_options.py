"""Presets and command line of `python -m train.moving_mnist`."""

import argparse
import json
import math

import models

#: What each preset sets.
PRESETS = {
    "default": {
        "size": 32,
        "digits": 1,
        "speed": [1.0],
        "train_sequences": 8000,
        "test_sequences": 500,
        "sequences": 8000,
        "batch": 8,
        "optimiser": "adam",
        "learning_rate": 1e-3,
        "decay": 1.0,
    },
    # The paper says neither how long it trains nor to which range it clips: 30 epochs are a choice; range,
    # batch size, alpha and epsilon are those of the published code.
    "paper": {
        "size": 64,
        "digits": 2,
        "speed": [3.6],
        "train_sequences": 10000,
        "test_sequences": 3000,
        "sequences": 300000,
        "batch": 1,
        "optimiser": "rmsprop",
        "optimiser_options": {"alpha": 0.9, "epsilon": 1e-5},
        "learning_rate": 1e-4,
        "decay": 0.9,
    },
    "tiny": {
        "size": 32,
        "digits": 1,
        "speed": [1.0],
        "train_sequences": 64,
        "test_sequences": 16,
        "sequences": 64,
        "batch": 8,
        "optimiser": "adam",
        "learning_rate": 1e-3,
        "decay": 1.0,
        "model_options": {"n_features": 4, "n_memory": 8, "kernel": 5, "flow_kernel": 5},
    },
}
#: What no preset sets otherwise.
COMMON = {
    "model": "ae_convlstm_flow",
    "model_options": {},
    "data": None,
    "frames": 11,
    "seed": 0,
    "loss_at": "all",
    "clip": 50.0,
    "decay_epochs": 5,
    "optimiser_options": {},
    "minutes": None,
    "device": "auto",
    "out": None,
    "log_every": 10,
    "save_every": 60.0,
    "evaluations": 8,
}
#: The options that go with --resume, and with --evaluate; all others are those of the run.
RESUMABLE = {"sequences", "minutes", "data", "device", "save_every"}
EVALUABLE = {"test_sequences", "data", "device", "out"}

EPILOG = """\
presets:
  default  one digit of 28x28 in 32x32 at 1 pixel a frame; the paper's model, Adam at 1e-3, batches of 8.
           Some minutes on two processor cores.
  paper    sections 4 and 5.1: two digits in 64x64 at 3.6 pixels a frame, 10,000 training and 3,000 test
           sequences, rmsprop at 1e-4 x 0.9 every 5 epochs, one sequence at a time. For a GPU. The paper
           leaves open how long it trains (here 30 epochs) and to which range it clips gradients (here
           50, as in the published code, from which alpha 0.9 and epsilon 1e-5 of rmsprop are as well).
  tiny     a toy model on 64 sequences, to see in seconds that everything runs. Learns next to nothing.

Ctrl-C saves the run and says how to go on. Results are the same for the same options and seed on the same
machine; a run that was interrupted and resumed on the CPU ends with the same numbers to the bit.
"""


def settle(argv):
    """Return what the command line asks for: "train", "resume" or "evaluate", and the settings by name.

    With "train" every setting has a value. With the others only what was given is there, besides the path.
    """
    parser = _parser()
    given = {name: value for name, value in vars(parser.parse_args(argv)).items() if value is not None}
    if "speed" in given and len(given["speed"]) > 2:
        parser.error("--speed takes one number, or the two ends of a range")
    for mode, allowed in (("resume", RESUMABLE), ("evaluate", EVALUABLE)):
        if mode in given:
            extra = sorted(set(given) - allowed - {mode})
            if extra:
                names = ", ".join(
                    "--" + name.replace("learning_rate", "lr").replace("_", "-") for name in extra
                )
                parser.error(f"--{mode} takes its settings from the run; leave out {names}")
            return mode, given
    preset = PRESETS[given.pop("preset", "default")]
    model_options = preset.get("model_options", {}) | dict(given.pop("model_option", []))
    return "train", COMMON | preset | given | {"model_options": model_options}


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m train.moving_mnist",
        description="Train a video model that predicts the next frame of moving digits at every step.\n"
        "Then score it on unseen digits, beside baselines that need no model.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    run = parser.add_argument_group("the run")
    run.add_argument(
        "--preset", choices=PRESETS, help="where all other settings come from (default: default)"
    )
    run.add_argument("--out", metavar="RUN", help="folder for results (default: runs/moving_mnist-<time>)")
    run.add_argument("--device", choices=("auto", "cpu", "cuda"), help="auto takes the GPU when there is one")
    run.add_argument(
        "--resume",
        metavar="RUN",
        help="go on with the run in this folder; of the other options only --sequences, --minutes, "
        "--save-every, --data and --device go with it",
    )
    run.add_argument(
        "--evaluate",
        metavar="CHECKPOINT",
        help="score a checkpoint and train nothing; --test-sequences, --data and --device go with it, and "
        "--out to keep result.json and predictions.png",
    )
    run.add_argument("--save-every", type=_number(0), metavar="S", help="seconds between checkpoints (60)")

    data = parser.add_argument_group("the data")
    data.add_argument(
        "--data",
        metavar="FOLDER",
        help="folder with MNIST's idx files, itself or in its mnist/, or the word 'drawn' for digits that "
        "the project draws itself (default: MNIST in the folder of the environment variable NNLITE_DATA, "
        "else drawn)",
    )
    data.add_argument("--size", type=_count(1), help="side of the square frames in pixels, even and above 28")
    data.add_argument("--digits", type=_count(1), help="digits in a sequence")
    data.add_argument(
        "--speed",
        type=_number(0),
        nargs="+",
        metavar=("MIN", "MAX"),
        help="pixels a frame; of two numbers each digit draws its speed in between",
    )
    data.add_argument("--frames", type=_count(2), help="frames in a sequence, the last only predicted (11)")
    data.add_argument("--train-sequences", type=_count(1), metavar="N", help="different training sequences")
    data.add_argument("--test-sequences", type=_count(1), metavar="N", help="test sequences to score")

    model = parser.add_argument_group("the model")
    model.add_argument("--model", choices=models.names(), help="architecture (ae_convlstm_flow)")
    model.add_argument(
        "--model-option",
        type=_assignment,
        action="append",
        metavar="NAME=VALUE",
        help="option of the architecture, such as n_memory=32 or penalty_weight=0.1; may be repeated",
    )

    training = parser.add_argument_group("training")
    training.add_argument("--sequences", type=_count(1), metavar="N", help="sequences to train on in all")
    training.add_argument(
        "--minutes", type=_number(0), metavar="M", help="end training after M minutes in all"
    )
    training.add_argument("--batch", type=_count(1), help="sequences in a step")
    training.add_argument("--optimiser", choices=("rmsprop", "adam", "sgd", "adagrad"))
    training.add_argument(
        "--lr", type=_number(0), dest="learning_rate", metavar="RATE", help="learning rate at the start"
    )
    training.add_argument("--decay", type=_number(0), help="factor on the learning rate every --decay-epochs")
    training.add_argument("--decay-epochs", type=_count(1), metavar="N", help="epochs between two decays (5)")
    training.add_argument(
        "--cooldown",
        type=_number(0),
        metavar="SHARE",
        help="share of the run, at its end, over which the learning rate falls to a tenth (0)",
    )
    training.add_argument(
        "--still",
        type=_count(0),
        metavar="N",
        help="keep the flow at zero for the first N sequences, until the decoder has learned to copy (0)",
    )
    training.add_argument("--clip", type=_number(0), metavar="C", help="limit gradients to -C..C (50)")
    training.add_argument(
        "--loss-at", choices=("all", "last"), help="train on the predictions of all steps, or the last (all)"
    )
    training.add_argument(
        "--seed", type=_count(0), help="of initial weights, training sequences and their order (0)"
    )
    return parser


def _count(least):
    def parse(text):
        number = int(text)
        if number < least:
            raise argparse.ArgumentTypeError(f"must be at least {least}, got {text}")
        return number

    parse.__name__ = "whole number"
    return parse


def _number(least):
    def parse(text):
        number = float(text)
        if not (number >= least and math.isfinite(number)):
            raise argparse.ArgumentTypeError(f"must be a number from {least} on, got {text}")
        return number

    parse.__name__ = "number"
    return parse


def _assignment(text):
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"must be NAME=VALUE, got {text}")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value
