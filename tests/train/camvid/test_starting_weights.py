"""SegNet-flow that starts with a predictor of real video, whose frames may have been grey."""

import numpy as np
import pytest

import nnlite as nn
from nnlite import checkpoint, models
from nnlite.data.pictures import LUMINANCE
from nnlite.train.camvid import __main__ as camvid
from nnlite.train.camvid.experiment import LabelledVideo
from nnlite.train.camvid.starting_weights import load_video, options_of, start_video
from nnlite.train.runs.experiment import load_trained
from tests.toy_camvid import QUICK, TOY, draw_nothing

VIDEO = {"n_features": 2, "n_memory": 3, "kernel": 3, "flow_kernel": 3, "sample": "frame", "output": "linear"}


@pytest.fixture
def predictor(tmp_path):
    """A grey predictor with a flow and a residual, and its file."""
    nn.manual_seed(3)
    model = models.build("ae_convlstm_flow", height=16, width=16, **VIDEO)
    for layer in (model.regressor[2], model.decoder[-1]):
        layer.reset(0.5)
    path = tmp_path / "predictor.h5"
    checkpoint.save_parameters(path, model, architecture=model.config, metadata={"offset": 0.5})
    model.evaluate()
    return model, path


def test_a_grey_predictor_becomes_one_of_colours(predictor):
    grey, path = predictor
    saved = load_video(path)
    assert options_of(saved) == {"video": VIDEO, "offset": 0.5}
    model = models.build("ae_convlstm_flow", height=16, width=16, n_channels=3, **VIDEO)
    start_video(model, saved)
    model.evaluate()
    x = np.random.default_rng(0).random((3, 2, 3, 16, 16), dtype=np.float32)
    expected = grey.forward(np.einsum("tnchw,c->tnhw", x, LUMINANCE)[:, :, None])
    predicted = model.forward(x)
    np.testing.assert_allclose(model.flow, grey.flow, atol=1e-5)
    assert abs(model.flow).max() > 0.1
    np.testing.assert_allclose(np.einsum("tnchw,c->tnhw", predicted, LUMINANCE), expected[:, :, 0], atol=1e-5)


def test_a_run_starts_with_it_as_it_is_built(predictor, monkeypatch, tmp_path, capsys):
    draw_nothing(monkeypatch)
    grey, path = predictor
    run = [*TOY, *QUICK, "--model", "segnet_flow", "--video-weights", str(path)]
    assert camvid.main([*run, "--lr", "0", "--out", str(tmp_path / "run")]) == 0
    experiment, model, _ = load_trained(LabelledVideo, tmp_path / "run", {"device": "cpu"})
    assert experiment.settings.model_options["offset"] == 0.5 == model.offset and model.video.frame
    np.testing.assert_array_equal(model.video.regressor[0].weight, grey.regressor[0].weight)
    assert camvid.main([*run, "--model-option", "offset=0", "--out", str(tmp_path / "x")]) == 2
    assert "--video-weights says what --model-option offset is" in capsys.readouterr().err
    segnet = tmp_path / "run" / "checkpoint.h5"
    assert camvid.main([*TOY, "--model", "segnet_flow", "--video-weights", str(segnet)]) == 2
    assert "must be of ae_convlstm_flow, it is of segnet_flow" in capsys.readouterr().err
