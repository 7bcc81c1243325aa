"""Presets and command line of `python -m train.real_video`."""

import argparse

from nnlite.data.clips import USUAL_MAX_JUMP
from nnlite.train.runs.options import (
    DEFAULTS,
    add_device_argument,
    add_model_option_argument,
    add_save_every_argument,
    add_training_arguments,
    count,
    layered,
    named_options,
    number,
    other_mode,
)

#: What each preset sets. `rate` 0: each frame of the file.
PRESETS = {
    "default": {
        "size": [96, 128],
        "crop": [48, 64],
        "rate": 12.5,
        "stride": 3,
        "sequences": 4500,
        "batch": 4,
        "optimiser": "adam",
        "learning_rate": 1e-3,
        "decay": 1.0,
        "cooldown": 0.5,
        "still": 300,
        "evaluations": 6,
    },
    # What the paper leaves open: the size of the frames, how long it trains and to which range it clips.
    "paper": {
        "size": [120, 160],
        "rate": 0.0,
        "stride": 13,
        "sequences": 250000,
        "batch": 1,
        "optimiser": "rmsprop",
        "learning_rate": 1e-4,
        "decay": 0.9,
        "evaluations": 20,
    },
    "tiny": {
        "size": [16, 24],
        "crop": [12, 16],
        "rate": 0.0,
        "frames": 5,
        "stride": 2,
        "sequences": 32,
        "batch": 4,
        "optimiser": "adam",
        "learning_rate": 2e-3,
        "decay": 1.0,
        "evaluations": 2,
        "model_options": {"n_features": 4, "n_memory": 4, "kernel": 3, "flow_kernel": 5},
    },
}
#: What no preset sets otherwise.
COMMON = DEFAULTS | {
    "videos": None,
    "test": None,
    "splits": None,
    "split": 1,
    "test_share": 0.2,
    "crop": None,
    "colour": "grey",
    "frames": 13,
    "max_jump": USUAL_MAX_JUMP,
    "strict": False,
    "cache_mib": 256,
    "test_clips": 10,
    "render": None,
    "loss_at": "all",
}
_DATA = {"videos", "test", "splits", "split", "cache_mib"}
#: The options that go with those that name a run; all others are the run's.
COMPANIONS = {
    "resume": {"sequences", "minutes", "device", "save_every", "render", *_DATA},
    "evaluate": {"test_clips", "strict", "device", "out", *_DATA},
    "predict": {"out", "save_flow", "rate", "device"},
}

EPILOG = """\
presets:
  default  the paper's model on grey frames of 128x96 pixels, 12.5 a second, so that things move by some
           pixels from one to the next. It learns from 4,500 clips of 13 frames, one every 3 frames, those
           there are several times, each time another crop of 64x48; Adam at 1e-3, falling to 1e-4 over the
           second half, batches of 4, and a flow that keeps still for the first 300. About ten minutes on
           two processor cores.
  paper    section 4 and Figure 6: clips of 12 frames and the one to predict, each frame of the file, rmsprop
           at 1e-4 x 0.9 every 5 epochs, one clip at a time. For a GPU and HMDB-51. The paper leaves open the
           size of the frames (here 160x120), how long it trains (here 250,000 clips, about 30 epochs of its
           107,000 frames) and to which range it clips gradients (here 50, as in the published code).
  tiny     a toy model on a few clips, to see in seconds that everything runs.

Clips with a cut, and frames that only repeat the one before, are left out. Files that cannot be read, or not
to their end, are named and left out. Ctrl-C saves the run and says how to go on; a run that was interrupted
and resumed on the CPU ends with the same numbers to the bit.
"""


def settle(argv):
    """Return what the command line asks for, and the settings by name.

    "train" comes with a value for every setting; "resume", "evaluate" and "predict" only with what was given.
    """
    parser = make_parser()
    given = {name: value for name, value in vars(parser.parse_args(argv)).items() if value is not None}
    if "splits" in given and ("test" in given or len(given.get("videos", ())) != 1):
        parser.error("--splits needs --videos with the one folder of HMDB-51's classes, and no --test")
    if mode := other_mode(parser, given, COMPANIONS):
        return mode, given
    given = named_options(given)
    return "train", layered(COMMON, PRESETS[given.pop("preset", "default")], given)


