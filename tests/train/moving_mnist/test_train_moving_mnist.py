"""The main job from the command line: a toy run, its files, interruptions, and what is refused."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

from nnlite import checkpoint, models
from nnlite.train.moving_mnist import __main__ as moving_mnist
from nnlite.train.moving_mnist.experiment import MovingDigits
from nnlite.train.moving_mnist.presets import PRESETS, settings_for
from nnlite.train.runs.log import read_log
from nnlite.train.runs.loop_options import LoopOptions
from tests.toy_table1 import less_work, plan

ROOT = Path(__file__).parents[3]
TOY = [
    "--preset",
    "tiny",
    "--data",
    "drawn",
    "--test-sequences",
    "10",
    "--device",
    "cpu",
    "--sequences",
    "128",
]

pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a toy run of 128 sequences."""
    folder = tmp_path_factory.mktemp("runs") / "finished"
    with less_work(pictures=True):
        assert moving_mnist.main([*TOY, "--out", str(folder)]) == 0
    return folder


def test_run_folder(finished):
    names = {entry.name for entry in finished.iterdir()}
    pictures = {"curves.png", "predictions.png", "inspect.html"}
    assert names == {"checkpoint.h5", "log.jsonl", "result.json", ".lock"} | pictures
    for name in ("curves.png", "predictions.png"):
        assert min(plt.imread(finished / name).shape[:2]) > 200
    log = read_log(finished)
    losses = [line["loss"] for line in log if "loss" in line]
    assert losses and all(0 < loss < 1 for loss in losses)
    first, *_, last = (line["evaluation"] for line in log if "evaluation" in line)
    assert first["flow_arriving"] == first["zero_arriving"]  # the initial flow is zero
    assert last["bce"]["all"] < first["bce"]["all"]


def test_result(finished):
    result = json.loads((finished / "result.json").read_text())
    assert result["sequences_seen"] == 128 and result["steps"] == 16
    assert result["experiment"]["data"] == "drawn" and result["experiment"]["seed"] == 0
    assert result["commands"][0].startswith("python -m train.moving_mnist --preset tiny")
    assert result["hardware"]["device"] == "cpu" and result["training_seconds"] > 0
    assert result["scores"]["bce"]["last"] == pytest.approx(
        result["ratios"]["bce_to_copy"]["last"] * result["baselines"]["copy"]["last"]
    )
    assert 0 < result["ratios"]["flow_to_zero_arriving"]["last"] < 3
    LoopOptions.from_dict(result["options"])
    assert [point["sequences"] for point in result["curve"]] == [0, 8, 24, 40, 56, 64, 80, 96, 112, 128]
    assert result["curve"][-1]["bce"] == pytest.approx(result["scores"]["bce"])  # as many as are watched


def test_table_is_printed(finished, capsys):
    assert moving_mnist.main(["--evaluate", str(finished / "checkpoint.h5")]) == 0
    printed = capsys.readouterr().out
    for words in (
        "copy of the last frame, calibrated",
        "best constant",
        "zero flow",
        "frame 11",
        "(10,343 par",
    ):
        assert words in printed


def test_evaluate_gives_the_same_scores(finished, tmp_path):
    arguments = ["--evaluate", str(finished / "checkpoint.h5"), "--out", str(tmp_path / "again")]
    assert moving_mnist.main(arguments) == 0
    again = json.loads((tmp_path / "again" / "result.json").read_text())
    result = json.loads((finished / "result.json").read_text())
    assert again["scores"] == result["scores"] and again["baselines"] == result["baselines"]
    assert (tmp_path / "again" / "predictions.png").exists()


def begin(folder, until_step, stop):
    """Start a toy run in another process; send it the signal `stop` once its log has reached `until_step`."""
    command = [sys.executable, "-m", "train.moving_mnist", *TOY, "--save-every", "0", "--out", str(folder)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if (log := read_log(folder)) and log[-1]["step"] >= until_step:
            process.send_signal(stop)
            break
        time.sleep(0.005)
    output, errors = process.communicate(timeout=60)
    return process.returncode, output, errors


def state(folder):
    """Return all numbers of a run but times."""
    saved = checkpoint.load(folder / "checkpoint.h5")
    log = [{name: value for name, value in line.items() if name != "seconds"} for line in read_log(folder)]
    arrays = {**saved.parameters, "m": saved.optimiser["m"], "v": saved.optimiser["v"]}
    return {name: array.tobytes() for name, array in arrays.items()}, log


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGINT])
def test_interrupted_and_resumed_is_the_same_to_the_bit(stop, finished, tmp_path):
    folder = tmp_path / "a run"
    code, output, errors = begin(folder, 2, stop)
    if stop == signal.SIGINT:
        assert code == 130, errors
        assert f"python -m train.moving_mnist --resume '{folder}'" in output
        assert "of 128 sequences; the run is saved" in output
        assert not (folder / "result.json").exists()
    else:
        assert code == -signal.SIGKILL, errors
    assert 0 < checkpoint.load(folder / "checkpoint.h5").position["step"] < 16
    assert moving_mnist.main(["--resume", str(folder), "--device", "cpu"]) == 0
    assert state(folder) == state(finished)
    result = json.loads((folder / "result.json").read_text())
    assert (
        len(result["commands"]) == 2
        and result["scores"] == json.loads((finished / "result.json").read_text())["scores"]
    )


