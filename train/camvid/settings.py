"""Presets and command line of `python -m train.camvid`."""

from nnlite.train.camvid.arguments import make_parser
from nnlite.train.camvid.experiment import SHAPES, SPLITS
from nnlite.train.runs.options import DEFAULTS, layered_by_model, named_options, other_mode

from nnlite import models

BOTH = "both"
#: What --weights takes besides paths.
NONE, SEGNET = "none", "segnet"
#: Small networks for the processor: SegNet, and the video autoencoder in SegNet-flow.
_SMALL = {"n_features": 24, "kernel": 5}
_SMALL_VIDEO = {"n_features": 8, "n_memory": 24, "kernel": 5, "flow_kernel": 9}
OUR_RECIPE = {"optimiser": "adam", "learning_rate": 2e-3, "decay": 1.0, "cooldown": 0.5, "clip": 1e4}
#: What each preset sets, for one model on top of that for both ("by_model").
PRESETS = {
    "default": OUR_RECIPE
    | {
        "size": [64, 64],
        "test_sequences": 100,
        "batch": 4,
        "evaluations": 3,
        "weights": SEGNET,
        "model_options": _SMALL,
        "by_model": {
            "segnet": {"sequences": 5000},
            "segnet_flow": {"sequences": 1200, "still": 600, "model_options": {"video": _SMALL_VIDEO}},
        },
    },
    "camvid-cpu": OUR_RECIPE
    | {
        "size": [90, 120],
        "batch": 4,
        "evaluations": 3,
        "weights": SEGNET,
        "model_options": _SMALL,
        "by_model": {
            "segnet": {"sequences": 5000},
            "segnet_flow": {"sequences": 700, "still": 100, "model_options": {"video": _SMALL_VIDEO}},
        },
    },
    # The paper says neither how long it trains nor to which range it clips: 128 passes are a choice, the
    # range that of the published code. Optimiser and decay are those of its section 4.
    "paper": {
        "split": "train+val",
        "size": [180, 240],
        "sequences": 60000,
        "batch": 1,
        "optimiser": "rmsprop",
        "learning_rate": 1e-4,
        "decay": 0.9,
    },
    "tiny": OUR_RECIPE
    | {
        "size": [16, 16],
        "test_sequences": 8,
        "sequences": 32,
        "batch": 4,
        "evaluations": 1,
        "model_options": {"n_features": 4, "kernel": 3},
        "by_model": {
            "segnet_flow": {
                "model_options": {"video": {"n_features": 2, "n_memory": 3, "kernel": 3, "flow_kernel": 3}}
            }
        },
    },
}
#: Presets that are made for CamVid alone.
_CAMVID_ALONE = ("camvid-cpu", "paper")
#: What no preset sets otherwise.
COMMON = DEFAULTS | {
    "data": SHAPES,
    "split": "train",
    "frames": 6,
    "shapes": 4,
    "speed": [0.5, 3.0],
    "noise": 0.05,
    "lost": 0.2,
    "train_sequences": None,
    "test_sequences": None,
    "segmentation_weight": 1.0,
    "weights": NONE,
    "evaluations": 8,
}
#: The options that go with those that name a run; all others are the run's.
COMPANIONS = {
    "resume": {"sequences", "minutes", "data", "device", "save_every"},
    "evaluate": {"test_sequences", "data", "device", "out"},
}

EPILOG = """\
presets:
  default     moving shapes in 64x64, six frames of which the last is labelled. Small networks: SegNet with 24
              features of 5x5 (the paper's: 64 of 7x7), and a video autoencoder with 8 features of 5x5, a
              memory of 24 maps and a 9x9 flow regressor (the paper's: 16 of 7x7, 64 and 15x15). SegNet on
              5,000 labelled frames, then SegNet-flow, which starts with this SegNet, on the first 1,200 of
              these sequences; its flow keeps still for half of them. Adam at 2e-3, falling to a tenth over
              the second half. Some minutes on two processor cores.
  camvid-cpu  CamVid at half the paper's resolution, 120x90, with the small networks of default, for two
              processor cores: SegNet on 5,000 labelled frames, some 14 passes, then SegNet-flow on 700
              sequences.
  paper       section 5.2, for a GPU: 240x180, the full networks, the 468 labelled frames of train and val,
              rmsprop at 1e-4 x 0.9 every 5 passes, one sequence at a time. The paper leaves open how long it
              trains (here 128 passes), the optimiser of this experiment (here that of section 4) and to which
              range it clips gradients (here 50).
  tiny        toy networks on 16x16, to see in seconds that everything runs. Learns next to nothing.

A run folder gets checkpoint.h5, log.jsonl, result.json, curves.png, confusion_NETWORK.png, figure8.png,
inspect.html and, for video, sequence.png; with --model both it has one such folder for each network, and
table2.md, table2.json and the pictures of both. Ctrl-C saves the run and says how to go on. A run that was
interrupted and resumed on the CPU ends with the same numbers to the bit.
"""


def settle(argv):
    """Return what the command line asks for, and the settings by name.

    "train" comes with a value for every setting, "both" with {model: such settings}; "resume" and "evaluate"
    only with what was given, besides the path under their own name.
    """
    parser = make_parser([*models.segmenter_names(), BOTH], PRESETS, SPLITS, EPILOG)
    given = {name: value for name, value in vars(parser.parse_args(argv)).items() if value is not None}
    if mode := other_mode(parser, given, COMPANIONS):
        return mode, given
    given = named_options(given)
    model = given.pop("model", BOTH)
    preset = given.pop("preset", "camvid-cpu" if "data" in given else "default")
    if "data" not in given:
        if preset in _CAMVID_ALONE:
            parser.error(f"--preset {preset} needs --camvid DIR")
        if "split" in given:
            parser.error("--split is of CamVid; name its folder with --camvid")
    elif extra := sorted({"shapes", "speed", "noise", "lost", "train_sequences"} & set(given)):
        names = ", ".join("--" + name.replace("_", "-") for name in extra)
        parser.error(f"{names}: of moving shapes alone; leave out with --camvid")
    if model == BOTH:
        if "video" in given["model_options"]:
            parser.error("--model-option video=... is of --model segnet_flow alone")
        return BOTH, {name: settings_for(name, preset, given) for name in models.segmenter_names()}
    if given.get("weights") == SEGNET:
        parser.error("--weights segnet is of --model both; name a checkpoint")
    settings = settings_for(model, preset, given)
    return "train", settings | ({"weights": NONE} if settings["weights"] == SEGNET else {})


def settings_for(model, preset, given):
    """Return all settings of a run, those of the preset unless `given`."""
    settings = layered_by_model(model, COMMON, PRESETS[preset], given)
    if settings["train_sequences"] is None:
        settings["train_sequences"] = settings["sequences"]
    return settings
