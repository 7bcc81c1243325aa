"""Several frames ahead: training for it, its scores, and grey frames, from the command line."""

import json

import matplotlib.pyplot as plt
import numpy as np
import pytest

import nnlite as nn
from nnlite import checkpoint, models
from nnlite.data.drawn_digits import draw_digits
from nnlite.data.moving_mnist import MovingMNIST
from nnlite.data.moving_mnist_files import save_sequences
from nnlite.train.moving_mnist import __main__ as moving_mnist
from nnlite.train.moving_mnist import ahead
from nnlite.train.moving_mnist.experiment import MovingDigits
from nnlite.train.moving_mnist.presets import settings_for
from nnlite.train.moving_mnist.settings import Settings
from nnlite.train.runs.experiment import load_trained
from nnlite.train.runs.log import read_log
from tests.toy_table1 import less_work

TOY = ["--preset", "tiny", "--data", "drawn", "--device", "cpu", "--model", "ae_convlstm"]
TOY += ["--frames", "7", "--steps-ahead", "4", "--sequences", "48", "--test-sequences", "6"]

pytestmark = pytest.mark.usefixtures("quick")


def train(folder, *options):
    """Train a toy four frames ahead; return its folder."""
    assert moving_mnist.main([*TOY, *options, "--out", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folders of a run for each kind of feedback, the second of grey frames."""
    folder = tmp_path_factory.mktemp("runs")
    with less_work(pictures=True):
        grey = train(folder / "gradient", "--feedback", "gradient", "--targets", "grey")
        return {"data": train(folder / "data"), "gradient": grey}


def outcome(folder):
    """Return weights, optimiser state and log (without times) of a run."""
    saved = checkpoint.load(folder / "checkpoint.h5")
    log = [{name: value for name, value in line.items() if name != "seconds"} for line in read_log(folder)]
    arrays = {**saved.parameters, **{k: np.asarray(v) for k, v in saved.optimiser.items()}}
    return {name: array.tobytes() for name, array in arrays.items()}, log


@pytest.mark.parametrize("feedback", ["data", "gradient"])
def test_resumed_is_the_same_to_the_bit(feedback, finished, tmp_path, monkeypatch):
    """A run whose process dies in the middle ends with the same weights."""
    make_batch = MovingDigits.make_batch

    def dies(self, step, indices):
        if step == 3:
            raise KeyboardInterrupt
        return make_batch(self, step, indices)

    options = ["--feedback", feedback, "--targets", "grey" if feedback == "gradient" else "binary"]
    options += ["--save-every", "0", "--out", str(tmp_path / "run")]
    with monkeypatch.context() as patch:
        patch.setattr(MovingDigits, "make_batch", dies)
        assert moving_mnist.main([*TOY, *options]) == 130
    assert 0 < checkpoint.load(tmp_path / "run" / "checkpoint.h5").position["step"] < 6
    assert moving_mnist.main(["--resume", str(tmp_path / "run")]) == 0
    assert outcome(tmp_path / "run") == outcome(finished[feedback])


def test_what_a_run_keeps(finished):
    """Settings are in the checkpoint, which is one of the architecture itself."""
    for feedback, folder in finished.items():
        saved = checkpoint.load(folder / "checkpoint.h5")
        kept = saved.metadata["experiment"]
        assert (kept["frames"], kept["steps_ahead"], kept["feedback"]) == (7, 4, feedback)
        checkpoint.load_parameters(models.build("ae_convlstm", **saved.architecture["options"]), saved)
        log = [line["evaluation"] for line in read_log(folder) if "evaluation" in line]
        assert all(len(line["bce_ahead"]) == 4 and 0 < min(line["bce_ahead"]) for line in log)
        assert (folder / "rollout.png").exists() and (folder / "ahead.png").exists()
        height, width = plt.imread(folder / "curves.png").shape[:2]
        assert width > 2.5 * height  # two panels: one step ahead, and all of them


def test_scores_one_step_ahead_are_those_of_the_frames_seen(finished):
    """The error of frame 4 given three, whatever comes behind, and the table of the frames fed back."""
    opened, model, _ = load_trained(MovingDigits, finished["data"] / "checkpoint.h5")
    result = json.loads((finished["data"] / "result.json").read_text())
    frames = opened.sequences(4)[1].batch(range(6)).frames
    with nn.evaluating(model):
        output = model.forward(frames[:-1])
    loss = nn.BCECriterion().forward(output[-1], frames[-1])
    assert result["scores"]["bce"]["last"] == pytest.approx(loss, rel=1e-5)
    rows = result["ahead"]["rows"]
    assert [row["targets"] for row in rows] == ["binary", "grey"]
    assert rows[0]["nats"][0] == pytest.approx(32 * 32 * loss, rel=1e-4)
    assert result["ahead"]["steps"] == 10 and len(rows[0]["nats"]) == 10


def test_old_checkpoints_predict_one_step():
    """Settings of before --steps-ahead and --targets."""
    values = settings_for("ae_convlstm", "tiny").kept("experiment")
    for name in ("steps_ahead", "feedback", "targets"):
        del values[name]
    settings = Settings.from_dict(values | {"sequences": 3})
    assert (settings.steps_ahead, settings.targets, settings.seen) == (1, "binary", 10)
    assert type(MovingDigits(settings).build_model("cpu")).__name__ == "AEConvLSTM"


def test_refused(tmp_path, capsys):
    for options, words in (
        (["--steps-ahead", "7"], "--steps-ahead 7 of --frames 7 leaves no frame to be seen"),
        (["--steps-ahead", "1", "--feedback", "data"], "--feedback is for several steps ahead"),
        (["--model", "ae_conv"], "AEConv has no memory to go on from"),
        (["--feedback", "gradient", "--model-option", "untied=true"], "untied"),
    ):
        assert moving_mnist.main([*TOY, *options, "--out", str(tmp_path / "run")]) == 2
        assert words in capsys.readouterr().err
    with pytest.raises(SystemExit):
        moving_mnist.main([*TOY, "--feedback", "maybe"])


class Known(nn.Module):
    """Predicts the same frame ever after, and remembers nothing."""

    def __init__(self, frame):
        super().__init__()
        self.frame = frame.astype(np.float32)

    def update_output(self, input):
        self.output = np.broadcast_to(self.frame, (1, *input.shape[1:])).copy()
        return self.output


def test_scores_by_hand():
    grey = MovingMNIST(draw_digits(30)[0], size=(40, 40), n_digits=2, n_frames=5, grey=True)
    rng = np.random.default_rng(0)
    p = 0.1 + 0.8 * rng.random((40, 40))
    count = ahead.BATCH + 3  # more than one batch
    found = ahead.score(Known(p), grey, 3, 2, count, "grey")
    frames = grey.batch(range(count)).frames[3:, :, 0].astype(np.float64)
    for kind, targets in (("grey", frames), ("binary", (frames * 255 > 127.5).astype(float))):
        nats = -(targets * np.log(p) + (1 - targets) * np.log(1 - p)).sum(axis=(2, 3)).mean(axis=1)
        np.testing.assert_allclose(found[kind]["nats"], nats, rtol=1e-5)
        errors = targets - p
        np.testing.assert_allclose(found[kind]["mse"], (errors**2).sum(axis=(2, 3)).mean(axis=1), rtol=1e-5)
        np.testing.assert_allclose(found[kind]["mae"], abs(errors).sum(axis=(2, 3)).mean(axis=1), rtol=1e-5)
        psnr = -10 * np.log10((errors**2).mean(axis=(2, 3)))
        np.testing.assert_allclose(found[kind]["psnr"], psnr.mean(axis=1), rtol=1e-5)
    assert found["grey"]["nats"] != found["binary"]["nats"]


def test_a_model_sees_the_frames_that_it_learned_from():
    """Binary ones, or grey ones: what is shown decides what is predicted."""

    class Copy(nn.Module):
        def update_output(self, input):
            self.output = np.clip(input[-1:], 0.001, 0.999)
            return self.output

    grey = MovingMNIST(draw_digits(30)[0], size=(40, 40), n_digits=2, n_frames=5, speed=0.0, grey=True)
    by_grey, by_binary = (ahead.score(Copy(), grey, 3, 2, 4, kind) for kind in ("grey", "binary"))
    assert by_grey["grey"]["mse"][0] < 0.1 < by_grey["binary"]["mse"][0]
    assert by_binary["binary"]["mse"][0] < 0.1 < by_binary["grey"]["mse"][0]


def test_rollout_command(finished, tmp_path, capsys):
    out = tmp_path / "out"
    options = ["--test-sequences", "5", "--out", str(out)]
    assert moving_mnist.main(["--rollout", str(finished["gradient"] / "checkpoint.h5"), *options]) == 0
    printed = capsys.readouterr().out
    for words in ("179.8", "Video Pixel Networks", "best constant", "SSIM", "5 test sequences from the 3"):
        assert words in printed
    assert {path.name for path in out.iterdir()} == {"ahead.json", "ahead.md", "ahead.png", "rollout.png"}
    page = json.loads((out / "ahead.json").read_text())
    assert [row["trained_on"] for row in page["rows"]] == ["grey", "grey"]
    assert page["published"]["Patraucean et al. 2015"]["nats"] == 179.8
    assert str(tmp_path) not in page["command"]
    for errors in page["baselines"].values():
        assert errors["copy"][0] < errors["copy"][-1] < 32 * 32 * np.log(2)


def test_rollout_of_recorded_sequences(finished, tmp_path, capsys):
    """As in mnist_test_seq.npy, and of a file that ends before ten steps."""
    data = MovingMNIST(draw_digits(20, split="test")[0], size=(32, 32), n_frames=8, split="test", grey=True)
    save_sequences(tmp_path / "grey.npy", data, 6)
    options = ["--rollout", str(finished["data"] / "checkpoint.h5"), "--out", str(tmp_path / "out")]
    assert moving_mnist.main([*options, "--sequences-file", str(tmp_path / "grey.npy")]) == 0
    page = json.loads((tmp_path / "out" / "ahead.json").read_text())
    assert page["steps"] == 5 and "grey.npy" in page["data"]
    model = load_trained(MovingDigits, finished["data"] / "checkpoint.h5")[1]
    expected = ahead.score(model, data, 3, 5, 6, "binary")
    assert page["rows"][1]["nats"] == pytest.approx(expected["grey"]["nats"], rel=1e-6)
    save_sequences(tmp_path / "short.npy", MovingMNIST(draw_digits(20)[0], (32, 32), n_frames=3), 6)
    assert moving_mnist.main([*options, "--sequences-file", str(tmp_path / "short.npy")]) == 2
    assert "has no frame after the 3 that the model sees" in capsys.readouterr().err


def test_published_sequences_are_found(finished, tmp_path, monkeypatch, capsys):
    """mnist_test_seq.npy below NNLITE_DATA gets a table of its own, unless its frames are of another size."""
    monkeypatch.setenv("NNLITE_DATA", str(tmp_path))
    (tmp_path / "moving_mnist").mkdir()
    file = tmp_path / "moving_mnist" / "mnist_test_seq.npy"
    data = MovingMNIST(draw_digits(20, split="test")[0], size=(32, 32), n_frames=8, split="test", grey=True)
    save_sequences(file, data, 6)
    run, out = str(finished["data"]), tmp_path / "out"
    assert moving_mnist.main(["--rollout", run, "--test-sequences", "4", "--out", str(out)]) == 0
    assert capsys.readouterr().out.count("PredRNN++") == 2
    kinds = {"ahead.md", "ahead.json", "ahead.png", "rollout.png"}
    kinds |= {name.replace(".", "_published.") for name in kinds}
    assert {path.name for path in out.iterdir()} == kinds
    own, published = (json.loads((out / f"ahead{end}.json").read_text()) for end in ("", "_published"))
    assert "mnist_test_seq.npy" in published["data"] and published["steps"] == 5 and own["steps"] == 10
    model = load_trained(MovingDigits, finished["data"] / "checkpoint.h5")[1]
    expected = ahead.score(model, data, 3, 5, 4, "binary")
    assert published["rows"][0]["nats"] == pytest.approx(expected["binary"]["nats"], rel=1e-6)
    save_sequences(file, MovingMNIST(draw_digits(20)[0], (40, 40), n_frames=8), 6)
    assert moving_mnist.main(["--rollout", run, "--test-sequences", "2"]) == 0
    assert capsys.readouterr().out.count("PredRNN++") == 1


def test_variants_of_pretrained_weights(finished, tmp_path, monkeypatch, capsys):
    """A name ARCHITECTURE_VARIANT beside ARCHITECTURE: exported, loaded, started with, and scored."""
    monkeypatch.setattr(models, "PRETRAINED", tmp_path / "pretrained")
    run = str(finished["data"])
    assert moving_mnist.main(["--export", run]) == 0
    for name in ("ae_convlstm_steps", "ae_convlstm_far"):
        assert moving_mnist.main(["--export", run, "--out", str(tmp_path / "pretrained" / f"{name}.h5")]) == 0
    assert models.pretrained_names() == ["ae_convlstm", "ae_convlstm_far", "ae_convlstm_steps"]
    frames = np.zeros((3, 1, 1, 32, 32), np.float32)
    trained = load_trained(MovingDigits, finished["data"] / "checkpoint.h5")[1]
    loaded = models.load_pretrained("ae_convlstm_steps")
    np.testing.assert_array_equal(loaded.forward(frames), trained.forward(frames))
    capsys.readouterr()
    train(tmp_path / "on", "--weights", "ae_convlstm_steps", "--sequences", "8")
    result = json.loads((tmp_path / "on" / "result.json").read_text())
    assert result["sequences_seen"] == 48 + 8
    capsys.readouterr()
    again = tmp_path / "again"
    assert moving_mnist.main(["--evaluate", "pretrained", "--out", str(again)]) == 0
    printed = capsys.readouterr().out
    assert printed.count("AE-ConvLSTM ") == 1 and "ae_convlstm_far" in printed and "179.8" in printed
    assert {path.name for path in again.iterdir()} >= {"table1.md", "ahead.md"}

    wrong = str(tmp_path / "pretrained" / "ae_convlstm_flow_steps.h5")
    assert moving_mnist.main(["--export", run, "--out", wrong]) == 2
    assert "ae_convlstm.h5 or ae_convlstm_VARIANT.h5, not ae_convlstm_flow" in capsys.readouterr().err
    assert models.architecture_of("ae_convlstm_flow_steps") == "ae_convlstm_flow"
    assert models.architecture_of("ae_convlstmx") is None
