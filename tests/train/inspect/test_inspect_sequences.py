"""What a model sees under the microscope: videos in segments, frames around zero, crops, drawn stand-ins."""

import numpy as np
import pytest
from PIL import Image

from nnlite.train.inspect.forward_backward import ForwardBackward
from nnlite.train.inspect.frame_strip import frame_strip
from nnlite.train.inspect.sequences import sequence_for
from nnlite.train.inspect.traced_model import load
from nnlite.train.runs.experiment import Sequence
from tests.toy_inspect import STEPS, run_metadata, save
from tests.video_files import make_video


def test_a_video_is_shown_in_segments(tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    for k in range(11):
        Image.fromarray(np.full((32, 32, 3), 20 * k, np.uint8)).save(folder / f"{k:03d}.png")
    traced = load(save(tmp_path / "checkpoint.h5", "ae_convlstm_flow"))
    sequence = sequence_for(traced, 1, folder, STEPS)
    assert sequence.frames.shape == (5, 1, 1, 32, 32)
    assert np.allclose(sequence.frames[:, 0, 0, 0, 0], np.arange(5, 10) * 20 / 255, atol=1e-3)
    assert sequence.description == "frames 5 to 9 of frames, in 32x32"
    with pytest.raises(ValueError, match="has only 11 frames; --sequence 2 needs frames 10 to 14"):
        sequence_for(traced, 2, folder, STEPS)


def test_of_several_steps_ahead_it_sees_what_is_seen_in_training(tmp_path, monkeypatch):
    monkeypatch.delenv("NNLITE_DATA", raising=False)
    given = {"size": 32, "frames": 12, "steps_ahead": 4, "data": "drawn"}
    sequence = sequence_for(
        load(save(tmp_path / "c.h5", "ae_convlstm", run_metadata("moving_mnist", **given)))
    )
    assert len(sequence.frames) == 8 + 1
    assert sequence.description.endswith("; one step ahead, without the predictions that training fed back")


def test_a_video_is_taken_as_the_run_took_its_own(tmp_path):
    """At its rate, and with its loss."""
    metadata = run_metadata("real_video", videos=("no folder",), rate=12.5, loss="charbonnier")
    traced = load(save(tmp_path / "c.h5", "ae_convlstm_flow", metadata, output="linear"))
    video = make_video(tmp_path / "v.mp4", [np.full((32, 32, 3), 10 * k, np.uint8) for k in range(12)])
    sequence = sequence_for(traced, 0, video, STEPS)
    assert np.allclose(sequence.frames.mean(axis=(1, 2, 3, 4)), np.arange(0, 10, 2) * 10 / 255, atol=0.01)
    assert sequence.description == "frames 0 to 4 of v.mp4, in 32x32, 12.5 a second"
    assert type(ForwardBackward(traced, sequence, "all").criterion).__name__ == "CharbonnierCriterion"


def test_models_of_real_video_see_frames_around_zero(tmp_path):
    metadata = run_metadata("real_video", videos=("no folder",))
    path = save(tmp_path / "c.h5", "ae_convlstm_flow", metadata, output="linear")
    frames = np.random.default_rng(0).random((5, 1, 1, 32, 32)).astype(np.float32)
    run = ForwardBackward(load(path), Sequence(frames, "noise"), "all")
    np.testing.assert_allclose(run.input, frames[:-1] - 0.5, atol=1e-7)
    assert type(run.criterion).__name__ == "MSECriterion"
    run.loss()
    shown = frame_strip(run)[0]["steps"]["2"]
    assert np.abs(shown[..., 0] - frames[2, 0, 0] * 255).max() <= 0.51


@pytest.mark.parametrize(
    ("kind", "name", "given", "drawn"),
    [
        ("moving_mnist", "ae_convlstm", {"data": "gone"}, "2 moving drawn digits"),
        ("real_video", "ae_convlstm_flow", {"videos": ("gone",)}, "2 moving drawn digits"),
        ("camvid", "segnet_flow", {"data": "gone", "model": "segnet_flow"}, "moving shapes"),
    ],
)
def test_without_the_data_of_its_run_a_model_sees_drawn_ones(tmp_path, monkeypatch, kind, name, given, drawn):
    monkeypatch.delenv("NNLITE_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    traced = load(save(tmp_path / "c.h5", name, run_metadata(kind, loss_at="last", **given)))
    sequence = sequence_for(traced, n_frames=STEPS)
    assert traced.experiment.kind == kind and traced.loss_at == "last"
    assert drawn in sequence.description
    assert sequence.description.endswith("(the data of the model's run are not here)")
    assert len(sequence.frames) == STEPS + (not traced.segments)


def test_models_of_crops_see_the_middle(tmp_path):
    frames = np.random.default_rng(0).random((5, 1, 1, 40, 34)).astype(np.float32)
    run = ForwardBackward(load(save(tmp_path / "c.h5", "ae_convlstm")), Sequence(frames, "noise"), "all")
    np.testing.assert_array_equal(run.input, frames[:-1, ..., 4:36, 1:33])


@pytest.mark.parametrize(
    ("kind", "name", "seen"),
    [("moving_mnist", "ae_convlstm", 3), ("moving_mnist", "ae_conv", 4), ("camvid", "segnet_flow", 3)],
)
def test_of_large_frames_it_sees_fewer_unless_told_how_many(tmp_path, monkeypatch, kind, name, seen):
    monkeypatch.delenv("NNLITE_DATA", raising=False)
    monkeypatch.setattr("nnlite.train.inspect.sequences.MOST_PIXELS", 3 * 32 * 32 + 1)
    given = {"size": 32, "frames": STEPS + 1} if kind == "moving_mnist" else {"size": (32, 32), "model": name}
    traced = load(save(tmp_path / "c.h5", name, run_metadata(kind, **given)))
    extra = 0 if traced.segments else 1  # the target of the last prediction
    assert len(sequence_for(traced).frames) == seen + extra
    if name != "ae_conv":  # which takes just as many as it was built for
        assert len(sequence_for(traced, n_frames=5).frames) == 5 + extra
    monkeypatch.setattr("nnlite.train.inspect.sequences.MOST_PIXELS", 1)
    assert len(sequence_for(traced).frames) == (seen if name == "ae_conv" else 2) + extra
