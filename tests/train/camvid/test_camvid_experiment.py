"""train.camvid: toy runs on moving shapes and on made-up CamVid, the comparison, and what is refused."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

from nnlite import checkpoint, models
from nnlite.data.label_colours import CLASSES, PALETTE
from nnlite.data.moving_shapes import MovingShapes
from nnlite.train.camvid import __main__ as camvid
from nnlite.train.camvid.data import Data, input_and_target
from nnlite.train.camvid.evaluation import evaluate, propagated_labels, segment
from nnlite.train.camvid.experiment import LabelledVideo
from nnlite.train.camvid.figures import draw_examples, draw_sequence
from nnlite.train.camvid.scores import median_frequency_weights
from nnlite.train.runs.experiment import load_trained, reopen
from nnlite.train.runs.log import read_log
from tests import cupy_double
from tests.toy_camvid import QUICK, TOY, assert_drawn, draw_nothing, result_of

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The folder of a toy run of both networks on moving shapes."""
    folder = tmp_path_factory.mktemp("runs") / "both"
    assert camvid.main([*TOY, "--out", str(folder)]) == 0
    return folder


def test_folder_of_both(both):
    names, figures = ("segnet", "segnet_flow"), {"figure8.png", "sequence.png"}
    tables = {"suite.json", "table2.md", "table2.json", ".lock"}
    confusions = {f"confusion_{name}.png" for name in names}
    assert {entry.name for entry in both.iterdir()} == {*names} | tables | figures | confusions
    for name in names:
        files = {"checkpoint.h5", "log.jsonl", "result.json", ".lock"}
        pictures = {"curves.png", f"confusion_{name}.png", "inspect.html"}
        assert {entry.name for entry in (both / name).iterdir()} == files | figures | pictures
    for path in both.rglob("*.png"):
        assert_drawn(path)


def test_result(both):
    for name in ("segnet", "segnet_flow"):
        result = result_of(both / name)
        assert result["experiment"]["model"] == name and result["experiment"]["data"] == "moving shapes"
        assert result["sequences_seen"] == 32 and result["steps"] == 8
        scores = result["scores"]["labels"]
        pixels = 16 * 16 * 8
        assert np.sum(scores["labelled"]["counts"]) == pixels
        assert np.sum(scores["unlabelled"]["counts"]) == 5 * pixels
        assert len(scores["steps"]) == 6
        # Only the last step has labels in training.
        assert scores["steps"][5]["class_average"] == scores["labelled"]["class_average"]
        assert [point["sequences"] for point in result["curve"]] == [0, 16, 32]
        train = MovingShapes(size=(16, 16))
        maps = (train.batch([i]).visible_labels[-1, 0] for i in range(200))
        np.testing.assert_allclose(result["weights"], median_frequency_weights(maps, 6))
    flow, prediction = result["scores"]["flow"], result["scores"]["prediction"]
    assert flow["zero"]["last"] > 0.5 and prediction["copy"] > 0
    assert flow["model"]["last"] != flow["zero"]["last"]
    assert "basic" in result["scores"] and "basic" not in result_of(both / "segnet")["scores"]
    first = result["scores"]["basic"]["steps"][0]
    assert first == result["scores"]["labels"]["steps"][0]  # nothing to propagate yet


def test_training_changes_everything(both):
    """Every parameter array of SegNet-flow is another one after training, the running means too."""
    experiment, saved = reopen(LabelledVideo, both / "segnet_flow" / "checkpoint.h5")
    model = experiment.build_model("cpu")
    for path, weight, _ in model.named_parameters():
        assert (saved.parameters[path] != weight).any(), path
    for path, array in model.named_buffers():
        assert (saved.buffers[path] != array).any(), path


def test_comparison(both):
    page = (both / "table2.md").read_text()
    for words in (
        "# Moving shapes",
        "| SegNet-flow ",
        "SegNet within SegNet-flow, nothing carried along",
        "frame 6",
        "End-point error",
        "python -m train.camvid --preset tiny",
        "n_features 4",
    ):
        assert words in page
    assert ", paper |" not in page and str(both.parent) not in page
    table = json.loads((both / "table2.json").read_text())
    assert table["segnet"]["scores"] == result_of(both / "segnet")["scores"]


def test_evaluate_gives_the_same_scores(both, tmp_path, capsys):
    for name in ("segnet", "segnet_flow"):
        path = str(both / name / "checkpoint.h5")
        assert camvid.main(["--evaluate", path, "--out", str(tmp_path / name)]) == 0
        assert result_of(tmp_path / name)["scores"] == result_of(both / name)["scores"]
        assert_drawn(tmp_path / name / "sequence.png")
    assert "SegNet-flow (2,625 parameters) on the cpu, 16x16 pixels" in capsys.readouterr().out
    assert camvid.main(["--evaluate", path, "--test-sequences", "3", "--out", str(tmp_path / "few")]) == 0
    few = result_of(tmp_path / "few")["scores"]["labels"]["labelled"]
    assert np.sum(few["counts"]) == 3 * 16 * 16


