"""The experiment on real video: a toy run on small files, its results, interruptions, and what is refused."""

import functools
import json
import shutil
import signal

import matplotlib.pyplot as plt
import numpy as np
import pytest
from nnlite.train.real_video import __main__ as real_video
from nnlite.train.real_video import experiment as real_video_experiment
from nnlite.train.real_video.drawn_videos import draw_videos
from nnlite.train.real_video.experiment import GREY, build_model, choose_clips, load_trained
from nnlite.train.real_video.run import Run
from nnlite.train.real_video.scores import summary
from nnlite.train.real_video.settings import settle
from nnlite.train.report.anonymise import portable_command
from nnlite.train.runs.loop import Trainer, read_log
from nnlite.train.runs.loop_options import LoopOptions
from toy_real_video import TOY, make_videos, scene, train_toy
from video_files import make_video

from nnlite import checkpoint, models


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """The folder of the toy's videos."""
    return make_videos(tmp_path_factory.mktemp("videos"))


@pytest.fixture(scope="module")
def finished(videos, tmp_path_factory):
    """The folder of a toy run."""
    return train_toy(videos, tmp_path_factory.mktemp("runs") / "finished")


def result_of(folder):
    return json.loads((folder / "result.json").read_text())


def test_run_folder(finished):
    names = {"checkpoint.h5", "log.jsonl", "result.json", "curves.png", "figure6.png", "prediction.mp4"} | {
        "inspect.html",
        ".lock",
    }
    assert {entry.name for entry in finished.iterdir()} == names
    for name in ("curves.png", "figure6.png"):
        assert min(plt.imread(finished / name).shape[:2]) > 100
    log = read_log(finished)
    assert [line["step"] for line in log if "evaluation" in line] == [0, 1, 2, 4]
    losses = [line["loss"] for line in log if "loss" in line]
    assert losses and all(0 < loss < 1 for loss in losses)


def test_result(finished, videos):
    result = result_of(finished)
    assert result["sequences_seen"] == 16 and result["steps"] == 4
    assert result["hardware"]["device"] == "cpu" and result["training_seconds"] > 0
    assert result["experiment"]["videos"] == [videos.name]
    assert str(videos.parent) not in json.dumps(result)
    scores = result["scores"]
    assert list(scores) == ["model", "still", "copy", "motion"]
    assert scores["motion"]["last"]["squared"] < 0.3 * scores["copy"]["last"]["squared"]
    clips = sum(video["clips"] for video in result["videos"])
    for name, errors in scores.items():
        mean = sum(v["clips"] * v[name]["all"]["squared"] for v in result["videos"]) / clips
        assert errors["all"]["squared"] == pytest.approx(mean)
    LoopOptions(**result["options"])


def test_scores_are_what_they_say(finished, videos):
    model, saved = load_trained(finished / "checkpoint.h5", {"device": "cpu"})
    experiment = saved.metadata["experiment"]
    test = real_video.TestClips(real_video.find_videos(experiment, finished)[1], experiment)
    batch = test.clips.batch(test.chosen)
    model.evaluate()
    output = model.forward(batch[:-1] - np.float32(GREY)) + GREY
    errors = np.clip(output, 0, 1) - batch[1:]
    scores = result_of(finished)["scores"]
    assert scores["model"]["all"]["squared"] == pytest.approx((errors**2).mean(), rel=1e-5)
    assert scores["model"]["last"]["absolute"] == pytest.approx(np.abs(errors[-1]).mean(), rel=1e-5)
    for weight in model.regressor.parameters()[0]:
        weight.fill(0)
    errors = np.clip(model.forward(batch[:-1] - np.float32(GREY)) + GREY, 0, 1) - batch[1:]
    assert (model.flow == 0).all()
    assert scores["still"]["all"]["squared"] == pytest.approx((errors**2).mean(), rel=1e-5)
    assert scores["still"] != scores["model"]
    copied = batch[:-1] - batch[1:]
    assert scores["copy"]["last"]["squared"] == pytest.approx((copied[-1] ** 2).mean(), rel=1e-5)


def test_summary():
    errors = np.array([[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]]])
    assert summary(errors) == {
        "last": {"squared": 5.0, "absolute": 6.0},
        "all": {"squared": 4.0, "absolute": 5.0},
    }


def test_broken_videos_are_named_and_left_out(videos, tmp_path, capsys):
    folder = tmp_path / "with broken ones"
    shutil.copytree(videos, folder)
    (folder / "clip 1.mp4").write_bytes(b"")
    arguments = [*TOY, "--sequences", "4", "--render", "none", "--videos", str(folder)]
    assert real_video.main([*arguments, "--out", str(tmp_path / "run")]) == 0
    printed = capsys.readouterr().out
    assert "broken.avi: cannot be read as a video" in printed
    assert "clip 1.mp4: cannot be read as a video" in printed
    assert not (tmp_path / "run" / "prediction.mp4").exists()
    assert real_video.main([*arguments, "--strict", "--out", str(tmp_path / "strict")]) == 2
    assert "cannot be read as a video" in capsys.readouterr().err
    assert not (tmp_path / "strict").exists()


