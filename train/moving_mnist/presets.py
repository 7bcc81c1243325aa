"""The presets of training on moving digits, and the runs of `--model all`."""

from dataclasses import replace

from nnlite import backend, models
from nnlite.train.moving_mnist.settings import Settings
from nnlite.train.runs.model_options import options_by_model
from nnlite.train.runs.options import Preset

#: With the 33 million weights of AE-fcLSTM a step of Muon takes many times as long.
ADAM = {"optimiser": "adam", "learning_rate": 1e-3}
#: Better than the paper's: Muon whose rate falls to a tenth over the second half, and no sequence twice.
MUON = {"optimiser": "muon", "learning_rate": 3e-3, "lr_decay_fraction": 0.5}
#: `batch` None: 4 on the CPU, 16 on the GPU.
PRESETS = {
    "default": Preset(
        "the paper's model on the paper's frames, {digits} digits in {size}x{size} at {speed[0]:g} pixels a "
        "frame, but only {sequences:,} sequences, each seen once. Muon at {learning_rate:g}, falling to a "
        "tenth over the second half, batches of {batch}, and a flow held at zero for the first {flow_warmup} "
        "sequences. Some minutes on two processor cores.",
        MUON | {"sequences": 2300, "batch": 4, "flow_warmup": 400, "evaluations": 4},
        {"ae_fclstm": ADAM},
    ),
    # The paper says neither how long it trains nor to which range it clips: 30 epochs are a choice, range and
    # batch size those of the published code; rmsprop's alpha and epsilon are Torch's own.
    "paper": Preset(
        "sections 4 and 5.1: {digits} digits in {size}x{size} at {speed[0]:g} pixels a frame, "
        "{train_sequences:,} training and {test_sequences:,} test sequences, rmsprop at {learning_rate:g} x "
        "{decay:g} every {decay_epochs} epochs, one sequence at a time. For a GPU. The paper leaves open how "
        "long it trains (here 30 epochs) and to which range it clips gradients (here {clip:g}, as in the "
        "published code); rmsprop's alpha 0.99 and epsilon 1e-8 are Torch's. On an H100, with --cuda-graph "
        "and --tf32, about 40 minutes a model at most (estimated: 300,000 steps at the 7.9 ms of batches of "
        "8; nobody has run it).",
        {
            "train_sequences": 10000,
            "test_sequences": 3000,
            "sequences": 300000,
            "batch": 1,
            "optimiser": "rmsprop",
            "learning_rate": 1e-4,
            "decay": 0.9,
        },
    ),
    "quick": Preset(
        "one by one or with --model all: the paper's frames and architectures, as much training as a quarter "
        "of an hour on two cores allows for all four; Muon as in default, Adam for AE-fcLSTM, no sequence "
        "twice. With --model all AE-fcLSTM begins as convolutions over cells of the frame, written out as "
        "its matrices when they have learned; AE-ConvLSTM begins with encoder, first memory and decoder of "
        "AE-ConvLSTM-flow. The totals include the runs that the weights come from. The same holds for cpu "
        "and best.",
        MUON | {"test_sequences": 200, "batch": 4, "flow_warmup": 200, "evaluations": 2, "sequences": 1200},
        {"ae_conv": {"sequences": 8000}, "ae_fclstm": ADAM | {"sequences": 1500, "save_every": 600.0}},
    ),
    "cpu": Preset(
        "the same, longer: 21 minutes for all four on two cores with AVX-512, more without.",
        MUON | {"test_sequences": 500, "batch": 4, "flow_warmup": 600, "evaluations": 4, "sequences": 6000},
        {
            "ae_conv": {"sequences": 30000},
            "ae_fclstm": ADAM | {"sequences": 9000, "save_every": 600.0},
            "ae_convlstm": {"sequences": 7500},
        },
    ),
    "best": Preset(
        "the same to the end: {sequences:,} sequences (AE-Conv: {by_model[ae_conv][sequences]:,}), batches "
        "of 4 on the CPU and 16 on a GPU, Muon at {learning_rate:g}, for AE-fcLSTM Adam at "
        "{by_model[ae_fclstm][learning_rate]:g}, falling to a tenth over the second half, a flow held at "
        "zero for the first {flow_warmup:,} sequences, and no sequence twice.",
        MUON
        | {
            "test_sequences": 3000,
            "batch": None,
            "flow_warmup": 2400,
            "evaluations": 20,
            "sequences": 200000,
        },
        {"ae_conv": {"sequences": 400000}, "ae_fclstm": ADAM | {"save_every": 600.0}},
    ),
    "ablation": Preset(
        "what train.ablations varies: a small AE-ConvLSTM-flow on {digits} digit in {size}x{size}.",
        {
            "lr_decay_fraction": 0.5,
            "size": 40,
            "digits": 1,
            "sequences": 2000,
            "batch": 4,
            "flow_warmup": 400,
            "evaluations": 2,
            "model_options": {"n_features": 8, "n_memory": 16},
        },
        {"ae_convlstm_flow": {"model_options": {"flow_kernel": 9}}},
    ),
    "tiny": Preset(
        "a toy model on {sequences} sequences, to see in seconds that everything runs. Learns next to "
        "nothing.",
        {
            "size": 32,
            "digits": 1,
            "speed": (1.0,),
            "train_sequences": 64,
            "test_sequences": 16,
            "sequences": 64,
            "model_options": {"n_features": 4, "n_memory": 8, "kernel": 5},
        },
        {"ae_convlstm_flow": {"model_options": {"flow_kernel": 5}}},
    ),
}
_CELLS = {"model": "ae_fclstm", "model_options": {"cell": 8}} | MUON
#: A run of full matrices from those of cells: they were right for all cells alike, small steps are left.
_FULL = {"learning_rate": 3e-5, "lr_decay_fraction": 1.0, "batch": 8, "weights": "ae_fclstm_cells"}
#: What --model all trains with these presets, on top of what they set: what was learned once is not learned
#: again. A run with "weights" begins with those of an earlier one, and sees other sequences than that did.
GROUPS = {
    preset: {
        "ae_conv": {},
        "ae_fclstm_cells": _CELLS | cells,
        "ae_fclstm": _FULL | full,
        "ae_convlstm_flow": {},
        "ae_convlstm": {"weights": "ae_convlstm_flow"} | convlstm,
    }
    for preset, cells, full, convlstm in (
        ("quick", {"sequences": 1800}, {"sequences": 200}, {"sequences": 600}),
        ("cpu", {"sequences": 8000}, {"sequences": 800}, {"sequences": 3600}),
        ("best", {}, {"sequences": 20000}, {}),
    )
}
EPILOG = """\
In place of a trained model --evaluate and --figures take the word 'pretrained', for all models that come with
the package. A run folder gets checkpoint.h5, log.jsonl, result.json, curves.png, predictions.png and
inspect.html, the page of `python -m train.inspect`; with --model all it has one such folder for each run, and
table1.md and table1.json. Ctrl-C saves the run and says how to continue. Results are the same for the same
options and seed on the same machine; a run that was interrupted and resumed on the CPU ends with the same
numbers to the bit.
"""


def settings_for(model, preset, *layers):
    """Return all settings of a run: those of the preset unless a layer has others, the last one first."""
    settings = Settings.layered(*PRESETS[preset].layers(model), *layers, {"model": model, "preset": preset})
    if settings.train_sequences is None:
        settings = replace(settings, train_sequences=settings.sequences)
    if settings.batch is None:
        on_cpu = backend.resolve_device(settings.device) == "cpu"
        settings = replace(settings, batch=4 if on_cpu else 16)
    return settings


def settings_for_all(preset, given):
    """Return {run: its settings} of what `--model all` trains with a preset and what the user gives.

    ValueError for a model option that no architecture has.
    """
    runs = GROUPS.get(preset) or {name: {} for name in models.names()}
    options, found = options_by_model(models.names(), given.get("model_options", {})), {}
    for name, own in runs.items():
        model = own.get("model", name)
        settings = settings_for(model, preset, own, given | {"model_options": options[model]})
        found[name] = replace(settings, seed=settings.seed + 1) if settings.weights else settings
    return found
