"""Predicting a video of any length: the stream of frames, the video written, the flow in files."""

import weakref

import h5py
import numpy as np
import pytest
from nnlite.data.flow import read_flo
from nnlite.data.video import frames
from nnlite.train.real_video import __main__ as real_video
from nnlite.train.real_video.experiment import build_model, load_trained
from nnlite.train.real_video.figures import panels
from nnlite.train.real_video.prediction import Tally, predict_stream
from nnlite.train.real_video.scores import predict
from toy_real_video import SIZE, make_videos, scene, train_toy
from video_files import cut, make_video


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """The folder of the toy's videos."""
    return make_videos(tmp_path_factory.mktemp("videos"))


@pytest.fixture(scope="module")
def finished(videos, tmp_path_factory):
    """The folder of a toy run."""
    return train_toy(videos, tmp_path_factory.mktemp("runs") / "finished")


@pytest.mark.parametrize("place", ["flow", "flow.h5"])
def test_predict_writes_video_and_flow(place, finished, videos, tmp_path, capsys):
    video, out, flow = videos / "é.avi", tmp_path / "out.mp4", tmp_path / "new" / place
    arguments = ["--predict", str(finished / "checkpoint.h5"), str(video), "--out", str(out)]
    assert real_video.main([*arguments, "--save-flow", str(flow)]) == 0
    printed = capsys.readouterr().out
    assert "é.avi, 16 frames of 64x48, resized to 24x16 pixels: PSNR" in printed
    assert len(list(frames(out))) == 15
    model, _ = load_trained(finished / "checkpoint.h5", {"device": "cpu"})
    model.evaluate()
    expected = predict(model, np.stack(list(frames(video, SIZE)))[:, None])[1][:, 0]
    if place == "flow":
        written = np.stack([read_flo(flow / f"flow_{k:06d}.flo") for k in range(16)])
        assert len(list(flow.iterdir())) == 16
        assert real_video.main([*arguments, "--save-flow", str(flow)]) == 2
        assert "holds .flo files already" in capsys.readouterr().err
    else:
        with h5py.File(flow) as file:
            written = file["flow"][:]
            assert file.attrs["video"] == "é.avi" and list(file.attrs["size of the video"]) == [48, 64]
        assert [entry.name for entry in flow.parent.iterdir()] == ["flow.h5"]
    assert written.dtype == np.float32 and np.abs(written).max() > 0
    np.testing.assert_allclose(written, expected, atol=1e-5)


def test_predict_writes_gif_of_a_folder_at_another_rate(finished, videos, tmp_path):
    out = tmp_path / "out.gif"
    arguments = ["--predict", str(finished / "checkpoint.h5"), str(videos / "pictures" / "img")]
    assert real_video.main([*arguments, "--rate", "12.5", "--out", str(out)]) == 0
    assert len(list(frames(out))) == 7  # every second of 16 frames, but the first


def model_of(channels=1):
    options = {"n_features": 4, "n_memory": 4, "kernel": 3, "flow_kernel": 5}
    colour = "grey" if channels == 1 else "rgb"
    model = build_model({"seed": 1, "size": SIZE, "colour": colour, "model_options": options}, "cpu")
    model.regressor.modules[2].weight[...] = 5.0  # a flow to see
    return model


@pytest.mark.parametrize("channels", [1, 3])
def test_streaming_equals_the_whole_sequence(channels):
    model = model_of(channels)
    video = np.random.default_rng(0).random((9, channels, *SIZE), dtype=np.float32)
    streamed = list(predict_stream(model, iter(video)))
    assert model.train
    model.evaluate()
    predictions, flows = predict(model, video[:, None])
    assert np.abs(flows).max() > 0.1
    for k, (frame, prediction, flow) in enumerate(streamed):
        np.testing.assert_array_equal(frame, video[k])
        np.testing.assert_allclose(prediction, predictions[k, 0], atol=1e-5)
        np.testing.assert_allclose(flow, flows[k, 0], atol=1e-4)
    again = list(predict_stream(model, iter(video)))  # starts from an empty memory
    np.testing.assert_array_equal(again[0][1], streamed[0][1])


class Tracked(np.ndarray):
    """A frame that can be told to be gone."""


def test_streaming_keeps_few_frames():
    made = []

    def long_video():
        for k in range(300):
            frame = np.full((1, *SIZE), k / 300, np.float32).view(Tracked)
            made.append(weakref.ref(frame))
            yield frame

    shown = panels(Tally("a video").compared(predict_stream(model_of(), long_video())))
    for k, _ in enumerate(shown):
        assert len(made) <= k + 60
        assert sum(reference() is not None for reference in made) < 60
    assert k == 298


def test_panels():
    before, frame, prediction = (np.full((1, *SIZE), level, np.float32) for level in (0.2, 0.5, 0.6))
    flow = np.zeros((*SIZE, 2), np.float32)
    flow[..., 0] = 2
    (picture,) = panels([(before, frame, prediction, flow)])
    factor = 15  # to 240 rows
    assert picture.shape == (240 + 22, 4 * factor * 24 + 3 * 4, 3) and picture.dtype == np.uint8
    middle = [picture[150, k * (factor * 24 + 4) + 100].tolist() for k in range(4)]
    assert middle[0] == [51] * 3 and middle[1] == [153] * 3
    assert middle[2][0] > 200 and middle[2][1] < 60  # to the right is red
    assert middle[3] == [102] * 3  # 0.1 of 0.25


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda path: path.write_text("text"), "cannot be read as a video"),
        (lambda path: cut(make_video(path, scene(0)), 0.5), "video.avi"),
        (lambda path: make_video(path, scene(0, 1)), "a video of 1 frame has none to compare"),
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