def test_a_finished_run_can_be_trained_further(tmp_path):
    folder = tmp_path / "run"
    assert moving_mnist.main([*TOY, "--sequences", "16", "--out", str(folder)]) == 0
    assert moving_mnist.main(["--resume", str(folder), "--sequences", "32"]) == 0
    result = json.loads((folder / "result.json").read_text())
    assert result["sequences_seen"] == 32 and result["options"]["sequences"] == 32


def test_options_reach_the_run(tmp_path):
    folder = tmp_path / "run"
    options = [
        "--size",
        "34",
        "--digits",
        "2",
        "--speed",
        "1",
        "3",
        "--frames",
        "4",
        "--batch",
        "4",
        "--seed",
        "3",
    ]
    options += ["--optimiser", "rmsprop", "--lr", "0.01", "--loss-at", "last", "--sequences", "8"]
    options += ["--optimiser-option", "alpha=0.9"]
    options += ["--model-option", "n_memory=5", "--model-option", "penalty=isotropic", "--out", str(folder)]
    assert moving_mnist.main([*TOY, *options]) == 0
    saved = checkpoint.load(folder / "checkpoint.h5")
    experiment, loop = saved.metadata["experiment"], saved.metadata["loop"]
    assert (experiment["size"], experiment["digits"], experiment["speed"]) == (34, 2, [1.0, 3.0])
    assert (experiment["frames"], experiment["seed"], loop["seed"], loop["batch"]) == (4, 3, 3, 4)
    assert (loop["optimiser"], loop["learning_rate"], loop["loss_at"]) == ("rmsprop", 0.01, "last")
    assert loop["optimiser_options"] == {"alpha": 0.9}
    assert saved.architecture["options"]["n_memory"] == 5
    assert saved.architecture["options"]["penalty"] == "isotropic"


@pytest.mark.parametrize(
    "text, value",
    [("False", False), ("TRUE", True), ("None", None), ("null", None), ("0.5", 0.5), ("paper", "paper")],
)
def test_values_of_model_options(text, value):
    assert plan(["--model-option", f"penalty={text}"]).model_options == {"penalty": value}


def test_digits_that_stand_still(tmp_path, capsys):
    folder = tmp_path / "run"
    assert moving_mnist.main([*TOY, "--sequences", "8", "--speed", "0", "--out", str(folder)]) == 0
    assert "model / zero flow" in capsys.readouterr().out
    text = (folder / "result.json").read_text()
    assert json.loads(text)["ratios"]["flow_to_zero_arriving"] == {"last": None, "all": None}
    assert "NaN" not in text and "Infinity" not in text


