"""What is done with trained models: figures, export, pretrained weights, sequences from files."""

import json
import re
import shutil

import matplotlib.pyplot as plt
import numpy as np
import pytest

from nnlite import checkpoint, models
from nnlite.data.moving_mnist import MovingMNIST, load_digits
from nnlite.data.moving_mnist_files import save_sequences
from nnlite.train.moving_mnist import __main__ as moving_mnist
from nnlite.train.moving_mnist import evaluation, table1
from nnlite.train.moving_mnist.experiment import MovingDigits
from nnlite.train.runs import group
from nnlite.train.runs.experiment import load_trained, pretrained_of
from tests.toy_table1 import TOY, plan

pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture
def finished(finished_table1):
    """The folder of a finished run of all four."""
    return finished_table1


@pytest.fixture
def pretrained(finished, tmp_path, monkeypatch):
    """The folder of pretrained models, holding those of the finished run."""
    monkeypatch.setattr(models, "PRETRAINED", tmp_path / "pretrained")
    assert moving_mnist.main(["--export", str(finished)]) == 0
    return tmp_path / "pretrained"


# ---- figures ------------------------------------------------------------------------------------------

PICTURES = ("figure3.png", "figure5.png", "frames_seen.png", "rollout.png", "rollout_errors.png")


def test_figures(finished, tmp_path):
    options = ["--out", str(tmp_path), "--test-sequences", "5"]
    assert moving_mnist.main(["--figures", str(finished), *options]) == 0
    for name in PICTURES:
        assert min(plt.imread(tmp_path / name).shape[:2]) > 200
    rollout = json.loads((tmp_path / "rollout.json").read_text())
    assert rollout["seen"] == 10 and rollout["sequences"] == 5
    assert list(rollout["models"]) == ["AE-Conv", "AE-fcLSTM", "AE-ConvLSTM", "AE-ConvLSTM-flow"]
    assert {len(values) for values in [*rollout["models"].values(), *rollout["baselines"].values()]} == {10}


def test_errors_of_the_figures_are_the_tables(finished, tmp_path):
    assert moving_mnist.main(["--figures", str(finished), "--out", str(tmp_path)]) == 0
    rollout, by_frames_seen = (
        json.loads((tmp_path / f"{name}.json").read_text()) for name in ("rollout", "frames_seen")
    )
    table = json.loads((finished / "table1.json").read_text())
    for row in table["rows"]:
        assert rollout["models"][row["title"]][0] == pytest.approx(row["error"], rel=1e-5)
        errors = by_frames_seen["models"][row["title"]]
        assert errors[-1] == pytest.approx(row["error"], rel=1e-5)
        assert row["mean_error"] is None or np.mean(errors) == pytest.approx(row["mean_error"], rel=1e-5)
    for name in ("copy", "constant"):
        assert by_frames_seen["baselines"][name][-1] == pytest.approx(table["baselines"][name]["last"])


def test_figures_of_one_model(finished, tmp_path):
    folder = shutil.copytree(finished / "ae_convlstm", tmp_path / "ae_convlstm")
    assert moving_mnist.main(["--figures", str(folder), "--test-sequences", "2"]) == 0
    assert list(json.loads((folder / "rollout.json").read_text())["models"]) == ["AE-ConvLSTM"]


def test_figures_of_nothing(tmp_path, capsys):
    assert moving_mnist.main(["--figures", str(tmp_path / "all")]) == 2
    assert "there is no checkpoint" in capsys.readouterr().err
    group.begin(tmp_path / "all", MovingDigits, plan([*TOY[2:], "--model", "all"]))
    assert moving_mnist.main(["--figures", str(tmp_path / "all")]) == 2
    assert f"no run in {tmp_path / 'all'} is finished" in capsys.readouterr().err


# ---- pretrained ---------------------------------------------------------------------------------------


def test_exported_weights_are_loaded(finished, pretrained):
    frames = MovingMNIST(np.full((3, 28, 28), 255, np.uint8), (32, 32), 1).batch(range(2)).frames[:10]
    assert models.pretrained_names() == models.names()
    for name in models.names():
        saved = checkpoint.load(pretrained / f"{name}.h5")
        assert {array.dtype for array in saved.parameters.values()} == {np.dtype(np.float32)}
        assert saved.optimiser == {} and saved.metadata["result"]["sequences_seen"] == 16
        assert saved.metadata["commands"][0].startswith("python -m train.moving_mnist --model all")
        _, trained, _ = load_trained(MovingDigits, finished / name / "checkpoint.h5")
        np.testing.assert_array_equal(models.load_pretrained(name).forward(frames), trained.forward(frames))
        assert str(finished.parent) not in json.dumps(saved.metadata)