def trained(folder):
    """Return the model of a run, and its data."""
    experiment, model, _ = load_trained(LabelledVideo, folder / "checkpoint.h5", {"device": "cpu"})
    experiment.load()
    return model, experiment.data


def test_batches_do_not_matter_to_the_score(both):
    model, data = trained(both / "segnet_flow")
    one, three = (evaluate(model, data.test, 8, batch, data.classes) for batch in (1, 3))
    assert one["labels"] == three["labels"]
    assert one["flow"]["model"]["all"] == pytest.approx(three["flow"]["model"]["all"], rel=1e-5)


def state(folder):
    """Return all numbers of a run but times."""
    saved = checkpoint.load(folder / "checkpoint.h5")
    log = [{name: value for name, value in line.items() if name != "seconds"} for line in read_log(folder)]
    arrays = {**saved.parameters, **saved.buffers, "m": saved.optimiser["m"], "v": saved.optimiser["v"]}
    return {name: array.tobytes() for name, array in arrays.items()}, log


def test_interrupted_and_resumed_is_the_same_to_the_bit(both, monkeypatch, tmp_path):
    """The first network is done and the second one half-way when the process is killed."""
    draw_nothing(monkeypatch)
    folder = tmp_path / "a run"
    command = [sys.executable, "-m", "train.camvid", *TOY, "--save-every", "0", "--out", str(folder)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if (log := read_log(folder / "segnet_flow")) and log[-1]["step"] >= 4:
            process.send_signal(signal.SIGKILL)
            break
        time.sleep(0.005)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL, errors
    assert 0 < checkpoint.load(folder / "segnet_flow" / "checkpoint.h5").position["step"] < 8
    assert camvid.main(["--resume", str(folder), "--device", "cpu"]) == 0
    for name in ("segnet", "segnet_flow"):
        assert state(folder / name) == state(both / name)
        assert result_of(folder / name)["scores"] == result_of(both / name)["scores"]
    assert len(result_of(folder / "segnet_flow")["commands"]) == 2


def test_one_network_can_be_trained_further(monkeypatch, tmp_path):
    draw_nothing(monkeypatch)
    folder = tmp_path / "run"
    assert camvid.main([*TOY, *QUICK, "--model", "segnet", "--out", str(folder)]) == 0
    assert camvid.main(["--resume", str(folder), "--sequences", "16"]) == 0
    assert result_of(folder)["sequences_seen"] == 16


def test_weights_to_start_with(both, monkeypatch, tmp_path, capsys):
    """SegNet-flow starts with a SegNet's weights, or each network of a run of both with its own."""
    draw_nothing(monkeypatch)
    trained = {name: checkpoint.load(both / name / "checkpoint.h5") for name in ("segnet", "segnet_flow")}

    def begin(*arguments):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        # With a learning rate of 0 only the running means change.
        assert camvid.main([*TOY, *QUICK, "--lr", "0", *arguments, "--out", str(folder)]) == 0
        return folder

    def inner(parameters):
        return {p[7:]: a.tobytes() for p, a in parameters.items() if p.startswith("segnet.")}

    expected = {path: array.tobytes() for path, array in trained["segnet"].parameters.items()}
    one = begin("--model", "segnet_flow", "--weights", str(both / "segnet" / "checkpoint.h5"))
    assert inner(checkpoint.load(one / "checkpoint.h5").parameters) == expected
    pair = begin("--weights", str(both))
    for name, saved in trained.items():
        found = checkpoint.load(pair / name / "checkpoint.h5").parameters
        assert all((found[path] == array).all() for path, array in saved.parameters.items())
    pair = begin("--weights", str(both / "segnet" / "checkpoint.h5"))
    assert inner(checkpoint.load(pair / "segnet_flow" / "checkpoint.h5").parameters) == expected
    chained = begin("--weights", "segnet")
    first = checkpoint.load(chained / "segnet" / "checkpoint.h5").parameters
    found = inner(checkpoint.load(chained / "segnet_flow" / "checkpoint.h5").parameters)
    assert found == {path: array.tobytes() for path, array in first.items()}
    assert "Weights to start with: segnet/checkpoint.h5" in (chained / "table2.md").read_text()
    path = str(both / "segnet_flow" / "checkpoint.h5")
    assert camvid.main([*TOY, "--model", "segnet", "--weights", path, "--out", str(tmp_path / "x")]) == 2
    assert "(of segnet_flow) does not fit" in capsys.readouterr().err and not (tmp_path / "x").exists()


@pytest.mark.parametrize("name", ["segnet", "segnet_flow"])
def test_on_a_gpu(name, both, monkeypatch, tmp_path):
    """On the double of a GPU a run is accepted, and its losses are those on the CPU."""
    draw_nothing(monkeypatch)
    monkeypatch.setattr(
        "nnlite.train.report.provenance.hardware", lambda device: {"device": device, "gpu": "A"}
    )
    with cupy_double.installed():
        arguments = ["--preset", "tiny", "--device", "cuda", "--model", name, "--test-sequences", "4"]
        assert camvid.main([*arguments, "--out", str(tmp_path / "run")]) == 0
    losses = [
        [line["loss"] for line in read_log(folder) if "loss" in line]
        for folder in (tmp_path / "run", both / name)
    ]
    np.testing.assert_allclose(*losses, rtol=1e-3)
    result = result_of(tmp_path / "run")
    assert result["hardware"] == {"device": "cuda", "gpu": "A"} and result["machines"] == ["A"]


def test_labels_propagated_along_another_flow(both):
    """With its own flow SegNet-flow's own labels come out; by one pixel they move by one pixel."""
    model, data = trained(both / "segnet_flow")
    frames = data.test.batch([0, 1]).frames
    found = segment(model, frames)
    np.testing.assert_array_equal(propagated_labels(model, frames, found["flow"][:-1]), found["labels"])
    model.propagation.merge.weight.fill(0)
    model.propagation.merge.bias.fill(-100)  # everything is propagated
    motion = np.zeros((5, 2, 2, 16, 16))
    motion[:, :, 0], motion[:, :, 1] = 2, -1
    labels = propagated_labels(model, frames, motion)
    np.testing.assert_array_equal(labels[0], found["basic"][0])
    for t in range(5):
        np.testing.assert_array_equal(labels[t + 1][:, 6:-6, 11:], labels[t][:, 7:-5, 9:-2])


def test_batches():
    """SegNet gets each sequence's labelled frame; SegNet-flow everything."""
    video = MovingShapes(size=(16, 16), visible=(3,)).batch([0, 1, 2])
    frames, labels = input_and_target("segnet", video)
    np.testing.assert_array_equal(frames, video.frames[3:4])
    np.testing.assert_array_equal(labels, video.true_labels[3:4])
    frames, (labels, target) = input_and_target("segnet_flow", video)
    assert frames is video.frames and target is video.frames and labels is video.visible_labels


def test_colours_of_the_figures(tmp_path):
    """Target, prediction and legend are in the classes' colours, what is not counted in black."""
    data = Data(None, None, CLASSES, PALETTE, None)
    frames, target = np.zeros((2, 3, 8, 10)), np.zeros((2, 8, 10), int)
    target[1] = 5
    draw_examples(tmp_path / "8.png", frames + 0.5, target, {"one": target, "other": target - 1}, data)
    flow = np.ones((1, 2, 8, 10), np.float32)
    draw_sequence(
        tmp_path / "s.png", frames, target, {"one": target}, {"flow": flow, "true": flow}, data, [0, 1]
    )
    for name in ("8.png", "s.png"):
        picture = (255 * plt.imread(tmp_path / name)[..., :3]).round().astype(int)
        for colour in (*PALETTE, (0, 0, 0)):
            assert ((picture == colour).all(axis=-1)).sum() > 50, (name, colour)


def test_runs_and_checkpoints_that_do_not_fit(both, tmp_path, capsys):
    assert camvid.main([*TOY, "--model", "segnet", "--out", str(both / "segnet")]) == 2
    assert "holds a run already; --resume it, or choose another --out" in capsys.readouterr().err
    assert camvid.main([*TOY, "--out", str(both)]) == 2
    assert "holds a run already" in capsys.readouterr().err
    assert camvid.main(["--resume", str(tmp_path / "nowhere")]) == 2
    assert "there is no checkpoint" in capsys.readouterr().err
    path = str(both / "segnet" / "checkpoint.h5")
    assert camvid.main(["--evaluate", path, "--camvid", str(tmp_path)]) == 2
    assert "learned from moving shapes; leave out --camvid" in capsys.readouterr().err
    model = models.build("segnet", height=8, width=8, n_features=2, kernel=3)
    checkpoint.save(tmp_path / "other.h5", model)
    assert camvid.main(["--evaluate", str(tmp_path / "other.h5")]) == 2
    assert "other.h5 is a checkpoint, but not one of train.camvid" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_divergence_is_reported(tmp_path, capsys):
    arguments = [*TOY, "--model", "segnet_flow", "--optimiser", "sgd", "--lr", "3e38", "--clip", "1e30"]
    assert camvid.main([*arguments, "--out", str(tmp_path / "run")]) == 1
    assert "training diverged after" in capsys.readouterr().err
