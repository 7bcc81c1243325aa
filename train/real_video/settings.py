"""What can be set of training on real video: options and presets."""

from dataclasses import dataclass

from nnlite.data.clips import USUAL_MAX_JUMP
from nnlite.train.runs.loop_options import RunOptions
from nnlite.train.runs.options import DATA, MODEL, TRAINING, Preset, option, size_option

#: In place of the video to render after training.
NO_VIDEO = "none"
#: The fastest shift of drawn motion, in pixels a frame, unless the user says otherwise.
DRAWN_SPEED = 4.0
#: The settings that say on which frames a run is scored.
TESTED_ON = (
    *("videos", "test", "test_share", "splits", "split"),
    *("size", "colour", "rate", "frames", "max_jump", "test_clips"),
)


@dataclass(frozen=True)
class Settings(RunOptions):
    """All that can be set, declared once."""

    predict: tuple | None = option(
        None,
        "render what a trained model predicts of a video of any length, a file or a folder of pictures, "
        "as --out, .mp4 or .gif (default: runs/predictions/<name>.mp4); with the word 'pretrained' the one "
        "that comes with the package",
        path=("CHECKPOINT", "VIDEO"),
        mode=("out", "device"),
        nargs=2,
    )
    save_flow: str | None = option(
        None,
        "with --predict: write the flow, to a folder as one .flo file a frame, or to one file .h5; in "
        "pixels of the frames as the model sees them",
        path="PLACE",
        modes=("predict",),
    )
    render: str | None = option(
        None,
        f"the video to render after training, or '{NO_VIDEO}' (default: the test video that changes most)",
        path="VIDEO",
        kept=("experiment",),
        modes=("resume",),
    )
    videos: tuple | None = option(
        None,
        "folders with videos anywhere below them: files, or folders of pictures, of which the longest series "
        "of names is taken unless FOLDER/NAME* names another (default: videos/ and sequences/ in the folder "
        "of the environment variable NNLITE_DATA, else drawn ones)",
        DATA,
        path="DIR",
        modes=("resume", "evaluate"),
        nargs="+",
    )
    test: tuple | None = option(
        None,
        "folders with the videos to test on, which are never trained on, nor are copies of them (default: a "
        "share of those of --videos, by file)",
        DATA,
        path="DIR",
        modes=("resume", "evaluate"),
        nargs="+",
    )
    test_share: float = option(0.2, "that share, but at least one file for either side", DATA, most=1)
    splits: str | None = option(
        None,
        "folder of the split files of HMDB-51 or UCF-101, which say what to test",
        DATA,
        path="DIR",
        modes=("resume", "evaluate"),
    )
    split: int = option(1, "the number of the split", DATA, modes=("resume", "evaluate"))
    size: tuple = size_option(
        (96, 128),
        "of the frames after resizing, both even; pictures are stretched to it",
        least=2,
        modes=("predict", "evaluate"),
    )
    crop: tuple | None = size_option(
        None,
        "train on random parts of the frames of this size, preferably where something moves, half of "
        "them mirrored",
        least=2,
    )
    all_directions: bool = option(
        False,
        "let half of these parts run backwards in time, half stand upside down, and half have rows and "
        "columns swapped: few clips then show motion in every direction",
        DATA,
    )
    drawn_share: float = option(
        0.0,
        "of the training sequences take this share, from 0 to 1, from drawn motion of the videos' textures: "
        "parts of their frames, in up to three layers, that shift, turn and grow",
        DATA,
        most=1,
    )
    drawn_speed: float = option(
        DRAWN_SPEED,
        f"their fastest shift, in pixels a frame; the flow is scored at {DRAWN_SPEED:g}",
        DATA,
        most=1000,
    )
    colour: str = option("grey", "what frames are made of", DATA, choices=("grey", "rgb"))
    rate: float = option(
        0.0,
        "frames a second to take; 0 for each frame of the file",
        DATA,
        most=1000,
        modes=("predict", "evaluate"),
    )
    deinterlace: bool = option(
        False,
        "bring both moments of a frame of interlaced video to one of them (FFmpeg's bwdif); without it such "
        "video is named and left as it is",
        DATA,
        modes=("predict",),
    )
    frames: int = option(13, "frames in a clip, the last only predicted", DATA, least=3, memory=True)
    stride: int = option(3, "frames from one training clip to the next", DATA)
    max_jump: float = option(
        USUAL_MAX_JUMP,
        "leave out clips with a cut: two neighbouring frames whose mean absolute difference is above X; "
        "1 for none",
        DATA,
    )
    strict: bool = option(
        False,
        "stop with an error at a video that cannot be read, rather than leave it out",
        DATA,
        modes=("evaluate",),
    )
    cache_mib: int = option(
        256,
        "memory for decoded frames of training clips",
        DATA,
        least=0,
        modes=("resume", "evaluate"),
        memory=True,
    )
    steps: int = option(
        1,
        "frames to predict ahead, each from the predictions before it: scored of the last N of each test "
        "clip and, with --predict, after each frame, beside the copy and the motion carried on",
        DATA,
        modes=("predict", "evaluate"),
        memory=True,
    )
    sintel: str | None = option(
        None,
        "folder of MPI-Sintel, on whose pairs to score the flow too",
        DATA,
        path="DIR",
        modes=("resume", "evaluate"),
    )
    middlebury: str | None = option(
        None, "folder of Middlebury's flow pairs, likewise", DATA, path="DIR", modes=("resume", "evaluate")
    )
    test_clips: int = option(10, "clips to score of each test video", DATA, modes=("evaluate",))
    model_options: dict = option(
        {},
        "option of the architecture, such as n_memory=32; may be repeated. Of a trained model one that keeps "
        "its parameters as they are, such as shrink=0.2 or change=0.01",
        MODEL,
        modes=("evaluate", "predict"),
        memory=True,
    )
    weights: str | None = option(
        None,
        "start with the trained weights of this checkpoint or run, of frames of any size, or with the word "
        "'pretrained' with those that come with the package",
        MODEL,
        path="CHECKPOINT",
        kept=(),
    )
    loss: str = option(
        "square",
        "of a pixel: its squared error, eq. 4, or by Charbonnier's loss its absolute one, smooth at zero",
        TRAINING,
        choices=("square", "charbonnier"),
        kept=("experiment",),
    )
    signature: int | None = option(None, flags=(), kept=("experiment",))


