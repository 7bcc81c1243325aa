"""Several steps ahead on real video: predictions fed back, their scores, and the film of them."""

import json

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from nnlite import models
from nnlite.data.video import read_frames
from nnlite.models.feedback import LookAhead, roll_out
from nnlite.models.unit_range import UnitRange
from nnlite.train.real_video import __main__ as real_video
from nnlite.train.real_video import ahead
from nnlite.train.real_video.panels import Panels
from nnlite.train.real_video.prediction import GREY, PredictedFrame, streaming
from nnlite.train.report.image_metrics import structural_similarity
from nnlite.train.report.lucas_kanade import carry_on, optical_flow
from tests.toy_real_video import scene
from tests.video_files import make_video

HEIGHT, WIDTH, STEPS = 16, 24, 3


def model_of(**options):
    size = {"height": HEIGHT, "width": WIDTH, "n_features": 4, "n_memory": 4, "kernel": 3, "flow_kernel": 5}
    model = models.build("ae_convlstm_flow", **size, output="linear", **options)
    model.regressor[2].weight[...] = 5.0  # a flow to see
    return model


def moving_frames(count=7, n=2):
    """Return frames (T, N, 1, H, W) of patterns that move to the right."""
    patterns = gaussian_filter(np.random.default_rng(0).random((n, HEIGHT, WIDTH)), (0, 2, 2))
    patterns = (patterns - patterns.min()) / np.ptp(patterns)
    return np.stack([np.roll(patterns, 2 * t, axis=2) for t in range(count)])[:, :, None].astype(np.float32)


def test_a_stream_is_rolled_out_from_each_frame():
    model, video = model_of(), moving_frames(6, 1)
    with streaming(model, STEPS) as predict_next:
        streamed = [predict_next(frame[0]) for frame in video]
    with streaming(model) as predict_next:
        alone = [predict_next(frame[0]) for frame in video]
    for t, (predicted, single) in enumerate(zip(streamed, alone)):
        np.testing.assert_array_equal(predicted.prediction, single.prediction)  # the stream is undisturbed
        expected = roll_out(UnitRange(model, GREY), video[: t + 1], STEPS)[:, 0]
        found = np.stack([predicted.prediction, *predicted.further])
        np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.abs(found[-1] - found[0]).max() > 1e-3


def test_a_state_that_cannot_be_handed_on():
    with pytest.raises(ValueError, match="LookAhead: the memories of AEConvLSTMFlow do not hand on"):
        LookAhead(model_of(untied=True))


def test_scores_of_clips_are_their_definitions():
    model, frames = model_of(), moving_frames()
    result = ahead.score(model, [frames, frames[:, :1]], STEPS, GREY)
    assert list(result) == ["model", "copy", "motion"]
    seen, last = frames[:-STEPS], frames[-STEPS - 1]
    predictions = {"model": roll_out(UnitRange(model, GREY), seen, STEPS), "copy": [last] * STEPS}
    flows = [optical_flow(last[n, 0], seen[-2, n, 0]) for n in range(2)]
    predictions["motion"] = np.stack([carry_on(last[n], flows[n], STEPS) for n in range(2)], axis=1)
    for name, by_step in predictions.items():
        for step, predicted in enumerate(by_step):
            truth = frames[step - STEPS]
            squared = ((predicted.astype(float) - truth) ** 2).mean(axis=(1, 2, 3))
            similar = structural_similarity(predicted, truth, data_range=1)
            for measure, values in (("squared", squared), ("ssim", similar)):
                expected = (2 * values[0] + values[1]) / 3  # the first sequence came twice
                assert result[name][measure][step] == pytest.approx(expected, rel=1e-4)
    assert result["copy"]["squared"][0] < result["copy"]["squared"][2]
    table = ahead.format_table(result).splitlines()
    assert len(table) == 2 + STEPS and table[2].startswith("| 1 ") and "PSNR: copy" in table[0]


