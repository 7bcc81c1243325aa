"""Drawn motion among the clips, another loss, and the model that moves the frame: runs with these options."""

import json

import numpy as np
import pytest

import nnlite as nn
from nnlite.train.real_video import __main__ as real_video
from nnlite.train.real_video.experiment import RealVideo
from nnlite.train.real_video.prediction import GREY
from nnlite.train.runs.experiment import load_trained
from tests.toy_real_video import TOY


def opened(videos, **settings):
    """Return the experiment on the toy's videos, its data loaded."""
    _, given = RealVideo.parse([*TOY, "--videos", str(videos)], "a program")
    experiment = RealVideo(RealVideo.plan(given | settings))
    experiment.load()
    return experiment


def rng(seed):
    return np.random.default_rng(seed)


def by_content(batch):
    """Return the sequences of a batch in an order of their own."""
    return sorted(batch[:, n].tobytes() for n in range(batch.shape[1]))


def test_a_share_of_each_batch_is_drawn(videos):
    plain, mixed, drawn = (opened(videos, drawn_share=share) for share in (0.0, 0.5, 1.0))
    clips, target = mixed.make_batch(3, [4, 2, 1, 0])
    assert clips.shape == (4, 4, 1, 12, 16) and clips.dtype == np.float32
    np.testing.assert_array_equal(clips[1:], target[:-1])
    # Numbers 12 to 15 of the run: the clips 4 and 1, and the drawn sequences 6 and 7.
    np.testing.assert_array_equal(clips[:, :2], plain.make_batch(3, [4, 1])[0])
    np.testing.assert_array_equal(clips[:, 2:], mixed.drawn.batch([6, 7]).frames[:-1] - np.float32(GREY))
    shares = [mixed.make_batch(3, [4, 2, 1, 0], share)[0] for share in (slice(0, 1), slice(1, 4))]
    assert by_content(np.concatenate(shares, axis=1)) == by_content(clips)
    frames = drawn.make_batch(3, [4, 2, 1, 0])[0]
    np.testing.assert_array_equal(frames, drawn.drawn.batch([12, 13, 14, 15]).frames[:-1] - np.float32(GREY))
    again = opened(videos, drawn_share=1.0)
    np.testing.assert_array_equal(again.make_batch(3, [4, 2, 1, 0])[0], frames)


def test_drawn_motion_is_as_fast_as_it_is_told(videos):
    for speed in (0.5, 16.0):
        drawn = opened(videos, drawn_share=1.0, drawn_speed=speed).drawn
        shifts = [np.hypot(*layer.rates[:2]) for layer in (drawn._layer(rng(k), 1, True) for k in range(50))]
        assert 0.9 * speed < max(shifts) < speed and min(shifts) < 0.2 * speed


def test_all_directions_are_of_the_clips_alone(videos):
    usual, turned = (opened(videos, drawn_share=0.5, all_directions=on) for on in (False, True))
    batches = [experiment.make_batch(3, [4, 2, 1, 0]) for experiment in (usual, turned)]
    assert not np.array_equal(batches[0][0][:, :2], batches[1][0][:, :2])
    np.testing.assert_array_equal(batches[0][0][:, 2:], batches[1][0][:, 2:])
    np.testing.assert_array_equal(batches[1][0][1:], batches[1][1][:-1])
    shares = [turned.make_batch(3, [4, 2, 1, 0], share)[0] for share in (slice(0, 1), slice(1, 4))]
    assert by_content(np.concatenate(shares, axis=1)) == by_content(batches[1][0])


def test_without_crops_they_have_the_size_of_the_frames(videos):
    assert opened(videos, drawn_share=0.5, crop=None).make_batch(0, [0, 1])[0].shape == (4, 2, 1, 16, 24)


@pytest.mark.parametrize(
    "loss, criterion", [("square", nn.MSECriterion), ("charbonnier", nn.CharbonnierCriterion)]
)
def test_the_loss(loss, criterion):
    _, given = RealVideo.parse(["--loss", loss], "a program")
    found = RealVideo(RealVideo.plan(given)).criterion
    assert type(found) is criterion and not found.size_average


def test_a_run_with_all_of_it(videos, tmp_path):
    run = tmp_path / "run"
    options = ["--model-option", "sample=frame", "--model-option", "shrink=0.001"]
    options += ["--drawn-share", "0.5", "--loss", "charbonnier", "--render", "none"]
    assert real_video.main([*TOY, *options, "--videos", str(videos), "--out", str(run)]) == 0
    result = json.loads((run / "result.json").read_text())
    assert result["experiment"]["drawn_share"] == 0.5 and result["experiment"]["loss"] == "charbonnier"
    experiment, model, _ = load_trained(RealVideo, run / "checkpoint.h5", {"device": "cpu"})
    assert model.frame and type(experiment.criterion) is nn.CharbonnierCriterion
    assert "Charbonnier loss" in (run / "inspect.html").read_text(encoding="utf-8")
    # With zero flow it is nearly the copy, for the gate is hardly open yet.
    scores = {name: errors["all"]["squared"] for name, errors in result["scores"].items()}
    assert scores["zero_flow"] == pytest.approx(scores["copy"], rel=0.05)
    assert scores["model"] != scores["zero_flow"]
    evaluated = tmp_path / "evaluated"
    assert (
        real_video.main(
            ["--evaluate", str(run / "checkpoint.h5"), "--out", str(evaluated), "--device", "cpu"]
        )
        == 0
    )
    assert json.loads((evaluated / "result.json").read_text())["scores"] == result["scores"]
    more = ["--resume", str(run), "--sequences", "24", "--device", "cpu"]
    assert real_video.main(more) == 0
    assert not (run / "prediction.mp4").exists()  # what the run was told to render still holds


def test_a_share_is_at_most_everything(videos, tmp_path, capsys):
    arguments = [*TOY, "--videos", str(videos), "--out", str(tmp_path / "run"), "--drawn-share", "1.5"]
    with pytest.raises(SystemExit):
        real_video.main(arguments)
    assert "--drawn-share: must be a finite number, from 0 to 1, got 1.5" in capsys.readouterr().err
