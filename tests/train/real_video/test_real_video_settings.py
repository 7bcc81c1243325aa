"""What can be set of training on real video: presets, folders, the choice of clips, and what is refused."""

import pytest

from nnlite import models
from nnlite.train.real_video import __main__ as real_video
from nnlite.train.real_video.experiment import RealVideo
from nnlite.train.real_video.settings import Settings
from nnlite.train.real_video.videos import choose_clips, default_folders
from nnlite.train.report.anonymise import anonymised_command
from tests.toy_real_video import TOY


def test_paper_preset_is_the_papers():
    settings = RealVideo.plan({"preset": "paper"})
    expected = {"frames": 13, "rate": 0.0, "batch": 1, "optimiser": "rmsprop", "learning_rate": 1e-4}
    expected |= {"decay": 0.9, "decay_epochs": 5, "loss_at": "all", "model_options": {}}
    assert {name: getattr(settings, name) for name in expected} == expected
    model = RealVideo(settings).build_model("cpu")
    assert models.count_parameters(model) == 1_035_067
    assert model.penalty.penalty_weight == 0.01 and model.penalty.form == "paper"


def test_default_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("NNLITE_DATA", str(tmp_path))
    assert default_folders() is None
    (tmp_path / "sequences").mkdir()
    assert default_folders() == (str(tmp_path / "sequences"),)
    assert RealVideo.plan({}).videos == default_folders()
    assert RealVideo.plan({"videos": ("/elsewhere",)}).videos == ("/elsewhere",)


class Places:
    """Clips of three videos, 7, 1 and 4 of them."""

    sources = ["a"] * 7 + ["b"] + ["c"] * 4

    def __len__(self):
        return 12

    def source_of(self, i):
        return self.sources[i], 0


def test_clips_to_score_are_spread_evenly():
    assert choose_clips(Places(), 2) == [1, 5, 7, 9, 11]
    assert choose_clips(Places(), 100) == list(range(12))


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--resume", "run", "--lr", "1"], "--resume takes its settings from the run; leave out --lr"),
        (["--predict", "checkpoint"], "expected 2 arguments"),
        (["--colour", "blue"], "invalid choice: 'blue'"),
        (["--vid", "x"], "unrecognized arguments: --vid x; did you mean"),
    ],
)
def test_bad_options(arguments, message, capsys):
    with pytest.raises(SystemExit):
        real_video.main(arguments)
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--splits", "folder"], "--splits needs --videos with the one folder of classes"),
        (["--splits", "s", "--videos", "a", "--test", "b"], "and no --test"),
        (["--save-flow", "place"], "--save-flow writes the flow of a video that --predict names"),
    ],
)
def test_options_that_do_not_go_together(arguments, message, capsys):
    assert real_video.main(arguments) == 2
    assert message in capsys.readouterr().err


def test_folders_become_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _, given = RealVideo.parse(["--videos", "a", "b/../c", "--test", "d"], "a program")
    assert given == {"videos": (f"{tmp_path}/a", f"{tmp_path}/c"), "test": (f"{tmp_path}/d",)}
    mode, given = RealVideo.parse(["--resume", "run", "--videos", "a"], "a program")
    assert mode == "resume" and given == {"resume": "run", "videos": (f"{tmp_path}/a",)}


def test_commands_without_folders():
    command = "python -m train.real_video --videos /a/b /c/d --test=/e/f --predict /g/h.h5 /i/j.mp4 --seed 1"
    expected = "python -m train.real_video --videos b d --test=f --predict h.h5 j.mp4 --seed 1"
    assert anonymised_command(command, Settings.path_flags()) == expected
    command = "python -m train.real_video --evaluate /a/first/checkpoint.h5 --out /b/second"
    expected = "python -m train.real_video --evaluate first/checkpoint.h5 --out second"
    assert anonymised_command(command, Settings.path_flags()) == expected


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--videos", "/no/such/folder"], "/no/such/folder: there is no such folder of videos"),
        (["--size", "15", "24"], "height and width must be even, got 15x24"),
        (["--crop", "18", "16"], "crops of 18x16 don't fit into frames of 16x24"),
        (["--drawn-speed", "12"], "--drawn-speed is that of drawn motion, of which there is none"),
        (["--drawn-share", "1", "--crop", "6", "8"], "at least 8x8 pixels, got 6x8: make --crop larger"),
        (["--size", "6", "8", "--crop", "4", "4", "--steps", "2"], "--size must be at least 7 each"),
        (["--sintel", "/no/such/folder"], "/no/such/folder"),
        (["--model-option", "height=20"], "--model-option height: the size of the frames is --size"),
        (["--model-option", "shrink=abc"], "shrink must be a number, got 'abc'"),
        (["--model-option", "change=true"], "change must be a number, got True"),
        (["--crop", "16", "24", "--all-directions"], "parts of 24x16 don't fit into frames of 16x24"),
        (["--preset", "paper", "--all-directions"], "turns the parts that --crop takes; add --crop"),
        (["--frames", "99"], "too short, 16 of the 99 frames of a clip"),
        (["--resume", "/no/such/run"], "there is no checkpoint /no/such/run/checkpoint.h5"),
    ],
)
def test_settings_that_cannot_be(arguments, message, videos, tmp_path, capsys):
    new = [] if "--resume" in arguments else [*TOY, "--videos", str(videos), "--out", str(tmp_path / "run")]
    assert real_video.main([*new, *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
