"""Checkpoints of one experiment given to the commands of another: an error of one line, whatever the mode."""

import json

import pytest

import nnlite as nn
from nnlite import checkpoint
from nnlite.train.ablations.experiment import Ablations
from nnlite.train.camvid.experiment import LabelledVideo
from nnlite.train.moving_mnist.experiment import MovingDigits
from nnlite.train.real_video.experiment import RealVideo
from nnlite.train.runs import command
from nnlite.train.runs.experiment import KINDS
from nnlite.train.runs.run import RESULT

#: The modes of each experiment that name a trained model.
MODES = {
    MovingDigits: ("resume", "evaluate", "figures", "rollout", "speeds", "transfer", "export"),
    RealVideo: ("resume", "evaluate", "predict", "export"),
    LabelledVideo: ("resume", "evaluate", "predict", "table", "export"),
    Ablations: ("resume",),
}
CASES = [
    (experiment, mode, kind)
    for experiment, modes in MODES.items()
    for mode in modes
    for kind in KINDS
    if kind != experiment.kind
]


def run_of(kind, folder):
    """Return a folder with what tells the kind of a run."""
    metadata = {"kind": kind, "experiment": {}, "loop": {}, "commands": []}
    checkpoint.save(folder / checkpoint.NAME, nn.Linear(1, 1), metadata=metadata)
    result = {"experiment": {}, "options": {}, "commands": [], "scores": {}, "parameters": 2}
    (folder / RESULT).write_text(json.dumps(result))
    return folder


def test_all_modes_that_name_a_model_are_tried():
    for experiment, modes in MODES.items():
        fields = experiment.settings_type.__dataclass_fields__.values()
        declared = {one.name for one in fields if one.metadata["mode"] is not None}
        assert set(modes) == declared - set(experiment.not_offered)


@pytest.mark.parametrize("experiment, mode, kind", CASES)
def test_a_checkpoint_of_another_experiment(experiment, mode, kind, tmp_path, capsys):
    arguments = [f"--{mode}", str(run_of(kind, tmp_path)), *(["x.mp4"] if mode == "predict" else [])]
    assert command.run(experiment, arguments) == 2
    printed = capsys.readouterr()
    expected = f"is a checkpoint, one of train.{kind}, not of train.{experiment.kind}"
    assert printed.err == f"error: {tmp_path / checkpoint.NAME} {expected}\n" and not printed.out


@pytest.mark.parametrize("experiment", [MovingDigits, RealVideo])
def test_weights_of_another_experiment(experiment, tmp_path, monkeypatch, capsys):
    kind = next(kind for kind in KINDS if kind != experiment.kind)
    monkeypatch.setattr(experiment, "prepare", lambda self: None)
    monkeypatch.setattr(experiment, "load", lambda self: setattr(self, "epoch", 1))
    run_of(kind, tmp_path)
    out = tmp_path / "never"
    options = ["--preset", "tiny", "--weights", str(tmp_path), "--out", str(out)]
    assert command.run(experiment, options) == 2 and not out.exists()
    assert f"one of train.{kind}, not of train.{experiment.kind}" in capsys.readouterr().err


def test_resume_takes_the_checkpoint_for_its_run(tmp_path, capsys):
    run = run_of("camvid", tmp_path)
    assert command.run(RealVideo, ["--resume", str(run / checkpoint.NAME)]) == 2
    assert "one of train.camvid, not of train.real_video" in capsys.readouterr().err


def test_flow_is_not_saved_without_a_video(capsys):
    for mode in ([], ["--preset", "tiny", "--videos", "x"]):
        assert command.run(RealVideo, [*mode, "--save-flow", "flow.h5"]) == 2
        error = capsys.readouterr().err
        assert error == "error: --save-flow writes the flow of a video that --predict names\n"