def make_parser():
    """Return the parser; an option that is not given is None."""
    parser = argparse.ArgumentParser(
        prog="python -m train.real_video",
        description="Train AE-ConvLSTM-flow to predict the next frame of real video, from any folder of\n"
        "clips. Then score it on videos that it has not seen, beside what needs no training.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    run = parser.add_argument_group("the run")
    run.add_argument(
        "--preset", choices=PRESETS, help="where all other settings come from (default: default)"
    )
    run.add_argument(
        "--out",
        metavar="RUN",
        help="folder for results (default: runs/real_video-<time>); with --predict the video to write, .mp4 "
        "or .gif (default: runs/predictions/<name>.mp4)",
    )
    add_device_argument(run)
    run.add_argument(
        "--resume",
        metavar="RUN",
        help="go on with the run in this folder; of the other options only --sequences, --minutes, "
        "--save-every, --device, --render and those that say where the videos are go with it",
    )
    run.add_argument(
        "--evaluate",
        metavar="CHECKPOINT",
        help="score a trained model on test videos and train nothing; --out keeps the results",
    )
    run.add_argument(
        "--predict",
        nargs=2,
        metavar=("CHECKPOINT", "VIDEO"),
        help="render what a trained model predicts of a video of any length, a file or a folder of pictures; "
        "--out, --save-flow and --rate go with it",
    )
    run.add_argument(
        "--save-flow",
        metavar="PLACE",
        help="with --predict: write the flow, to a folder as one .flo file a frame, or to one file .h5; in "
        "pixels of the frames as the model sees them",
    )
    run.add_argument(
        "--render",
        metavar="VIDEO",
        help="the video to render after training, or 'none' (default: the test video that moves most)",
    )
    add_save_every_argument(run)

    data = parser.add_argument_group("the data")
    data.add_argument(
        "--videos",
        nargs="+",
        metavar="DIR",
        help="folders with videos anywhere below them: files, or folders of PNG or JPEG pictures (default: "
        "videos/ and sequences/ in the folder of the environment variable NNLITE_DATA, else drawn ones)",
    )
    data.add_argument(
        "--test",
        nargs="+",
        metavar="DIR",
        help="folders with the videos to test on (default: a share of those of --videos, by file)",
    )
    data.add_argument("--test-share", type=number(0), metavar="SHARE", help="that share (0.2)")
    data.add_argument(
        "--splits", metavar="DIR", help="folder of HMDB-51's split files, which say what to test"
    )
    data.add_argument("--split", type=count(1), help="the number of the split (1)")
    data.add_argument(
        "--size",
        type=count(2),
        nargs=2,
        metavar=("HEIGHT", "WIDTH"),
        help="of the frames after resizing, both even; pictures are stretched to it",
    )
    data.add_argument(
        "--crop",
        type=count(2),
        nargs=2,
        metavar=("HEIGHT", "WIDTH"),
        help="train on random parts of the frames of this size, preferably where something moves, half of "
        "them mirrored",
    )
    data.add_argument("--colour", choices=("grey", "rgb"), help="what frames are made of (grey)")
    data.add_argument(
        "--rate", type=number(0), metavar="R", help="frames a second to take; 0 for each frame of the file"
    )
    data.add_argument("--frames", type=count(3), help="frames in a clip, the last only predicted (13)")
    data.add_argument("--stride", type=count(1), help="frames from one training clip to the next")
    data.add_argument(
        "--max-jump",
        type=number(0),
        metavar="J",
        help="leave out clips with a cut: two neighbouring frames whose mean absolute difference is above J "
        f"({USUAL_MAX_JUMP}); 1 for none",
    )
    data.add_argument(
        "--strict",
        action="store_const",
        const=True,
        help="stop with an error at a video that cannot be read, rather than leave it out",
    )
    data.add_argument(
        "--cache-mib", type=count(0), metavar="MIB", help="memory for decoded frames of training clips (256)"
    )
    data.add_argument(
        "--test-clips", type=count(1), metavar="N", help="clips to score of each test video (10)"
    )

    model = parser.add_argument_group("the model")
    add_model_option_argument(model, "AE-ConvLSTM-flow, such as n_memory=32 or penalty_weight=0.1")
    add_training_arguments(parser)
    return parser
