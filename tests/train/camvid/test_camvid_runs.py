"""Runs of train.camvid as others find them: of older versions, for the microscope, and to be passed on."""

import json
import shutil

import numpy as np
import pytest

from nnlite import checkpoint, models
from nnlite.data.moving_shapes import MovingShapes
from nnlite.train.camvid import __main__ as camvid
from nnlite.train.camvid.experiment import LabelledVideo
from nnlite.train.camvid.table2 import anonymised_result
from nnlite.train.runs.experiment import experiment_type, kind_of, reopen
from tests.toy_camvid import QUICK, TOY, draw_nothing, result_of

NAMES = ("segnet", "segnet_flow")
#: What options of the loop were called before version 0.2.
FORMERLY = {"flow_warmup": "still", "lr_decay_fraction": "cooldown"}


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The folder of a toy run of both networks."""
    folder = tmp_path_factory.mktemp("runs") / "both"
    with pytest.MonkeyPatch.context() as monkeypatch:
        draw_nothing(monkeypatch)
        assert camvid.main([*TOY, *QUICK, "--out", str(folder)]) == 0
    return folder


def as_before(folder):
    """Rewrite the folder of a run of both as version 0.1 left it."""
    suite = json.loads((folder / "suite.json").read_text())
    unknown = ("preset", "resume", "evaluate", "loss_at", "cuda_graph")
    suite["runs"] = {name: _before(run, unknown) for name, run in suite["runs"].items()}
    (folder / "suite.json").write_text(json.dumps({"kind": "camvid", "runs": suite["runs"]}))
    for name in NAMES:
        path = folder / name / "checkpoint.h5"
        saved = checkpoint.load(path)
        model = models.build(saved.architecture["name"], **saved.architecture["options"])
        checkpoint.load_parameters(model, saved)
        metadata = {key: value for key, value in saved.metadata.items() if key != "kind"}
        metadata["loop"] = _before(metadata["loop"], ()) | {
            "epoch": metadata["experiment"]["train_sequences"]
        }
        kept = {key: getattr(saved, key) for key in ("architecture", "optimiser", "random", "position")}
        checkpoint.save(path, model, **kept, metadata=metadata)


def _before(settings, unknown):
    return {FORMERLY.get(name, name): value for name, value in settings.items() if name not in unknown}


def test_a_run_of_an_older_version_is_trained_further(both, monkeypatch, tmp_path):
    """It ends with the same weights as one that is resumed as it is."""
    draw_nothing(monkeypatch)
    ends = []
    for name in ("older", "newer"):
        folder = tmp_path / name
        shutil.copytree(both, folder)
        if name == "older":
            as_before(folder)
            assert kind_of(checkpoint.load(folder / "segnet" / "checkpoint.h5")) == "camvid"
        assert camvid.main(["--resume", str(folder), "--sequences", "16", "--device", "cpu"]) == 0
        for model in NAMES:
            assert result_of(folder / model)["sequences_seen"] == 16
            assert result_of(folder / model)["experiment"]["train_sequences"] == 8
            ends.append(checkpoint.load(folder / model / "checkpoint.h5").parameters)
    for before, after in zip(ends[:2], ends[2:], strict=True):
        assert all(np.array_equal(before[path], after[path]) for path in after)


def test_the_flow_of_trained_weights_is_not_held(both, monkeypatch, tmp_path):
    """A new flow is held at zero as asked; one that moves already is not."""
    draw_nothing(monkeypatch)
    held = [*TOY, *QUICK, "--model", "segnet_flow", "--flow-warmup", "4"]
    for name, weights, warmup in (("new", "segnet", 4), ("trained", "segnet_flow", 0)):
        path = both / weights / "checkpoint.h5"
        assert camvid.main([*held, "--weights", str(path), "--out", str(tmp_path / name)]) == 0
        assert result_of(tmp_path / name)["options"]["flow_warmup"] == warmup


def test_sequences_for_the_microscope(both):
    """They are test sequences as the model is trained on them, with the criterion of the run."""
    video = MovingShapes(size=(16, 16), split="test").batch([3])
    for name in NAMES:
        experiment, saved = reopen(LabelledVideo, both / name / "checkpoint.h5")
        assert experiment_type(kind_of(saved)) is LabelledVideo
        sequence = experiment.test_sequence(3)
        assert sequence.description == "test sequence 3 of moving shapes"
        last = slice(-1, None) if name == "segnet" else slice(None)
        np.testing.assert_array_equal(sequence.frames, video.frames[last])
        np.testing.assert_array_equal(sequence.labels, video.visible_labels[last])
        nll = getattr(sequence.criterion, "cross_entropy", sequence.criterion).negative_log_likelihood
        np.testing.assert_allclose(nll.weights, result_of(both / name)["weights"], rtol=1e-6)
        with pytest.raises(ValueError, match="--sequence: the run has 4 test sequences, got 4"):
            experiment.test_sequence(4)
    assert len(experiment.test_sequence(0, 3).frames) == 3 and experiment.settings.frames == 6
    segnet, _ = reopen(LabelledVideo, both / "segnet" / "checkpoint.h5")
    with pytest.raises(
        ValueError, match="--frames: the run's SegNet takes labelled frames one by one, got 3"
    ):
        segnet.test_sequence(0, 3)


def test_results_without_the_folders_of_the_machine(both, tmp_path):
    result = result_of(both / "segnet_flow")
    data, weights = tmp_path / "data" / "camvid", tmp_path / "runs" / "a" / "checkpoint.h5"
    result["experiment"] |= {"data": str(data), "weights": str(weights)}
    result["commands"] = [f"python -m train.camvid --camvid {data} --weights={tmp_path / 'a.h5'} --lr 1"]
    before = json.dumps(result)
    found = anonymised_result(result)
    assert found["experiment"]["data"] == "camvid" and found["experiment"]["weights"] == "a/checkpoint.h5"
    assert found["commands"] == ["python -m train.camvid --camvid camvid --weights=a.h5 --lr 1"]
    assert json.dumps(result) == before
