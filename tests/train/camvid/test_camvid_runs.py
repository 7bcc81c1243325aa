"""Runs of train.camvid as others find them: of older versions, for the microscope, and to be passed on."""

import json
import shutil
import weakref
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from nnlite import checkpoint, models
from nnlite.data.label_colours import colours_from_labels
from nnlite.data.moving_shapes import PALETTE, MovingShapes
from nnlite.data.pictures import resize_labels
from nnlite.data.video import read_frames
from nnlite.train.camvid import __main__ as camvid
from nnlite.train.camvid.augmentation import augmented
from nnlite.train.camvid.evaluation import segment
from nnlite.train.camvid.experiment import LabelledVideo
from nnlite.train.camvid.prediction import _labelled, labelling
from nnlite.train.camvid.settings import settings_for
from nnlite.train.camvid.table2 import anonymised_result, title_of
from nnlite.train.runs.experiment import experiment_type, kind_of, load_checkpoint, load_trained, reopen
from tests.camvid_folders import make_tutorial
from tests.toy_camvid import QUICK, TOY, draw_nothing, result_of
from tests.toy_real_video import scene
from tests.video_files import make_video

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


@pytest.mark.parametrize("name", NAMES)
def test_a_video_is_labelled_frame_by_frame(both, name, tmp_path, capsys):
    """The same labels as if it were seen at once, as large as the frames of the file."""
    video = make_video(tmp_path / "é.avi", scene(0))
    arguments = ["--predict", str(both / name), str(video), "--save-labels", str(tmp_path / "labels")]
    assert camvid.main([*arguments, "--out", str(tmp_path / "out.mp4")]) == 0
    printed = capsys.readouterr().out
    assert (
        "é.avi, frames of 48x64, resized to 16x16 pixels" in printed and "% of the labels change" in printed
    )
    assert ("nothing carried along: " in printed) == (name == "segnet_flow")
    _, model, _ = load_trained(LabelledVideo, both / name, {"device": "cpu"})
    frames = np.stack(list(read_frames(video, (16, 16), "rgb")))
    expected = segment(model, frames[:, None])["labels"][:, 0]
    pictures = [Image.open(tmp_path / "labels" / f"label_{k:06d}.png") for k in range(len(frames))]
    assert len(list((tmp_path / "labels").iterdir())) == len(frames) == 16
    for picture, labels in zip(pictures, expected):
        np.testing.assert_array_equal(np.asarray(picture), resize_labels(labels, (48, 64)))
    found = colours_from_labels(resize_labels(expected[-1], (48, 64)), PALETTE)
    np.testing.assert_array_equal(np.asarray(pictures[-1].convert("RGB")), found)
    rendered = list(read_frames(tmp_path / "out.mp4"))
    panels = 2 if name == "segnet" else 3
    assert len(rendered) == 16 and rendered[0].shape[-1] == panels * 240 + (panels - 1) * 4
    assert camvid.main(arguments) == 2
    assert "holds label_*.png already" in capsys.readouterr().err


def test_a_video_is_labelled_at_another_size_and_rate(both, tmp_path, capsys):
    video = make_video(tmp_path / "video.avi", scene(0))
    out = tmp_path / "out.gif"
    arguments = ["--predict", str(both / "segnet"), str(video), "--size", "24", "31", "--rate", "12.5"]
    assert camvid.main([*arguments, "--out", str(out)]) == 0
    assert "resized to 24x31 pixels" in capsys.readouterr().out and len(list(read_frames(out))) == 8
    assert camvid.main([*TOY, "--rate", "5"]) == 2
    assert "--rate is of a video that --predict names" in capsys.readouterr().err


def test_labelling_keeps_few_frames(both):
    _, model, _ = load_trained(LabelledVideo, both / "segnet_flow", {"device": "cpu"})
    made = []

    def long_video():
        for k in range(60):
            frame = np.full((3, 16, 16), k / 60, np.float32).view(Tracked)
            made.append(weakref.ref(frame))
            yield frame

    with labelling(model) as label:
        for _ in _labelled(long_video(), label, {}, 20, lambda labels: None):
            assert sum(reference() is not None for reference in made) < 8


class Tracked(np.ndarray):
    """A frame that can be told to be gone."""


