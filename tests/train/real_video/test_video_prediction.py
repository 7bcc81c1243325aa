"""Predicting a video of any length: the stream of frames, the video written, the flow in files."""

import weakref
from dataclasses import replace

import h5py
import numpy as np
import pytest

from nnlite.data.flow import read_flo
from nnlite.data.video import read_frames
from nnlite.data.video_writer import write_video
from nnlite.files import CannotWrite, as_text
from nnlite.train.real_video import __main__ as real_video
from nnlite.train.real_video.experiment import RealVideo
from nnlite.train.real_video.panels import Panels
from nnlite.train.real_video.prediction import (
    PredictedFrame,
    RunningError,
    flow_writer,
    predict,
    predicted_pictures,
    streaming,
)
from nnlite.train.runs.experiment import load_trained
from tests.full_disk import full_disk
from tests.toy_real_video import SIZE, STRANGE, scene
from tests.video_files import cut, make_video


@pytest.mark.parametrize("place", ["flow", "flow.h5"])
def test_predict_writes_video_and_flow(place, finished, videos, tmp_path, capsys):
    name = STRANGE if place == "flow.h5" else "é.avi"
    video, out, flow = videos / name, tmp_path / "out.mp4", tmp_path / "new" / place
    arguments = ["--predict", str(finished / "checkpoint.h5"), str(video), "--out", str(out)]
    assert real_video.main([*arguments, "--save-flow", str(flow)]) == 0
    printed = capsys.readouterr().out
    assert f"{as_text(name)}, 16 frames of 48x64, resized to 16x24 pixels: PSNR" in printed
    assert len(list(read_frames(out))) == 15
    _, model, _ = load_trained(RealVideo, finished / "checkpoint.h5", {"device": "cpu"})
    model.evaluate()
    expected = predict(model, np.stack(list(read_frames(video, SIZE)))[:, None])[1][:, 0]
    if place == "flow":
        written = np.stack([read_flo(flow / f"flow_{k:06d}.flo") for k in range(16)])
        assert len(list(flow.iterdir())) == 16
        assert real_video.main([*arguments, "--save-flow", str(flow)]) == 2
        assert "holds flow_*.flo already" in capsys.readouterr().err
    else:
        with h5py.File(flow) as file:
            written = file["flow"][:]
            assert file.attrs["video"] == as_text(name) and list(file.attrs["size of the video"]) == [48, 64]
        assert [entry.name for entry in flow.parent.iterdir()] == ["flow.h5"]
    assert written.dtype == np.float32 and np.abs(written).max() > 0
    np.testing.assert_allclose(written, expected, atol=1e-5)


def test_a_video_does_not_replace_itself(finished, videos, capsys):
    video = videos / "clip 0.mp4"
    before = video.read_bytes()
    assert real_video.main(["--predict", str(finished), str(video), "--out", str(video)]) == 2
    assert "is the video to predict itself; name another file" in capsys.readouterr().err
    assert video.read_bytes() == before


def test_a_video_too_short_leaves_no_flow(finished, tmp_path, capsys):
    video = make_video(tmp_path / "one.mp4", scene(0, count=1))
    arguments = ["--predict", str(finished), str(video), "--out", str(tmp_path / "out.mp4")]
    assert real_video.main([*arguments, "--save-flow", str(tmp_path / "flow")]) == 2
    assert "a video of one frame" in capsys.readouterr().err and list(tmp_path.iterdir()) == [video]