PRESETS = {
    "default": Preset(
        "the model that moves the last frame itself (sample=frame), on {colour} frames of "
        "{size[0]}x{size[1]} pixels, {rate:g} a second, so that things move by some pixels from one to the "
        "next. It learns from {sequences:,} sequences of {frames} frames, half of them crops of "
        "{crop[0]}x{crop[1]} of the clips, one every {stride} frames, half of them drawn motion of the "
        "clips' textures; Muon at {learning_rate:g}, falling to a tenth over the second half, batches of "
        "{batch}. A quarter of an hour on one processor core.",
        {
            "crop": (48, 64),
            "rate": 12.5,
            "drawn_share": 0.5,
            "model_options": {"sample": "frame", "shrink": 0.1, "change": 0.01},
            "sequences": 2600,
            "batch": 4,
            "optimiser": "muon",
            "learning_rate": 2e-3,
            "lr_decay_fraction": 0.5,
            "evaluations": 6,
        },
    ),
    "features": Preset(
        "the paper's model, which moves features, otherwise likewise: {sequences:,} clips, Adam at "
        "{learning_rate:g}, falling to a tenth over the second half, batches of {batch}, and a flow held at "
        "zero for the first {flow_warmup}. About ten minutes on two processor cores.",
        {
            "crop": (48, 64),
            "rate": 12.5,
            "sequences": 4500,
            "batch": 4,
            "lr_decay_fraction": 0.5,
            "flow_warmup": 300,
            "evaluations": 6,
        },
    ),
    "ablation": Preset(
        "what train.video_ablations varies: {sequences:,} sequences of {frames} frames more for the weights "
        "that come with the package.",
        {
            "weights": "pretrained",
            "crop": (48, 64),
            "rate": 12.5,
            "frames": 9,
            "drawn_share": 0.5,
            "model_options": {"sample": "frame", "shrink": 0.1, "change": 0.01},
            "sequences": 160,
            "batch": 4,
            "optimiser": "muon",
            "lr_decay_fraction": 1.0,
            "evaluations": 0,
            "test_clips": 3,
        },
    ),
    "paper": Preset(
        "section 4 and Figure 6: clips of 12 frames and the one to predict, each frame of the file, rmsprop "
        "at {learning_rate:g} x {decay:g} every {decay_epochs} epochs, one clip at a time. For a GPU and "
        "HMDB-51. The paper leaves open the size of the frames (here {size[0]}x{size[1]}), how long it "
        "trains (here {sequences:,} clips, about 30 epochs of its 107,000 frames) and to which range it "
        "clips gradients (here {clip:g}, as in the published code). On an H100, with --cuda-graph and "
        "--tf32, about half an hour (estimated from a step of as many pixels, 7.9 ms; nobody has run it).",
        {
            "size": (120, 160),
            "stride": 13,
            "sequences": 250000,
            "batch": 1,
            "optimiser": "rmsprop",
            "learning_rate": 1e-4,
            "decay": 0.9,
            "evaluations": 20,
        },
    ),
    "tiny": Preset(
        "a toy model on a few clips, to see in seconds that everything runs.",
        {
            "size": (16, 24),
            "crop": (12, 16),
            "frames": 5,
            "stride": 2,
            "sequences": 32,
            "batch": 4,
            "learning_rate": 2e-3,
            "evaluations": 2,
            "model_options": {"n_features": 4, "n_memory": 4, "kernel": 3, "flow_kernel": 5},
        },
    ),
}
EPILOG = """\
In place of a trained model --predict, --evaluate and --weights take a checkpoint, the folder of a run, or the
word 'pretrained' for the model that comes with the package; a model predicts frames of any --size.
A run folder gets checkpoint.h5, log.jsonl, result.json, curves.png, figure6.png, film.webp, prediction.mp4
and inspect.html, the page of `python -m train.inspect`. Clips with a cut, and frames that only repeat the one
before, are left out. Files that cannot be read, or not to their end, or are damaged, are named and left out.
Ctrl-C saves the run and says how to continue; a run that was interrupted and resumed on the CPU ends with the
same numbers to the bit.
"""
