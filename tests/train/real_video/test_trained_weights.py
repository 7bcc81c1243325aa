"""Trained weights of real video: begun with, packed, and used by the word 'pretrained'."""

import json

import numpy as np
import pytest

from nnlite import checkpoint, models
from nnlite.data.moving_textures import MovingTextures
from nnlite.data.shapes import background_texture
from nnlite.train.moving_mnist.experiment import MovingDigits
from nnlite.train.real_video import __main__ as real_video
from nnlite.train.runs.experiment import pretrained_of
from nnlite.train.runs.loop import CHECKPOINT
from tests.toy_real_video import TOY, result_of, scene
from tests.video_files import make_video

NAME = "ae_convlstm_flow_video"


@pytest.fixture
def pretrained(finished, tmp_path, monkeypatch):
    """The folder of pretrained models, holding those of the toy."""
    monkeypatch.setattr(models, "PRETRAINED", tmp_path / "pretrained")
    assert real_video.main(["--export", str(finished)]) == 0
    return tmp_path / "pretrained"


def parameters(path):
    return checkpoint.load(path).parameters


def train(videos, folder, *options):
    arguments = [*TOY, "--videos", str(videos), "--render", "none", "--out", str(folder), *options]
    return real_video.main(arguments)


def test_a_run_begins_with_the_weights_of_another(finished, videos, tmp_path):
    """Of another size of frames and crops; and its result counts the training behind them."""
    other = ["--size", "20", "28", "--crop", "10", "14", "--lr", "0", "--sequences", "4"]
    assert train(videos, tmp_path / "run", "--weights", str(finished), *other) == 0
    before, after = parameters(finished), parameters(tmp_path / "run")
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[name], after[name]) for name in before)
    result, earlier = result_of(tmp_path / "run"), result_of(finished)
    assert result["sequences_seen"] == 16 + 4 and len(result["commands"]) == 2
    assert [point["sequences"] for point in result["curve"]][:1] == [16]  # that of other frames is left out
    assert [point["sequences"] for point in earlier["curve"]] == [0, 4, 8, 16]


def test_pretrained_weights_are_packed_and_found(finished, videos, pretrained, tmp_path, monkeypatch, capsys):
    path = pretrained / f"{NAME}.h5"
    saved = checkpoint.load(path)
    assert saved.architecture["options"]["height"] == 16  # of frames, not of crops
    assert str(videos.parent) not in json.dumps(saved.metadata)
    assert all(np.array_equal(saved.parameters[name], w) for name, w in parameters(finished).items())
    assert models.pretrained_names() == [NAME]
    assert models.count_parameters(models.load_pretrained(NAME)) == result_of(finished)["parameters"]

    with pytest.raises(ValueError, match=r"no pretrained models of train\.moving_mnist"):
        pretrained_of(MovingDigits)

    capsys.readouterr()
    out = tmp_path / "out.mp4"
    video = str(videos / "clip 0.mp4")
    assert real_video.main(["--predict", "pretrained", video, "--out", str(out)]) == 0
    assert "clip 0.mp4, 16 frames of 48x64, resized to 16x24" in capsys.readouterr().out and out.exists()
    assert real_video.main(["--predict", NAME, video, "--size", "24", "32", "--out", str(out)]) == 0
    assert "resized to 24x32" in capsys.readouterr().out

    monkeypatch.setenv("NNLITE_DATA", str(tmp_path))
    assert real_video.main(["--evaluate", "pretrained"]) == 2
    assert "name some to score it on with --test" in capsys.readouterr().err
    scored = tmp_path / "scored"
    assert real_video.main(["--evaluate", "pretrained", "--videos", str(videos), "--out", str(scored)]) == 0
    assert result_of(scored)["scores"] == result_of(finished)["scores"]
    other = ["--size", "20", "28", "--test", str(videos / "clip 0.mp4"), "--out", str(scored)]
    assert real_video.main(["--evaluate", NAME, *other]) == 0
    assert [video["video"] for video in result_of(scored)["videos"]] == ["clip 0.mp4"]
    assert result_of(scored)["experiment"]["size"] == [20, 28]


def test_a_trained_model_is_scored_at_another_rate_and_with_other_options(finished, videos, tmp_path, capsys):
    """The toy's videos have 25 frames a second; with a gate that no change opens nothing moves."""
    own = ["--evaluate", str(finished), "--videos", str(videos), "--out", str(tmp_path)]
    assert real_video.main([*own, "--rate", "12.5", "--model-option", "change=5"]) == 0
    assert "12.5 frames a second" in capsys.readouterr().out
    result = result_of(tmp_path)
    assert result["experiment"]["rate"] == 12.5 and result["experiment"]["model_options"]["change"] == 5
    assert result["scores"]["model"] == result["scores"]["zero_flow"]
    # Half the frames, so what moves has moved twice as far.
    copied, usual = (of["scores"]["copy"]["all"]["squared"] for of in (result, result_of(finished)))
    assert copied > 1.5 * usual


def test_a_run_begins_with_pretrained_weights(videos, pretrained, tmp_path):
    assert train(videos, tmp_path / "run", "--weights", "pretrained", "--sequences", "4", "--seed", "1") == 0
    assert result_of(tmp_path / "run")["sequences_seen"] == 16 + 4


def test_a_folder_of_a_run_stands_for_its_checkpoint(finished, videos, tmp_path):
    assert parameters(finished).keys() == parameters(finished / CHECKPOINT).keys()
    out = str(tmp_path / "out.gif")
    video = make_video(tmp_path / "short.mp4", scene(0, 3))
    assert real_video.main(["--predict", str(finished), str(video), "--out", out]) == 0
    assert real_video.main(["--evaluate", str(finished), "--test-clips", "1"]) == 0


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--evaluate", "pretrained"], "there are no pretrained models of train.real_video in"),
        (["--predict", "pretrained", "x.mp4"], "there are no pretrained models of train.real_video"),
        (["--weights", "pretrained"], "there are no pretrained models of train.real_video in"),
        (["--evaluate", "."], "there is no checkpoint checkpoint.h5"),
        (["--evaluate", "ae_conv"], "ae_conv.h5 is a checkpoint, one of train.moving_mnist, not of"),
        (["--export", "."], "holds no finished run"),
    ],
)
def test_weights_that_are_not_there(arguments, message, videos, tmp_path, monkeypatch, capsys):
    if "pretrained" in arguments:
        monkeypatch.setattr(models, "PRETRAINED", tmp_path)
    monkeypatch.chdir(tmp_path)
    new = [*TOY, "--videos", str(videos), "--out", "run"] if "--weights" in arguments else []
    assert real_video.main([*new, *arguments]) == 2
    assert message in capsys.readouterr().err


def test_weights_of_the_package_follow_drawn_textures():
    """On textures unlike those that they learned from: a third of the error of the last frame copied."""
    model = models.load(NAME, height=48, width=64)
    video = MovingTextures(background_texture, (48, 64), n_frames=8).batch(range(6))
    frames = video.frames.mean(axis=2, keepdims=True).astype(np.float32)
    prediction, seen = model.forward(frames[:-1])[2:], slice(2, -1)
    assert ((prediction - frames[3:]) ** 2).mean() < 0.33 * ((frames[seen] - frames[3:]) ** 2).mean()
