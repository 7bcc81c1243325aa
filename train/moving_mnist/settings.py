"""Presets and command line of `python -m train.moving_mnist`."""

from nnlite.train.moving_mnist.arguments import make_parser
from nnlite.train.runs.options import DEFAULTS, layered_by_model, named_options, other_mode

from nnlite import backend, models

PAPERS_DATA = {"size": 64, "digits": 2, "speed": [3.6]}
#: With the 33 million weights of AE-fcLSTM a step of Muon takes many times as long.
ADAM = {"optimiser": "adam", "learning_rate": 1e-3}
#: Better than the paper's: Muon whose rate falls to a tenth over the second half, and no sequence twice.
OUR_RECIPE = {
    "optimiser": "muon",
    "learning_rate": 3e-3,
    "decay": 1.0,
    "cooldown": 0.5,
    "train_sequences": None,
}
#: What each preset sets, for some models on top of that for all ("by_model"). `train_sequences` None: as many
#: different ones as are seen. `batch` None: 4 on the CPU, 16 on the GPU.
PRESETS = {
    "default": PAPERS_DATA
    | OUR_RECIPE
    | {
        "test_sequences": 300,
        "sequences": 2300,
        "batch": 4,
        "still": 400,
        "evaluations": 4,
        "by_model": {"ae_fclstm": ADAM},
    },
    # The paper says neither how long it trains nor to which range it clips: 30 epochs are a choice, range and
    # batch size those of the published code; rmsprop's alpha and epsilon are Torch's own.
    "paper": {
        "size": 64,
        "digits": 2,
        "speed": [3.6],
        "train_sequences": 10000,
        "test_sequences": 3000,
        "sequences": 300000,
        "batch": 1,
        "optimiser": "rmsprop",
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
        "model_options": {"n_features": 4, "n_memory": 8, "kernel": 5},
        "by_model": {"ae_convlstm_flow": {"model_options": {"flow_kernel": 5}}},
    },
    "quick": PAPERS_DATA
    | OUR_RECIPE
    | {
        "test_sequences": 200,
        "batch": 4,
        "still": 200,
        "evaluations": 2,
        "by_model": {
            "ae_conv": {"sequences": 8000},
            "ae_fclstm": ADAM | {"sequences": 1500, "save_every": 600.0},
            "ae_convlstm": {"sequences": 1200},
            "ae_convlstm_flow": {"sequences": 1200},
        },
    },
    "cpu": PAPERS_DATA
    | OUR_RECIPE
    | {
        "test_sequences": 500,
        "batch": 4,
        "still": 600,
        "evaluations": 4,
        "by_model": {
            "ae_conv": {"sequences": 30000},
            "ae_fclstm": ADAM | {"sequences": 9000, "save_every": 600.0},
            "ae_convlstm": {"sequences": 7500},
            "ae_convlstm_flow": {"sequences": 6000},
        },
    },
    "best": PAPERS_DATA
    | OUR_RECIPE
    | {
        "test_sequences": 3000,
        "batch": None,
        "still": 2400,
        "evaluations": 20,
        "sequences": 200000,
        "by_model": {"ae_conv": {"sequences": 400000}, "ae_fclstm": ADAM | {"save_every": 600.0}},
    },
    "ablation": OUR_RECIPE
    | ADAM
    | {
        "size": 40,
        "digits": 1,
        "speed": [3.6],
        "test_sequences": 300,
        "sequences": 2000,
        "batch": 4,
        "still": 400,
        "evaluations": 2,
        "model_options": {"n_features": 8, "n_memory": 16},
        "by_model": {"ae_convlstm_flow": {"model_options": {"flow_kernel": 9}}},
    },
}
#: A run of full matrices from those of cells: they were right for all cells alike, small steps are left.
_FULL = ADAM | {"learning_rate": 3e-5, "cooldown": 1.0, "batch": 8, "weights": "ae_fclstm_cells"}
_CELLS = {"model": "ae_fclstm", "model_options": {"cell": 8}} | OUR_RECIPE
#: What --model all trains with these presets, on top of what they set: what was learned once is not learned
#: again. A run with "weights" begins with those of an earlier one, and sees other sequences than that did.
SUITES = {
    "quick": {
        "ae_conv": {},
        "ae_fclstm_cells": _CELLS | {"sequences": 1800},
        "ae_fclstm": _FULL | {"sequences": 200},
        "ae_convlstm_flow": {},
        "ae_convlstm": {"weights": "ae_convlstm_flow", "sequences": 600},
    },
    "cpu": {
        "ae_conv": {},
        "ae_fclstm_cells": _CELLS | {"sequences": 8000},
        "ae_fclstm": _FULL | {"sequences": 800},
        "ae_convlstm_flow": {},
        "ae_convlstm": {"weights": "ae_convlstm_flow", "sequences": 3600},
    },
    "best": {
        "ae_conv": {},
        "ae_fclstm_cells": _CELLS,
        "ae_fclstm": _FULL | {"sequences": 20000},
        "ae_convlstm_flow": {},
        "ae_convlstm": {"weights": "ae_convlstm_flow"},
    },
}
#: What no preset sets otherwise.
COMMON = DEFAULTS | {
    "model": "ae_convlstm_flow",
    "weights": None,
    "data": None,
    "sequences_file": None,
    "train_sequences_file": None,
    "frames": 11,
    "loss_at": "all",
    "cuda_graph": False,
    "evaluations": 8,
}
#: The options that go with those that name a run; all others are the run's.
COMPANIONS = {
    "resume": {"sequences", "minutes", "data", "device", "save_every"},
    "evaluate": {"test_sequences", "data", "sequences_file", "device", "out"},
    "figures": {"test_sequences", "data", "sequences_file", "device", "out"},
    "export": {"out"},
}