def parameters(folder):
    saved = checkpoint.load(folder / "checkpoint.h5")
    arrays = {**saved.parameters, "m": saved.optimiser["m"], "v": saved.optimiser["v"]}
    return {name: array.tobytes() for name, array in arrays.items()}


def numbers(log):
    return [{name: value for name, value in line.items() if name != "seconds"} for line in log]


def test_interrupted_and_resumed_is_the_same_to_the_bit(videos, finished, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "a run"
    usual = Trainer.train_step

    def interrupted(trainer):
        usual(trainer)
        if trainer.step == 2:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Trainer, "train_step", interrupted)
    assert real_video.main([*TOY, "--videos", str(videos), "--out", str(folder)]) == 130
    printed = capsys.readouterr().out
    assert "Stopped after 8 of 16 sequences" in printed
    assert f"python -m train.real_video --resume '{folder}'" in printed
    assert not (folder / "result.json").exists()
    monkeypatch.undo()
    assert real_video.main(["--resume", str(folder), "--device", "cpu"]) == 0
    assert parameters(folder) == parameters(finished)
    assert numbers(read_log(folder)) == numbers(read_log(finished))
    assert len(result_of(folder)["commands"]) == 2
    assert result_of(folder)["scores"] == result_of(finished)["scores"]


def test_resuming_needs_the_same_videos(videos, finished, tmp_path, capsys):
    run, moved = tmp_path / "run", tmp_path / "moved"
    shutil.copytree(finished, run)
    shutil.copytree(videos, moved)
    more = ["--resume", str(run), "--videos", str(moved), "--sequences", "20", "--render", "none"]
    assert real_video.main(more) == 0  # elsewhere, but the same
    assert result_of(run)["sequences_seen"] == 20
    make_video(moved / "clip 0.mp4", scene(10))
    make_video(moved / "clip 1.mp4", scene(11))
    assert real_video.main(more) == 2
    assert "the training videos are not those that the run" in capsys.readouterr().err


def test_evaluate_gives_the_same_scores(finished, videos, tmp_path, capsys):
    arguments = ["--evaluate", str(finished / "checkpoint.h5"), "--out", str(tmp_path / "again")]
    assert real_video.main(arguments) == 0
    assert result_of(tmp_path / "again")["scores"] == result_of(finished)["scores"]
    assert (tmp_path / "again" / "figure6.png").exists()
    assert "motion of Lucas-Kanade carried on" in capsys.readouterr().out
    assert real_video.main([*arguments[:2], "--test", str(videos / "clip 0.mp4")]) == 0
    assert "| clip 0.mp4" in capsys.readouterr().out


def test_colour(videos, tmp_path):
    run = tmp_path / "run"
    arguments = [*TOY, "--sequences", "4", "--colour", "rgb", "--videos", str(videos), "--out", str(run)]
    assert real_video.main(arguments) == 0
    assert checkpoint.load(run / "checkpoint.h5").architecture["options"]["n_channels"] == 3
    assert min(plt.imread(run / "figure6.png").shape[:2]) > 100


def test_whole_frames_without_crops(videos, tmp_path):
    settings = [*TOY, "--sequences", "4", "--render", "none", "--videos", str(videos)]
    _, given = settle([*settings, "--out", str(tmp_path / "run")])
    run = Run.new(given | {"crop": None}, "a command")
    frames, target = run._make_batch([3, 1])
    np.testing.assert_array_equal(frames, run.clips.batch([3, 1])[:-1] - np.float32(GREY))
    np.testing.assert_array_equal(frames[1:], target[:-1])
    assert run.train() is None
    np.testing.assert_array_equal(run.trained().get_parameters()[0], run.trainer.parameters)


def test_own_test_videos(videos, tmp_path, capsys):
    run, test = tmp_path / "run", videos / "pictures"
    arguments = [*TOY, "--sequences", "4", "--render", "none", "--videos", str(videos), "--test", str(test)]
    assert real_video.main([*arguments, "--out", str(run)]) == 0
    assert "To test on: 1 videos: 16 frames" in capsys.readouterr().out
    assert [video["video"] for video in result_of(run)["videos"]] == ["pictures/img"]