def test_pretrained_of_another_size(pretrained):
    model = models.load_pretrained("ae_convlstm", height=36, width=40)
    assert model.forward(np.zeros((2, 1, 1, 36, 40), np.float32)).shape == (2, 1, 1, 36, 40)
    with pytest.raises(ValueError, match="of another shape"):
        models.load_pretrained("ae_fclstm", height=36, width=40)


def test_pretrained_give_the_same_scores(finished, pretrained, tmp_path, capsys):
    assert moving_mnist.main(["--evaluate", "pretrained", "--out", str(tmp_path / "again")]) == 0
    assert "| AE-ConvLSTM-flow " in capsys.readouterr().out
    again = json.loads((tmp_path / "again" / "table1.json").read_text())
    table = json.loads((finished / "table1.json").read_text())
    for new, old in zip(again["rows"], table["rows"], strict=True):
        assert new["error"] == pytest.approx(old["error"], abs=1e-6)
        for name in ("training_seconds", "hardware", "sequences_seen", "parameters", "commands", "curve"):
            assert new[name] == old[name]


def test_curves_stay_those_of_the_training(pretrained, tmp_path):
    options = ["--test-sequences", "2", "--out", str(tmp_path / "again")]
    assert moving_mnist.main(["--evaluate", "pretrained", *options]) == 0
    page = (tmp_path / "again" / "table1.md").read_text()
    assert "on 2 test sequences" in page
    assert "In the course of training, on the first 8 test sequences; dotted: the paper's." in page
    assert min(plt.imread(tmp_path / "again" / table1.CURVES).shape[:2]) > 200


def test_weights_of_the_package():
    """Each is small and predicts digits that it has not seen better than a copy would."""
    digits = load_digits("drawn")[1]
    assert all(models.pretrained_path(name).stat().st_size < 6e6 for name in models.pretrained_names())
    for name in pretrained_of(MovingDigits):
        experiment = checkpoint.load(models.pretrained_path(name)).metadata["experiment"]
        size = experiment["size"]
        data = MovingMNIST(digits, (size, size), experiment["digits"], n_frames=experiment["frames"])
        scores = evaluation.evaluate(models.load_pretrained(name), data, 8, 8)
        assert scores["bce"]["last"] < evaluation.score_baselines(data, data, 8)["copy"]["last"]


def test_figures_of_pretrained(pretrained, tmp_path):
    options = ["--figures", "pretrained", "--out", str(tmp_path / "figures"), "--test-sequences", "2"]
    assert moving_mnist.main(options) == 0
    assert all((tmp_path / "figures" / name).exists() for name in PICTURES)


def test_what_is_not_pretrained(pretrained, capsys):
    (pretrained / "ae_fclstm.h5").unlink()
    with pytest.raises(ValueError, match="pretrained model 'ae_fclstm'; there are: ae_conv, ae_convlstm, ae"):
        models.load_pretrained("ae_fclstm")
    for path in pretrained.glob("*.h5"):
        path.unlink()
    with pytest.raises(ValueError, match="no pretrained model 'ae_conv'; there are: none"):
        models.load_pretrained("ae_conv")
    for option in ("--evaluate", "--figures"):
        assert moving_mnist.main([option, "pretrained"]) == 2
        assert "there are no pretrained models of train.moving_mnist in" in capsys.readouterr().err