EPILOG = """\
presets:
  default  the paper's model on the paper's frames, two digits in 64x64 at 3.6 pixels a frame, but only 2,300
           sequences, each seen once. Muon at 3e-3, falling to 3e-4 over the second half, batches of 4, and
           a flow that keeps still for the first 400 sequences. Some minutes on two processor cores.
  paper    sections 4 and 5.1: two digits in 64x64 at 3.6 pixels a frame, 10,000 training and 3,000 test
           sequences, rmsprop at 1e-4 x 0.9 every 5 epochs, one sequence at a time. For a GPU. The paper
           leaves open how long it trains (here 30 epochs) and to which range it clips gradients (here
           50, as in the published code); rmsprop's alpha 0.99 and epsilon 1e-8 are Torch's.
  quick    one by one or with --model all: the paper's frames and architectures, as much training as a quarter
           of an hour on two cores allows for all four; Muon as in default, Adam for AE-fcLSTM, no sequence
           twice. With --model all AE-fcLSTM begins as convolutions over cells of the frame, written out as
           its matrices when they have learned; AE-ConvLSTM begins with encoder, first memory and decoder of
           AE-ConvLSTM-flow. What they begin with is counted in. The same with cpu and best.
  cpu      the same, longer: 21 minutes for all four on two cores with AVX-512, more without.
  best     the same to the end: 200,000 sequences (AE-Conv: 400,000), batches of 4 on the CPU and 16 on a GPU,
           Muon at 3e-3, for AE-fcLSTM Adam at 1e-3, falling to a tenth over the second half, a flow that
           keeps still for the first 2,400 sequences, and no sequence twice.
  ablation what train.ablations varies: a small AE-ConvLSTM-flow on one digit in 40x40.
  tiny     a toy model on 64 sequences, to see in seconds that everything runs. Learns next to nothing.

Ctrl-C saves the run and says how to go on. Results are the same for the same options and seed on the same
machine; a run that was interrupted and resumed on the CPU ends with the same numbers to the bit.
"""


def settle(argv):
    """Return what the command line asks for, and the settings by name.

    "train" comes with a value for every setting, "all" with {run: such settings}; "resume", "evaluate",
    "figures" and "export" only with what was given, besides the path under their own name.
    """
    parser = make_parser([*models.names(), "all"], PRESETS, EPILOG)
    given = {name: value for name, value in vars(parser.parse_args(argv)).items() if value is not None}
    if "speed" in given and len(given["speed"]) > 2:
        parser.error("--speed takes one number, or the two ends of a range")
    if mode := other_mode(parser, given, COMPANIONS):
        return mode, given
    given = named_options(given)
    model = given.pop("model", COMMON["model"])
    if model == "all":
        if "weights" in given:
            parser.error("--weights are of one architecture; name it with --model")
        return "all", _settings_for_all(parser, given.pop("preset", "quick"), given)
    return "train", settings_for(model, given.pop("preset", "default"), given)


def _settings_for_all(parser, preset, given):
    """Return {run: all its settings} of what `--model all` trains with a preset."""
    runs = SUITES.get(preset) or {name: {} for name in models.names()}
    options = given.pop("model_options")
    known = {name: models.option_names(name) for name in models.names()}
    for option in options:
        if not any(option in names for names in known.values()):
            parser.error(f"--model-option {option}: none of {', '.join(known)} has such an option")
    settings = {}
    for name, own in runs.items():
        model = own.get("model", name)
        its_options = {option: value for option, value in options.items() if option in known[model]}
        settings[name] = settings_for(model, preset, own, given | {"model_options": its_options})
        if settings[name]["weights"]:
            settings[name]["seed"] += 1
    return settings


def settings_for(model, preset, *layers):
    """Return all settings of a run, those of the preset unless a layer has others, the last one first."""
    settings = layered_by_model(model, COMMON, PRESETS[preset], *layers)
    if settings["train_sequences"] is None:
        settings["train_sequences"] = settings["sequences"]
    if settings["batch"] is None:
        settings["batch"] = 4 if backend.resolve_device(settings["device"]) == "cpu" else 16
    return settings
