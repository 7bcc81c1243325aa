"""The presets of train.moving_mnist: what they train, what runs begin with, and which options models have."""

import pytest

from nnlite import checkpoint, models
from nnlite.train.moving_mnist import __main__ as moving_mnist
from nnlite.train.moving_mnist.experiment import MovingDigits
from nnlite.train.moving_mnist.presets import GROUPS, PRESETS
from tests.toy_table1 import TOY, plan

COUNTS = {"ae_conv": 109_073, "ae_convlstm": 1_256_305, "ae_convlstm_flow": 1_035_067}

pytestmark = pytest.mark.usefixtures("quick")


@pytest.mark.parametrize("preset", ["quick", "cpu", "paper", "best"])
def test_presets_train_the_papers_architectures_on_its_frames(preset):
    settings = plan(["--model", "all", "--preset", preset, "--device", "cpu"])
    assert set(models.names()) <= set(settings)
    for name, own in settings.items():
        assert (own.size, own.digits, own.speed, own.frames) == (64, 2, (3.6,), 11)
        in_cells = name == "ae_fclstm_cells"
        assert own.model == name.removesuffix("_cells")
        assert own.model_options == ({"cell": 8} if in_cells else {})
        fresh = preset != "paper"
        assert own.train_sequences == (own.sequences if fresh else 10000)
        recipe = ("rmsprop", 1e-4) if not fresh else ("adam", 3e-5) if name == "ae_fclstm" else ("muon", 3e-3)
        assert (own.optimiser, own.learning_rate) == recipe
        assert own.batch == (8 if fresh and name == "ae_fclstm" else 4 if fresh else 1)


@pytest.mark.parametrize("preset", PRESETS)
def test_what_runs_of_a_preset_begin_with(preset):
    """A run begins with weights of one before it, and with a seed of its own; `paper` begins with nothing."""
    settings = plan(["--model", "all", "--preset", preset, "--seed", "5"])
    begun = {name: own.weights for name, own in settings.items() if own.weights}
    chained = {"ae_fclstm": "ae_fclstm_cells", "ae_convlstm": "ae_convlstm_flow"}
    assert begun == (chained if preset in GROUPS else {})
    order = list(settings)
    for name, first in begun.items():
        assert order.index(first) < order.index(name)
        assert settings[first].seed == 5 and settings[name].seed == 6


def test_counts_are_the_papers():
    """AE-fcLSTM's are counted elsewhere; they take half a gigabyte."""
    settings = plan(["--model", "all", "--preset", "quick"])
    for name, count in COUNTS.items():
        assert models.count_parameters(MovingDigits(settings[name]).build_model("cpu")) == count


def test_all_is_quick_unless_told_otherwise():
    quick = plan(["--model", "all"])
    assert quick == plan(["--model", "all", "--preset", "quick"])
    assert quick["ae_conv"] == plan(["--model", "ae_conv", "--preset", "quick"])
    assert quick["ae_convlstm_flow"] == plan(["--preset", "quick"])


def test_one_model_of_a_preset_begins_with_drawn_weights():
    for name in models.names():
        own = plan(["--model", name, "--preset", "quick"])
        expected = {"ae_conv": 8000, "ae_fclstm": 1500, "ae_convlstm": 1200, "ae_convlstm_flow": 1200}
        assert own.weights is None and own.sequences == expected[name]


def test_batch_of_best_depends_on_the_device(monkeypatch):
    monkeypatch.setattr("nnlite.backend.resolve_device", lambda device: "cuda")
    assert plan(["--preset", "best"]).batch == 16
    assert plan(["--preset", "best", "--batch", "2"]).batch == 2


@pytest.mark.parametrize("name", models.names())
def test_options_of_one_model(name, tmp_path):
    """The number of frames reaches AE-Conv, and model options go on top of the preset's."""
    options = ["--model", name, "--frames", "5", "--model-option", "n_memory=3", "--out", str(tmp_path)]
    assert moving_mnist.main([*TOY, *options]) == 0
    saved = checkpoint.load(tmp_path / "checkpoint.h5")
    assert saved.architecture["name"] == name
    wanted = {"n_memory": 3, "kernel": 5, "height": 32} | ({"n_frames": 4} if name == "ae_conv" else {})
    assert wanted.items() <= saved.architecture["options"].items()


def test_model_options_reach_those_that_have_them():
    given = ["untied=True", "n_memory=3", "forget_bias=0"]
    settings = plan([*TOY, *(word for text in given for word in ("--model-option", text))])
    preset = {"n_features": 4, "n_memory": 3, "kernel": 5}
    assert {name: own.model_options for name, own in settings.items()} == {
        "ae_conv": preset,
        "ae_fclstm": preset | {"forget_bias": 0},
        "ae_convlstm": preset | {"forget_bias": 0, "untied": True},
        "ae_convlstm_flow": preset | {"flow_kernel": 5, "forget_bias": 0, "untied": True},
    }


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--figures", "run", "--lr", "1"], "--figures takes its settings from the run; leave out --lr"),
        (["--export", "run", "--data", "x"], "leave out --data"),
        (["--model", "ae_convlst"], "invalid choice: 'ae_convlst' (choose from ae_conv, "),
    ],
)
def test_bad_options(arguments, message, capsys):
    with pytest.raises(SystemExit) as stopped:
        moving_mnist.main(arguments)
    assert stopped.value.code == 2 and message in capsys.readouterr().err


def test_an_option_that_no_model_has(capsys):
    assert moving_mnist.main(["--model", "all", "--model-option", "n_memories=3"]) == 2
    message = "--model-option n_memories: none of ae_conv, ae_fclstm, ae_convlstm, ae_convlstm_flow has such"
    assert message in capsys.readouterr().err