def test_paper_preset_is_the_papers():
    settings = plan(["--preset", "paper"])
    model = MovingDigits(settings).build_model("cpu")
    assert models.count_parameters(model) == 1_035_067
    expected = {"size": 64, "digits": 2, "frames": 11, "train_sequences": 10000, "test_sequences": 3000}
    expected |= {
        "optimiser": "rmsprop",
        "learning_rate": 1e-4,
        "decay": 0.9,
        "decay_epochs": 5,
        "loss_at": "all",
    }
    assert {name: getattr(settings, name) for name in expected} == expected
    forget = [w for name, w, _ in model.named_parameters() if "forget" in name and name.endswith("bias")]
    assert all((bias == 1).all() for bias in forget)
    assert plan([]) == settings_for("ae_convlstm_flow", "default")


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--preset", "quik"], "invalid choice: 'quik' (choose from default, "),
        (["--preset", "quik"], "did you mean 'quick'?"),
        (["--sequences", "9", "--test-sequnces", "9"], "; did you mean '--test-sequences'?"),
        (["--batch", "0"], "--batch: must be a whole number, at least 1, got 0"),
        (["--batch", "many"], "--batch: must be a whole number, at least 1, got many"),
        (["--speed", "-1"], "--speed"),
        (["--lr", "nan"], "--lr: must be a finite number, at least 0, got nan"),
        (["--model-option", "n_memory"], "must be NAME=VALUE, got n_memory"),
        (["--resume", "somewhere", "--lr", "1"], "--resume takes its settings from the run; leave out --lr"),
        (["--evaluate", "file", "--preset", "tiny"], "leave out --preset"),
        (["--resume", "somewhere", "--optimiser-option", "alpha=0"], "leave out --optimiser-option"),
        (["--resume", "a", "--evaluate", "b"], "leave out --evaluate"),
    ],
)
def test_bad_options(arguments, message, capsys):
    with pytest.raises(SystemExit) as stopped:
        moving_mnist.main(arguments)
    assert stopped.value.code == 2 and message in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--speed", "1", "2", "3"], "--speed takes one number, or the two ends of a range"),
        (["--model", "all", "--weights", "file"], "--weights are of one architecture; name it with --model"),
        (["--data", "/no/such/folder"], "--data: there is no folder /no/such/folder"),
        (["--size", "33"], "height and width must be even, got 33x33"),
        (["--size", "20"], "size must be above 28 x 28, the size of a digit, got 20 x 20"),
        (["--speed", "3", "1"], "speed must be 0 <= min <= max < infinity pixels a frame, got 3.0 and 1.0"),
        (["--model-option", "n_memories=3"], "n_memories"),
        (["--model-option", "n_memory=0"], "nn.SeqConvLSTM: n_out must be an integer >= 1, got 0"),
        (["--model-option", "untied=off"], "untied must be True or False, got 'off'"),
        (["--optimizer", "muon", "--optimizer-option", "momentun=0.9"], "did you mean 'momentum'?"),
        (["--optimiser-option", "beta1=fast"], "optim.adam: beta1 must be a number, got 'fast'"),
        (["--optimiser-option", "learning_rate=1"], "--optimiser-option learning_rate comes from --lr"),
        (["--model", "all", "--optimiser-option", "momentum=0.98"], "unknown key 'momentum' in config"),
        (["--tf32", "--device", "cpu"], "TF32 is a mode of GPUs"),
    ],
)
def test_settings_that_cannot_be(arguments, message, tmp_path, capsys):
    folder = tmp_path / "run"
    assert moving_mnist.main([*TOY, *arguments, "--out", str(folder)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and message in error
    assert not folder.exists()


def test_cuda_without_a_gpu(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("nnlite.backend.cuda_unavailable_reason", lambda: "there is no GPU here")
    assert moving_mnist.main([*TOY, "--device", "cuda", "--out", str(tmp_path / "run")]) == 2
    assert "device 'cuda' asked for, but there is no GPU here" in capsys.readouterr().err


def test_a_run_is_not_overwritten(finished, capsys):
    assert moving_mnist.main([*TOY, "--out", str(finished)]) == 2
    assert "holds a run already; --resume it, or choose another --out" in capsys.readouterr().err


def test_broken_checkpoints(finished, tmp_path, capsys):
    (tmp_path / "checkpoint.h5").write_bytes((finished / "checkpoint.h5").read_bytes()[:5000])
    for arguments in (["--resume", str(tmp_path)], ["--evaluate", str(tmp_path / "checkpoint.h5")]):
        assert moving_mnist.main(arguments) == 2
        assert "checkpoint.h5 is not a checkpoint, or is truncated or damaged" in capsys.readouterr().err
    assert moving_mnist.main(["--resume", str(tmp_path / "nowhere")]) == 2
    assert "there is no checkpoint" in capsys.readouterr().err
    model = models.build(
        "ae_convlstm_flow", height=8, width=8, n_features=2, n_memory=2, kernel=3, flow_kernel=3
    )
    checkpoint.save(tmp_path / "other.h5", model)
    assert moving_mnist.main(["--evaluate", str(tmp_path / "other.h5")]) == 2
    assert "other.h5 is a checkpoint, but not one of train.moving_mnist" in capsys.readouterr().err


def test_other_digits_than_those_learned_from(finished, tmp_path, capsys):
    assert moving_mnist.main(["--resume", str(finished), "--data", str(tmp_path)]) == 2
    assert "learned from the project's own drawing" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_divergence_is_reported(tmp_path, capsys):
    arguments = [*TOY, "--optimiser", "sgd", "--lr", "3e38", "--clip", "1e30", "--out", str(tmp_path / "run")]
    assert moving_mnist.main(arguments) == 1
    assert "training diverged after" in capsys.readouterr().err


def test_help_names_presets_and_options(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit) as stopped:
        moving_mnist.main(["--help"])
    text = capsys.readouterr().out
    assert stopped.value.code == 0
    for words in ("--resume", "--evaluate", "--loss-at", "NNLITE_DATA", "Ctrl-C", *PRESETS):
        assert words in text
