"""How to train: the options of the loop, which every experiment has."""

from dataclasses import MISSING, dataclass

import numpy as np

from nnlite import optim
from nnlite.train.runs.options import MODEL, RUN, TRAINING, Options, option


@dataclass(frozen=True)
class LoopOptions(Options):
    """How to train, whatever the model and the data.

    The learning rate is `learning_rate` · `decay` ** (epoch // `decay_epochs`); over the last
    `lr_decay_fraction` of the run it falls linearly to a tenth of that. A model with a flow holds it at zero
    for the first `flow_warmup` sequences, in which the decoder learns to copy; memory and Θ, on which nothing
    depends meanwhile, are not run. Without that, the flow was seen to grow to several times the true motion
    within 50 steps, near the limits that Θ clamps it to, and to stay there. Gradients are clipped to ±`clip`.
    """

    sequences: int = option(MISSING, "sequences to train on in all", TRAINING, modes=("resume",))
    minutes: float | None = option(None, "end training after X minutes in all", TRAINING, modes=("resume",))
    batch: int = option(8, "sequences in a step", TRAINING, memory=True)
    optimiser: str = option(
        "adam",
        "update rule",
        TRAINING,
        choices=("rmsprop", "adam", "sgd", "adagrad", "muon"),
        flags=("--optimiser", "--optimizer"),
    )
    optimiser_options: dict = option(
        {},
        "option of the optimiser, such as momentum=0.98 for muon; may be repeated",
        TRAINING,
        flags=("--optimiser-option", "--optimizer-option"),
    )
    learning_rate: float = option(1e-3, "learning rate at the start", TRAINING, flags=("--lr",))
    decay: float = option(1.0, "factor on the learning rate every --decay-epochs", TRAINING)
    decay_epochs: int = option(5, "epochs between two decays", TRAINING)
    lr_decay_fraction: float = option(
        0.0,
        "fraction of the run, at its end, over which the learning rate falls to a tenth",
        TRAINING,
        most=1,
        flags=("--lr-decay-fraction", "--cooldown"),
        formerly="cooldown",
    )
    mean_over: int = option(
        0,
        "score, keep and export the mean of the weights over about the last N steps; training itself goes on "
        "from the weights of the last one",
        TRAINING,
        least=0,
    )
    flow_warmup: int = option(
        0,
        "hold the flow at zero for the first N sequences, until the decoder has learned to copy; not "
        "the flow of trained weights",
        TRAINING,
        least=0,
        flags=("--flow-warmup", "--still"),
        formerly="still",
    )
    clip: float = option(50.0, "limit gradients to -X..X", TRAINING)
    loss_at: str = option(
        "all", "train on the predictions of all steps, or of the last", TRAINING, choices=("all", "last")
    )
    batch_statistics: str = option(
        "own",
        "what batch normalisation of several processes takes mean and variance of: each the own share of a "
        "batch, or synchronised, all of it",
        TRAINING,
        choices=("own", "synchronised"),
    )
    memory: str = option(
        "full",
        "low: keep only a few states of a sequence and compute the rest again for the backward pass; some "
        "two fifths of the memory for long sequences, a fifth more time",
        TRAINING,
        choices=("full", "low"),
    )
    tf32: bool = option(
        False, "let a GPU round the factors of float32 products to 10 bits: faster, less exact", TRAINING
    )
    cuda_graph: bool = option(
        False,
        "let a GPU run the thousands of kernels of forward and backward pass as one graph: less waiting",
        TRAINING,
    )
    seed: int = option(
        0,
        "seed of initial weights, training sequences and their order",
        TRAINING,
        least=0,
        kept=("experiment", "loop"),
    )
    evaluations: int = option(8, "evaluations between the first step and the last", TRAINING, least=0)
    log_every: int = option(10, "steps between two lines of the log", TRAINING)
    save_every: float = option(60.0, "seconds between checkpoints", RUN, kept=("loop",), modes=("resume",))

    def __post_init__(self):
        """Raise ValueError unless the options fit each other and the optimiser knows its own."""
        if self.memory == "low" and self.cuda_graph:
            raise ValueError("--memory low cannot be combined with --cuda-graph: leave one of them out")
        for name, source in (("learning_rate", "--lr"), ("shapes", "the model")):
            if name in self.optimiser_options:
                raise ValueError(f"--optimiser-option {name} comes from {source}; leave it out")
        nothing = np.empty(0, np.float32)  # a step of no parameters
        getattr(optim, self.optimiser)(lambda x: (0.0, x), nothing, dict(self.optimiser_options), {})

    @property
    def warning(self):
        """What to tell the user of settings that are allowed and hardly meant, or None."""
        zero = [flag for flag, value in (("--lr", self.learning_rate), ("--clip", self.clip)) if value == 0]
        return f"With {' and '.join(zero)} at 0 nothing will be learned." if zero else None


@dataclass(frozen=True)
class RunOptions(LoopOptions):
    """What the commands of all experiments have besides."""

    preset: str | None = option(None, "where all other settings come from")
    out: str | None = option(
        None, "folder for results (default: a new one below runs/)", path="RUN", modes=("evaluate",)
    )
    device: str = option(
        "auto",
        "auto takes the GPU when there is one",
        modes=("resume", "evaluate"),
        choices=("auto", "cpu", "cuda"),
    )
    resume: str | None = option(None, "continue the run in this folder", path="RUN", mode=())
    evaluate: str | None = option(
        None, "score a trained model and train nothing; --out keeps the results", path="CHECKPOINT", mode=()
    )
    export: str | None = option(
        None,
        "pack the trained weights of a finished run into models/pretrained, the folder --out, or the file "
        "--out, whose name then is MODEL.h5 or MODEL_VARIANT.h5",
        path="RUN",
        mode=("out",),
    )
    model_options: dict = option(
        {},
        "option of the architecture, such as n_memory=32; of several models, of those that have it; may be "
        "repeated",
        MODEL,
        memory=True,
    )

    def __post_init__(self):
        """Raise ValueError also where an option of the model is one of the command."""
        super().__post_init__()
        if given := {"height", "width"} & self.model_options.keys():
            raise ValueError(f"--model-option {min(given)}: the size of the frames is --size; leave it out")