def test_a_stream_scores_each_frame_by_the_steps_it_was_ahead():
    video, scores = moving_frames(6, 1)[:, 0], ahead.StreamScores(STEPS)
    for t, frame in enumerate(video):
        assert (scores.farthest is not None) == (t >= STEPS)
        if t >= STEPS:
            assert (scores.farthest == 0.1 * STEPS).all()
        scores.compare(frame)
        made = [np.full_like(frame, 0.1 * k) for k in range(1, STEPS + 1)]
        scores.expect(PredictedFrame(frame, made[0], np.zeros((HEIGHT, WIDTH, 2)), tuple(made[1:])))
    assert scores.scores.counts.tolist() == [5, 4, 3]
    result = scores.scores.result()
    for k in range(1, STEPS + 1):
        copied, model = ((video[k:] - video[:-k]) ** 2).mean(), ((video[k:] - 0.1 * k) ** 2).mean()
        assert result["copy"]["squared"][k - 1] == pytest.approx(copied, rel=1e-5)
        assert result["model"]["squared"][k - 1] == pytest.approx(model, rel=1e-5)
    assert result["motion"]["squared"][0] != result["copy"]["squared"][0]


def test_similarity_of_colours_is_the_mean_of_the_channels():
    a, b = np.random.default_rng(0).random((2, 3, 3, 9, 9))
    channels = [structural_similarity(a[:, c : c + 1], b[:, c : c + 1], 1) for c in range(3)]
    np.testing.assert_allclose(structural_similarity(a, b, 1), np.mean(channels, axis=0))


def test_panels_of_what_was_predicted_before():
    before, frame, prediction = (np.full((1, HEIGHT, WIDTH), v, np.float32) for v in (0.2, 0.5, 0.6))
    panels = Panels(steps=4)
    farthest = np.full_like(frame, 0.4)
    predicted = PredictedFrame(before, prediction, np.zeros((HEIGHT, WIDTH, 2), np.float32))
    (picture,) = [*panels.add(predicted, frame, farthest), *panels.remaining()]
    factor = 15
    assert picture.shape == (240 + 22, 6 * factor * WIDTH + 5 * 4, 3)
    middle = [picture[150, k * (factor * WIDTH + 4) + 100].tolist() for k in (4, 5)]
    assert middle == [[102] * 3, [102] * 3]  # 0.4, and an error of 0.1 of 0.25


def test_the_commands(finished, videos, tmp_path, capsys):
    out, scored = tmp_path / "out.mp4", tmp_path / "scored"
    predict = ["--predict", str(finished), str(videos / "é.avi"), "--out", str(out), "--steps", "4"]
    assert real_video.main(predict) == 0
    printed = capsys.readouterr().out
    assert "| frames ahead |" in printed and "\n| 4 " in printed and "\n| 5 " not in printed
    assert len(list(read_frames(out))) == 16 - 4
    assert real_video.main(["--evaluate", str(finished), "--steps", "3", "--out", str(scored)]) == 0
    assert "Predictions fed back, PSNR in dB and SSIM:" in capsys.readouterr().out
    result = json.loads((scored / "result.json").read_text())
    assert [len(result["ahead"][name]["ssim"]) for name in result["ahead"]] == [3] * 3
    assert result["experiment"]["steps"] == 3 and (scored / "ahead.png").exists()


def test_too_many_steps(finished, tmp_path, capsys):
    assert real_video.main(["--evaluate", str(finished), "--steps", "4"]) == 2
    assert "--steps 4 of clips of 5 frames leaves less than two" in capsys.readouterr().err
    video = make_video(tmp_path / "video.mp4", scene(0, 3))
    predict = ["--predict", str(finished), str(video), "--steps", "3", "--out", str(tmp_path / "out.mp4")]
    assert real_video.main(predict) == 2
    assert "video.mp4: a video of 3 frames has none to compare predictions with 3 steps ahead" in (
        capsys.readouterr().err
    )