def test_hmdb51(tmp_path):
    classes, splits = tmp_path / "classes", tmp_path / "splits"
    splits.mkdir()
    for k, name in enumerate(("wave", "smile")):
        (classes / name).mkdir(parents=True)
        for n in (1, 2):
            make_video(classes / name / f"{name}{n}.avi", scene(10 * k + n))
        (splits / f"{name}_test_split2.txt").write_text(f"{name}1.avi 1\n{name}2.avi 2\n")
    arguments = [*TOY, "--sequences", "4", "--render", "none", "--videos", str(classes)]
    arguments += ["--splits", str(splits), "--split", "2", "--out", str(tmp_path / "run")]
    assert real_video.main(arguments) == 0
    assert [v["video"] for v in result_of(tmp_path / "run")["videos"]] == ["smile2.avi", "wave2.avi"]


def test_without_videos_some_are_drawn(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("NNLITE_DATA", raising=False)
    few = functools.partial(draw_videos, count=3)
    monkeypatch.setattr(real_video_experiment, "draw_videos", few)
    run = tmp_path / "run"
    assert real_video.main([*TOY, "--sequences", "4", "--render", "none", "--out", str(run)]) == 0
    assert "No videos here: name folders of them with --videos" in capsys.readouterr().out
    assert len(list((run / "drawn").iterdir())) == 3
    shutil.move(run, tmp_path / "moved")
    assert real_video.main(["--evaluate", str(tmp_path / "moved" / "checkpoint.h5")]) == 0


def test_usual_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("NNLITE_DATA", str(tmp_path))
    assert real_video_experiment.usual_folders() is None
    (tmp_path / "sequences").mkdir()
    assert real_video_experiment.usual_folders() == [str(tmp_path / "sequences")]


class Places:
    """Clips of three videos, 7, 1 and 4 of them."""

    sources = ["a"] * 7 + ["b"] + ["c"] * 4

    def __len__(self):
        return 12

    def place(self, i):
        return self.sources[i], 0


def test_clips_to_score_are_spread_evenly():
    assert choose_clips(Places(), 2) == [1, 5, 7, 9, 11]
    assert choose_clips(Places(), 100) == list(range(12))


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--videos", "/no/such/folder"], "/no/such/folder: there is no such folder of videos"),
        (["--size", "15", "24"], "height and width must be even, got 15x24"),
        (["--crop", "18", "16"], "crops of 18x16 don't fit into frames of 16x24"),
        (["--frames", "99"], "too short, 16 of the 99 frames of a clip"),
        (["--resume", "/no/such/run"], "there is no checkpoint /no/such/run/checkpoint.h5"),
    ],
)
def test_settings_that_cannot_be(arguments, message, videos, tmp_path, capsys):
    new = [] if "--resume" in arguments else [*TOY, "--videos", str(videos), "--out", str(tmp_path / "run")]
    assert real_video.main([*new, *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--resume", "run", "--lr", "1"], "--resume takes its settings from the run; leave out --lr"),
        (["--predict", "checkpoint"], "expected 2 arguments"),
        (["--splits", "folder"], "--splits needs --videos with the one folder of HMDB-51's classes"),
        (["--colour", "blue"], "invalid choice: 'blue'"),
    ],
)
def test_bad_options(arguments, message, capsys):
    with pytest.raises(SystemExit):
        real_video.main(arguments)
    assert message in capsys.readouterr().err


def test_a_run_is_not_overwritten_and_other_checkpoints_are_refused(finished, videos, tmp_path, capsys):
    assert real_video.main([*TOY, "--videos", str(videos), "--out", str(finished)]) == 2
    assert "holds a run already" in capsys.readouterr().err
    model = models.build("ae_convlstm_flow", height=8, width=8, n_memory=2, kernel=3, flow_kernel=3)
    checkpoint.save(tmp_path / "other.h5", model)
    assert real_video.main(["--evaluate", str(tmp_path / "other.h5")]) == 2
    assert "but not one of train.real_video" in capsys.readouterr().err


def test_paper_preset_is_the_papers():
    _, settings = settle(["--preset", "paper"])
    expected = {"frames": 13, "rate": 0.0, "batch": 1, "optimiser": "rmsprop", "learning_rate": 1e-4}
    expected |= {"decay": 0.9, "decay_epochs": 5, "loss_at": "all", "model_options": {}}
    assert {name: settings[name] for name in expected} == expected
    model = build_model(settings, "cpu")
    assert models.count_parameters(model) == 1_035_067
    assert model.penalty.penalty_weight == 0.01 and model.penalty.form == "paper"


def test_commands_without_folders():
    command = "python -m train.real_video --videos /a/b /c/d --test=/e/f --predict /g/h.h5 /i/j.mp4 --seed 1"
    expected = "python -m train.real_video --videos b d --test=f --predict h.h5 j.mp4 --seed 1"
    assert portable_command(command) == expected
    expected = "python -m train.camvid --weights first/checkpoint.h5 --resume second"
    assert portable_command(expected.replace("first", "/a/first").replace("second", "/b/second")) == expected