def test_too_large_to_export(finished, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("nnlite.train.runs.export.LIMIT", 25_000)  # bytes: ae_convlstm has 29,306
    assert moving_mnist.main(["--export", str(finished), "--out", str(tmp_path)]) == 0
    assert {path.stem for path in tmp_path.iterdir()} == set(models.names()) - {"ae_convlstm"}
    assert "ae_convlstm is left out" in capsys.readouterr().out
    assert moving_mnist.main(["--export", str(finished / "ae_convlstm"), "--out", str(tmp_path)]) == 2
    assert "holds no model of at most 0.025 MB" in capsys.readouterr().err


def test_unfinished_runs_are_not_exported(tmp_path, capsys):
    assert moving_mnist.main(["--export", str(tmp_path)]) == 2
    assert "holds no finished run" in capsys.readouterr().err


def test_weights_that_learned_from_mnist_need_mnist(finished, tmp_path, monkeypatch, capsys):
    """They know it by name only."""
    path = tmp_path / "checkpoint.h5"
    _, model, saved = load_trained(MovingDigits, finished / "ae_conv" / "checkpoint.h5")
    saved.metadata["experiment"]["data"] = "MNIST"
    checkpoint.save_parameters(path, model, architecture=saved.architecture, metadata=saved.metadata)
    monkeypatch.delenv("NNLITE_DATA", raising=False)
    assert moving_mnist.main(["--evaluate", str(path)]) == 2
    assert "learned from MNIST: name the folder of its idx files with --data" in capsys.readouterr().err


def test_weights_that_learned_from_mnist_can_be_tried_on_drawn_digits(finished, tmp_path, capsys):
    path = tmp_path / "checkpoint.h5"
    _, model, saved = load_trained(MovingDigits, finished / "ae_conv" / "checkpoint.h5")
    saved.metadata["experiment"]["data"] = "MNIST"
    checkpoint.save_parameters(path, model, architecture=saved.architecture, metadata=saved.metadata)
    assert (
        moving_mnist.main(["--evaluate", str(path), "--data", "drawn", "--out", str(tmp_path / "again")]) == 0
    )
    assert "the project's own drawing" in capsys.readouterr().out
    result = json.loads((tmp_path / "again" / "result.json").read_text())
    expected = json.loads((finished / "ae_conv" / "result.json").read_text())
    assert result["scores"] == expected["scores"]


def test_training_goes_on_with_the_digits_that_it_began_with(finished, tmp_path, capsys):
    run = shutil.copytree(finished / "ae_conv", tmp_path / "run")
    assert moving_mnist.main(["--resume", str(run), "--data", str(tmp_path)]) == 2
    assert f"learned from the project's own drawing; --data {tmp_path} differs" in capsys.readouterr().err


# ---- sequences from files -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A .npy and a .t7 file of 20 sequences of 12 frames."""
    folder = tmp_path_factory.mktemp("files")
    digits = load_digits("drawn")[1]
    for name, seed in (("test.npy", 1), ("train.t7", 2)):
        save_sequences(folder / name, MovingMNIST(digits, (32, 32), 1, n_frames=12, seed=seed), 20)
    return folder


def test_train_and_test_on_files(files, tmp_path, capsys):
    options = ["--model", "ae_convlstm_flow", "--train-sequences", "20", "--out", str(tmp_path)]
    train, test = str(files / "train.t7"), str(files / "test.npy")
    options += ["--sequences-file", test, "--train-sequences-file", train]
    assert moving_mnist.main([*TOY, *options]) == 0
    printed = capsys.readouterr().out
    assert "on the cpu: train.t7, tested on test.npy" in printed and "End-point" not in printed
    result = json.loads((tmp_path / "result.json").read_text())
    assert {"bce", "roughness"} == set(result["scores"])
    assert moving_mnist.main(["--figures", str(tmp_path)]) == 0
    rollout = json.loads((tmp_path / "rollout.json").read_text())
    assert len(rollout["baselines"]["copy"]) == 2  # the files have two frames beyond the ten


def test_evaluate_on_a_file(finished, files, capsys):
    path = str(finished / "ae_convlstm_flow" / "checkpoint.h5")
    assert moving_mnist.main(["--evaluate", path]) == 0
    usual = capsys.readouterr().out
    assert moving_mnist.main(["--evaluate", path, "--sequences-file", str(files / "test.npy")]) == 0
    printed = capsys.readouterr().out
    assert "tested on test.npy" in printed and "End-point" not in printed
    score = re.compile(r"ae_convlstm_flow +\| +0\.\d+")
    assert score.search(printed)[0] != score.search(usual)[0]


@pytest.mark.parametrize(
    "options, message",
    [
        (["--sequences-file", "test.npy", "--test-sequences", "21"], "fewer than --test-sequences 21"),
        (["--sequences-file", "test.npy", "--size", "40"], "frames of 32x32, the model takes 40x40"),
        (["--sequences-file", "test.npy", "--frames", "13"], "of 12 frames, fewer than the 13 requested"),
        (["--train-sequences-file", "train.t7"], "holds 20 sequences, fewer than --train-sequences 64"),
        (["--sequences-file", "none.npy"], "there is no sequence file none.npy"),
    ],
)
def test_files_that_do_not_fit(options, message, files, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(files)
    assert moving_mnist.main([*TOY, *options, "--out", str(tmp_path / "run")]) == 2
    assert message in capsys.readouterr().err