def test_weights_are_packed(both, tmp_path, monkeypatch, capsys):
    """Those of SegNet as they are; those of SegNet-flow in half the precision where they are too large."""
    monkeypatch.setattr("nnlite.train.runs.export.LIMIT", 9_000)
    assert camvid.main(["--export", str(both), "--out", str(tmp_path)]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["segnet_camvid.h5", "segnet_flow_camvid.h5"]
    for name, dtype in zip(NAMES, (np.float32, np.float16)):
        packed = checkpoint.load(tmp_path / f"{name}_camvid.h5")
        whole = checkpoint.load(both / name)
        assert packed.metadata["result"]["sequences_seen"] == 8
        for path, array in whole.parameters.items():
            found = packed.parameters[path]
            assert found.dtype == (dtype if array.ndim > 1 else np.float32)
            np.testing.assert_array_equal(found, array.astype(found.dtype))
        model = models.load(tmp_path / f"{name}_camvid.h5")
        assert not model.train and model.dtype == np.float32


def test_of_several_packed_weights_pretrained_is_what_is_called_as_usual(both, tmp_path, monkeypatch):
    monkeypatch.setattr(models, "PRETRAINED", tmp_path)
    for name in ("segnet_camvid", "segnet_camvid_other"):
        arguments = ["--export", str(both / "segnet"), "--out", str(tmp_path / f"{name}.h5")]
        assert camvid.main(arguments) == 0
    assert load_checkpoint(LabelledVideo, "pretrained").path == tmp_path / "segnet_camvid.h5"
    assert load_checkpoint(LabelledVideo, "segnet_camvid_other").path == tmp_path / "segnet_camvid_other.h5"
    (tmp_path / "segnet_camvid.h5").rename(tmp_path / "segnet_mine.h5")
    with pytest.raises(ValueError, match="several pretrained models, name one: segnet_camvid_other, segnet"):
        load_checkpoint(LabelledVideo, "pretrained")


def test_packed_weights_find_camvid(tmp_path, monkeypatch):
    """They have the last part of its folder's name alone, which may be that of another folder here."""
    make_tutorial(tmp_path / "sets" / "camvid", ["0016E5_07959"])
    (tmp_path / "here" / "data").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    packed = replace(settings_for("segnet", "tiny", {}), data="data")
    monkeypatch.setenv("NNLITE_DATA", str(tmp_path / "sets"))
    assert LabelledVideo.reopened(packed, {}, "packed.h5", False).data == str(tmp_path / "sets" / "camvid")
    monkeypatch.delenv("NNLITE_DATA")
    assert LabelledVideo.reopened(packed, {}, "packed.h5", False).data == "data"


def test_a_table_of_runs(both, tmp_path, monkeypatch, capsys):
    """Of finished runs and of what --evaluate leaves; the introduction of an earlier page stays."""
    draw_nothing(monkeypatch)
    few = tmp_path / "few"
    path = str(both / "segnet" / "checkpoint.h5")
    assert camvid.main(["--evaluate", path, "--test-sequences", "2", "--out", str(few)]) == 0
    (tmp_path / "table2.md").write_text("# Old\n\nWhat was learned.\n\n## Old table\n\n| a |\n")
    runs = [str(both / name) for name in NAMES]
    assert camvid.main(["--table", *runs, str(few), "--out", str(tmp_path)]) == 0
    page = (tmp_path / "table2.md").read_text()
    assert page.startswith("# Moving shapes\n\nWhat was learned.\n\n## Moving shapes\n")
    assert "Old table" not in page and "unknown" not in page
    for words in (
        "| SegNet (segnet) ",
        "| SegNet (few) ",
        "| SegNet within SegNet-flow, nothing carried along ",
        "whose label changes from frame to frame",
        "What SegNet-flow takes for what",
        "| Class ",
        "classes balanced by median frequency: 8 sequences",
    ):
        assert words in page
    assert camvid.main(["--table", runs[0], runs[0]]) == 2
    assert "folders must have different names" in capsys.readouterr().err


def test_unbalanced_classes_count_alike(both, monkeypatch, tmp_path):
    draw_nothing(monkeypatch)
    run = [*TOY, *QUICK, "--model", "segnet", "--balance", "none", "--mirror", "--zoom", "0.8", "1.5"]
    assert camvid.main([*run, "--out", str(tmp_path / "run")]) == 0
    result = result_of(tmp_path / "run")
    assert result["weights"] is None and title_of(result) == "SegNet, classes not balanced"
    assert result["options"]["mirror"] is True and result["options"]["zoom"] == [0.8, 1.5]
    experiment, _ = reopen(LabelledVideo, tmp_path / "run" / "checkpoint.h5")
    experiment.load()
    video = experiment.data.train.batch([0, 1, 2, 3])
    input, target = experiment.make_batch(2, [0, 1, 2, 3])
    changed = augmented(video, experiment.settings, range(8, 12))
    np.testing.assert_array_equal(input[0], changed.frames[-1])
    np.testing.assert_array_equal(target[0], changed.visible_labels[-1])
    assert (input[0] != video.frames[-1]).any()
    part = experiment.make_batch(2, [0, 1, 2, 3], slice(1, 3))  # of one process among several
    np.testing.assert_array_equal(part[0], input[:, 1:3])


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