@pytest.mark.parametrize("place, size, failed", [("x.h5", 9000, "x.h5"), ("x", 600, "x/flow_000000.flo")])
def test_flow_that_finds_no_room_stops_at_once(place, size, failed, tmp_path):
    written, random = 0, np.random.default_rng(0)
    with full_disk(size), pytest.raises(CannotWrite, match=f"{failed} could not be written"):
        with flow_writer(tmp_path / place, {}) as write_flow:
            for _ in range(200):
                write_flow(random.random((16, 16, 2), np.float32))
                written += 1
    assert written < 10 and [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_video_that_finds_no_room_stops_at_once(tmp_path):
    written = []

    def pictures():
        for k in range(3000):
            written.append(k)
            yield np.random.default_rng(k).integers(256, size=(16, 16, 3), dtype=np.uint8)

    with full_disk(9000), pytest.raises(CannotWrite, match=r"a\.mp4 could not be written \(File too large"):
        write_video(tmp_path / "a.mp4", pictures(), 25)
    assert len(written) < 300 and list(tmp_path.iterdir()) == []


def test_predict_writes_gif_of_a_folder_at_another_rate(finished, videos, tmp_path):
    out = tmp_path / "out.gif"
    arguments = ["--predict", str(finished / "checkpoint.h5"), str(videos / "pictures" / "img")]
    assert real_video.main([*arguments, "--rate", "12.5", "--out", str(out)]) == 0
    assert len(list(read_frames(out))) == 7  # every second of 16 frames, but the first


def model_of(channels=1):
    options = {"n_features": 4, "n_memory": 4, "kernel": 3, "flow_kernel": 5}
    colour = "grey" if channels == 1 else "rgb"
    settings = RealVideo.plan({"seed": 1, "size": SIZE, "colour": colour, "model_options": options})
    model = RealVideo(replace(settings, crop=None)).build_model("cpu")
    model.regressor.modules[2].weight[...] = 5.0  # a flow to see
    return model


@pytest.mark.parametrize("channels", [1, 3])
def test_streaming_equals_the_whole_sequence(channels):
    model = model_of(channels)
    video = np.random.default_rng(0).random((9, channels, *SIZE), dtype=np.float32)
    with streaming(model) as predict_next:
        streamed = [predict_next(frame) for frame in video]
    assert model.train
    model.evaluate()
    predictions, flows = predict(model, video[:, None])
    assert np.abs(flows).max() > 0.1
    for k, predicted in enumerate(streamed):
        np.testing.assert_array_equal(predicted.last, video[k])
        np.testing.assert_allclose(predicted.prediction, predictions[k, 0], atol=1e-5)
        np.testing.assert_allclose(predicted.flow, flows[k, 0], atol=1e-4)
    with streaming(model) as predict_next:  # starts from an empty memory
        np.testing.assert_array_equal(predict_next(video[0]).prediction, streamed[0].prediction)


def test_errors_are_those_of_predictions_and_copies():
    random, errors = np.random.default_rng(0), RunningError()
    frames, predictions = random.random((2, 5, 1, *SIZE), dtype=np.float32)
    for k in range(4):
        errors.add(PredictedFrame(frames[k], predictions[k], np.zeros((*SIZE, 2))), frames[k + 1])
    assert errors.count == 4
    assert errors.model == pytest.approx(((predictions[:4] - frames[1:]) ** 2).mean())
    assert errors.copy == pytest.approx(((frames[:4] - frames[1:]) ** 2).mean())


class Tracked(np.ndarray):
    """A frame that can be told to be gone."""


def test_streaming_keeps_few_frames():
    made = []

    def long_video():
        for k in range(300):
            frame = np.full((1, *SIZE), k / 300, np.float32).view(Tracked)
            made.append(weakref.ref(frame))
            yield frame

    errors, flows = RunningError(), []
    pictures = predicted_pictures(
        model_of(), "a video", long_video(), errors, lambda flow: flows.append(flow.shape)
    )
    for k, _ in enumerate(pictures):
        assert len(made) <= k + 60
        assert sum(reference() is not None for reference in made) < 60
    assert k == 298 and errors.count == 299 and flows == [(*SIZE, 2)] * 300


def test_panels():
    before, frame, prediction = (np.full((1, *SIZE), level, np.float32) for level in (0.2, 0.5, 0.6))
    flow = np.zeros((*SIZE, 2), np.float32)
    flow[..., 0] = 2
    panels = Panels()
    assert list(panels.add(PredictedFrame(before, prediction, flow), frame)) == []
    (picture,) = panels.remaining()
    factor = 15  # to 240 rows
    assert picture.shape == (240 + 22, 4 * factor * 24 + 3 * 4, 3) and picture.dtype == np.uint8
    middle = [picture[150, k * (factor * 24 + 4) + 100].tolist() for k in range(4)]
    assert middle[0] == [51] * 3 and middle[1] == [153] * 3
    assert middle[2][0] > 200 and middle[2][1] < 60  # to the right is red
    assert middle[3] == [102] * 3  # 0.1 of 0.25


def test_the_wheel_is_no_larger_than_the_smallest_frames():
    panels = Panels(height=1)
    tiny, flow = np.zeros((1, 2, 4), np.float32), np.zeros((2, 4, 2), np.float32)
    assert list(panels.add(PredictedFrame(tiny, tiny, flow), tiny)) == []
    (picture,) = panels.remaining()
    assert picture.shape == (2 + 22, 4 * 4 + 3 * 4, 3)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda path: path.write_text("text"), "cannot be read as a video"),
        (lambda path: cut(make_video(path, scene(0)), 0.5), "video.avi"),
        (lambda path: make_video(path, scene(0, 1)), "a video of one frame has none to compare"),
        (lambda path: None, "there is no such video file or folder"),
    ],
)
def test_videos_that_cannot_be_predicted(make, message, finished, tmp_path, capsys):
    video, out = tmp_path / "video.avi", tmp_path / "out.mp4"
    make(video)
    flow = tmp_path / "flow.h5"
    arguments = ["--predict", str(finished / "checkpoint.h5"), str(video), "--out", str(out)]
    assert real_video.main([*arguments, "--save-flow", str(flow)]) == 2
    error = capsys.readouterr().err
    assert "video.avi" in error and message in error
    assert not out.exists() and not flow.exists()
