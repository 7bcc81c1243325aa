"""`models.load`: a run, a checkpoint or a name becomes a model for frames with values from 0 to 1."""

import numpy as np
import pytest

import nnlite as nn
from nnlite import checkpoint, models
from nnlite.models.feedback import roll_out
from nnlite.models.unit_range import UnitRange

SMALL = {"height": 8, "width": 12, "n_features": 3, "n_memory": 4, "kernel": 3, "flow_kernel": 3}


def small(**options):
    nn.manual_seed(1)
    model = models.build("ae_convlstm_flow", **SMALL | options)
    model.regressor[2].weight[...] = 1.0  # a flow to see
    return model


def saved_run(folder, model, **metadata):
    folder.mkdir()
    checkpoint.save(folder / checkpoint.NAME, model, architecture=model.config, metadata=metadata)
    return folder


def frames(height=8, width=12):
    return np.random.default_rng(0).random((3, 2, 1, height, width), dtype=np.float32)


@pytest.mark.parametrize("metadata", [{"offset": 0.5}, {}])  # before checkpoints said so, linear output did
def test_frames_of_real_video_are_shifted(metadata, tmp_path):
    model, x = small(output="linear"), frames()
    run = saved_run(tmp_path / "run", model, **metadata)
    for where in (run, str(run), run / checkpoint.NAME):
        loaded = models.load(where)
        expected = np.clip(model.forward(x - np.float32(0.5)) + np.float32(0.5), 0, 1)
        np.testing.assert_allclose(loaded.forward(x), expected, atol=1e-6)
        np.testing.assert_array_equal(loaded.flow, model.flow)
        assert not loaded.train and not loaded.model.train
    assert roll_out(loaded, x, 3).shape == (3, 2, 1, 8, 12)


def test_others_are_not(tmp_path):
    run = saved_run(tmp_path / "run", small())
    loaded = models.load(run)
    assert type(loaded) is models.AEConvLSTMFlow and not loaded.train
    run = saved_run(tmp_path / "other", small(output="linear"), offset=0.0)
    assert type(models.load(run)) is models.AEConvLSTMFlow


def test_frames_are_those_of_the_run_or_of_another_size(tmp_path):
    """Training sees parts of frames; the run is about the whole."""
    run = saved_run(tmp_path / "run", small(output="linear"), offset=0.5, experiment={"size": [10, 14]})
    assert models.load(run).forward(frames(10, 14)).shape == (3, 2, 1, 10, 14)
    assert models.load(run, height=6, width=16).forward(frames(6, 16)).shape == (3, 2, 1, 6, 16)
    run = saved_run(tmp_path / "square", small(), experiment={"size": 10})
    assert models.load(run).forward(frames(10, 10)).shape == (3, 2, 1, 10, 10)


def test_pretrained_names():
    loaded, weights = models.load("ae_conv"), models.load_pretrained("ae_conv")
    assert not loaded.train
    for ours, theirs in zip(loaded.parameters()[0], weights.parameters()[0], strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_what_cannot_be_loaded(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no checkpoint nothing"):
        models.load("nothing")
    saved_run(tmp_path / "one", small())
    with pytest.raises(FileNotFoundError, match=r"checkpoint.h5; .* holds several runs, name one .*: one"):
        models.load(tmp_path)
    checkpoint.save(tmp_path / "other.h5", nn.Linear(2, 3))
    with pytest.raises(ValueError, match="does not contain the options of its model"):
        models.load(tmp_path / "other.h5")


def test_unit_range_follows_its_model():
    model = UnitRange(small(output="linear").double(), 0.5)
    assert model.forward(frames().astype(np.float64)).dtype == np.float64
    with nn.evaluating(model):
        assert not model.model.train
    with pytest.raises(TypeError, match="AddConstant: input must be float64"):
        model.forward(frames())
    assert not hasattr(UnitRange(models.build("ae_convlstm", height=8, width=8), 0.5), "flow")
