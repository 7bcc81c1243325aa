"""The command line of `python -m train.moving_mnist`, as argparse wants it."""

import argparse

from nnlite.train.runs.options import (
    add_device_argument,
    add_model_option_argument,
    add_save_every_argument,
    add_training_arguments,
    count,
    number,
)


def make_parser(models, presets, epilog):
    """Return the parser for these models and presets; an option that is not given is None."""
    parser = argparse.ArgumentParser(
        prog="python -m train.moving_mnist",
        description="Train a video model that predicts the next frame of moving digits at every step.\n"
        "Then score it on unseen digits, beside baselines that need no model.",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    run = parser.add_argument_group("the run")
    run.add_argument(
        "--preset",
        choices=presets,
        help="where all other settings come from (default: default; with --model all: quick)",
    )
    run.add_argument("--out", metavar="RUN", help="folder for results (default: runs/moving_mnist-<time>)")
    add_device_argument(run)
    run.add_argument(
        "--resume",
        metavar="RUN",
        help="go on with the run in this folder; of the other options only --sequences, --minutes, "
        "--save-every, --data and --device go with it",
    )
    run.add_argument(
        "--evaluate",
        metavar="CHECKPOINT",
        help="score a checkpoint, or with the word 'pretrained' all models that come with the package, and "
        "train nothing; --test-sequences, --sequences-file, --data and --device go with it, and --out to "
        "keep the results",
    )
    run.add_argument(
        "--figures",
        metavar="RUN",
        help="draw Figures 3 and 5, errors by frames seen and ten frames of rollout of the models in a run, "
        "or with 'pretrained' of those that come with the package; the same options go with it",
    )
    run.add_argument(
        "--export",
        metavar="RUN",
        help="pack the trained weights of a finished run into models/pretrained, or the folder --out",
    )
    add_save_every_argument(run)

    data = parser.add_argument_group("the data")
    data.add_argument(
        "--data",
        metavar="FOLDER",
        help="folder with MNIST's idx files, itself or in its mnist/, or the word 'drawn' for digits that "
        "the project draws itself (default: MNIST in the folder of the environment variable NNLITE_DATA, "
        "else drawn)",
    )
    data.add_argument(
        "--sequences-file",
        metavar="FILE",
        help="test on the sequences in this file, mnist_test_seq.npy or another .npy of (T, N, H, W), or a "
        ".t7 of (N, T, 1, H, W), bytes both; of each only the first --frames frames",
    )
    data.add_argument("--train-sequences-file", metavar="FILE", help="train on the sequences in such a file")
    data.add_argument("--size", type=count(1), help="side of the square frames in pixels, even and above 28")
    data.add_argument("--digits", type=count(1), help="digits in a sequence")
    data.add_argument(
        "--speed",
        type=number(0),
        nargs="+",
        metavar=("MIN", "MAX"),
        help="pixels a frame; of two numbers each digit draws its speed in between",
    )
    data.add_argument("--frames", type=count(2), help="frames in a sequence, the last only predicted (11)")
    data.add_argument("--train-sequences", type=count(1), metavar="N", help="different training sequences")
    data.add_argument("--test-sequences", type=count(1), metavar="N", help="test sequences to score")

    model = parser.add_argument_group("the model")
    model.add_argument(
        "--model",
        choices=models,
        help="architecture (ae_convlstm_flow); 'all' trains the four of Table 1 one after the other, in "
        "folders of one run, and sets them beside the paper's figures",
    )
    model.add_argument(
        "--weights",
        metavar="CHECKPOINT",
        help="start with the trained weights of this checkpoint, or with the word 'pretrained' with those "
        "that come with the package; ae_convlstm can also start with encoder, first memory and decoder of "
        "an ae_convlstm_flow, ae_fclstm with the convolutions of one with --model-option cell=8 as full "
        "matrices. Another --seed then brings other training sequences",
    )
    add_model_option_argument(
        model,
        "the architecture, such as n_memory=32 or penalty_weight=0.1; of 'all', those that have it",
    )

    add_training_arguments(parser)
    return parser
