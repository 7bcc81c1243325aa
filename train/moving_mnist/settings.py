"""What can be set of training on moving digits: the options."""

from dataclasses import dataclass

from nnlite import models
from nnlite.train.runs.loop_options import RunOptions
from nnlite.train.runs.options import DATA, MODEL, TRAINING, number, option

ALL = "all"
MODEL_NAME = "ae_convlstm_flow"
#: The modes that work on a trained model.
_TRAINED = ("evaluate", "figures", "rollout", "speeds", "transfer")


@dataclass(frozen=True)
class Settings(RunOptions):
    """All that can be set, declared once."""

    figures: str | None = option(
        None,
        "draw Figures 3 and 5, errors by frames seen and ten frames of rollout of the models in a run, "
        "or with 'pretrained' of those that come with the package",
        path="RUN",
        mode=("out", "device"),
    )
    rollout: str | None = option(
        None,
        "predict ten frames from their own predictions, and set the scores of this checkpoint, or with "
        "the word 'pretrained' of all models that come with the package, beside published ones; --out "
        "keeps table, picture and curve",
        path="CHECKPOINT",
        mode=("out", "device"),
    )
    speeds: str | None = option(
        None,
        "score the same on digits of several speeds, fixed and drawn, beside the copy and the Bayes "
        "bound; --out keeps the table",
        path="CHECKPOINT",
        mode=("out", "device"),
    )
    transfer: str | None = option(
        None,
        "score the same on what they have not learned: three digits, frames of 96x96, drawn digits, and the "
        "shapes of Fashion-MNIST where NNLITE_DATA has them in fashion-mnist/; --out keeps the table",
        path="CHECKPOINT",
        mode=("out", "device"),
    )
    data: str | None = option(
        None,
        "folder with MNIST's idx files, itself or in its mnist/, or the word 'drawn' for digits that "
        "the project draws itself (default: MNIST in the folder of the environment variable "
        "NNLITE_DATA, else drawn)",
        DATA,
        path="FOLDER",
        modes=("resume", *_TRAINED),
    )
    sequences_file: str | None = option(
        None,
        "test on the sequences in this file, mnist_test_seq.npy or another .npy of (T, N, H, W), or a "
        ".t7 of (N, T, 1, H, W), bytes both; of each only the first --frames frames",
        DATA,
        path="FILE",
        modes=("evaluate", "figures", "rollout"),
    )
    train_sequences_file: str | None = option(
        None, "train on the sequences in such a file", DATA, path="FILE"
    )
    time_axis: int | None = option(
        None,
        "which axis of the arrays in these files is time (default: 0 in .npy, 1 in .t7; files that look "
        "otherwise are refused)",
        DATA,
        choices=(0, 1),
        least=0,
        modes=("evaluate", "figures", "rollout"),
    )
    size: int = option(64, "side of the square frames in pixels, even and above 28", DATA, memory=True)
    digits: int = option(2, "digits in a sequence", DATA, most=100)
    speed: tuple = option(
        (3.6,),
        "pixels a frame, at most 1000; of two numbers each digit draws its speed in between",
        DATA,
        type=number(0, 1000),
        metavar=("MIN", "MAX"),
        nargs="+",
    )
    targets: str = option(
        "binary",
        "frames of zeros and ones, or with the grey values of the digits, as in mnist_test_seq.npy; "
        "both are scored by the cross-entropy, whose least is above zero for grey targets",
        DATA,
        choices=("binary", "grey"),
    )
    frames: int = option(
        11,
        "frames in a sequence, those seen and those predicted: the last, or the last --steps-ahead",
        DATA,
        least=2,
        memory=True,
    )
    steps_ahead: int = option(
        1,
        "frames to predict after those seen, each from the predictions before it: with --frames 20 "
        "--steps-ahead 10 ten from ten",
        DATA,
    )
    train_sequences: int | None = option(
        None, "different training sequences (default: as many as are trained on)", DATA
    )
    test_sequences: int = option(300, "test sequences to score", DATA, modes=_TRAINED)
    model: str = option(
        MODEL_NAME,
        "architecture; 'all' trains the four of Table 1 one after the other, in folders of one run, and "
        "sets them beside the paper's figures, with the preset quick if none is named",
        MODEL,
        choices=(*models.names(), ALL),
    )
    weights: str | None = option(
        None,
        "start with the trained weights of this checkpoint, or with the word 'pretrained' with those "
        "that come with the package, or with those of another name there, such as ae_convlstm_steps; "
        "ae_convlstm can also start with encoder, first memory and decoder of an ae_convlstm_flow, "
        "ae_fclstm with the convolutions of one with --model-option cell=8 as full matrices. Another "
        "--seed then brings other training sequences",
        MODEL,
        path="CHECKPOINT",
        kept=(),
    )
    feedback: str = option(
        "data",
        "with --steps-ahead above 1: take the predictions that are fed back as data, or take the "
        "gradient back through them too, which costs more memory",
        TRAINING,
        choices=("data", "gradient"),
        kept=("experiment",),
    )

    def __post_init__(self):
        """Raise ValueError also for settings of several steps ahead that exclude each other."""
        super().__post_init__()
        if self.steps_ahead >= self.frames:
            raise ValueError(
                f"--steps-ahead {self.steps_ahead} of --frames {self.frames} leaves no frame to be seen; "
                "--frames counts both"
            )
        if self.steps_ahead > 1 and self.feedback == "data" and self.cuda_graph:
            raise ValueError(
                "--feedback data with --cuda-graph: a roll-out cannot be captured; take --feedback gradient"
            )
        if self.memory == "low" and self.steps_ahead > 1:
            raise ValueError("--memory low is for one step ahead: leave it out, or --steps-ahead")

    @property
    def seen(self):
        """How many frames are seen before the first prediction that is fed back."""
        return self.frames - self.steps_ahead
