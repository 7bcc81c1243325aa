"""The experiment on real video: a toy run on small files, its results, interruptions, and what is refused."""

import functools
import json
import shutil
import signal
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest

from nnlite import checkpoint, models
from nnlite.data.clips import Clips
from nnlite.train.real_video import __main__ as real_video
from nnlite.train.real_video import figures
from nnlite.train.real_video import videos as real_videos
from nnlite.train.real_video.drawn_videos import draw_videos
from nnlite.train.real_video.experiment import RealVideo
from nnlite.train.real_video.prediction import GREY
from nnlite.train.real_video.scores import summary
from nnlite.train.runs.experiment import load_trained, reopen
from nnlite.train.runs.log import read_log
from nnlite.train.runs.loop import Trainer
from nnlite.train.runs.loop_options import LoopOptions
from nnlite.train.runs.run import Run
from tests.toy_real_video import SIZE, TOY, result_of, scene
from tests.video_files import make_video


def test_run_folder(finished):
    names = {
        "checkpoint.h5",
        "log.jsonl",
        "result.json",
        "curves.png",
        "figure6.png",
        "film.webp",
        "prediction.mp4",
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


def test_figure6_of_the_shortest_clips(finished, videos, tmp_path):
    """Of three frames, the least that --frames takes, two are seen and one is predicted."""
    _, model, _ = load_trained(RealVideo, finished / "checkpoint.h5", {"device": "cpu"})
    clips = Clips([videos / "clip 0.mp4"], 3, SIZE)
    figures.draw_figure6(tmp_path / "a.png", model, clips, [0, 1], ["first", "second"])
    assert min(plt.imread(tmp_path / "a.png").shape[:2]) > 100


def test_result(finished, videos):
    result = result_of(finished)
    assert result["sequences_seen"] == 16 and result["steps"] == 4
    assert result["hardware"]["device"] == "cpu" and result["training_seconds"] > 0
    assert result["experiment"]["videos"] == [videos.name]
    assert str(videos.parent) not in json.dumps(result)
    scores = result["scores"]
    assert list(scores) == ["model", "zero_flow", "copy", "motion"]
    assert scores["motion"]["last"]["squared"] < 0.3 * scores["copy"]["last"]["squared"]
    clips = sum(video["clips"] for video in result["videos"])
    for name, errors in scores.items():
        mean = sum(v["clips"] * v[name]["all"]["squared"] for v in result["videos"]) / clips
        assert errors["all"]["squared"] == pytest.approx(mean)
    LoopOptions(**result["options"])


def test_scores_are_what_they_say(finished, videos):
    opened, model, _ = load_trained(RealVideo, finished / "checkpoint.h5", {"device": "cpu"})
    test = opened.test
    batch = test.clips.batch(test.chosen).frames
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
    assert scores["zero_flow"]["all"]["squared"] == pytest.approx((errors**2).mean(), rel=1e-5)
    assert scores["zero_flow"] != scores["model"]
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


def test_a_video_to_render_that_is_not_there_is_named_before_training(videos, tmp_path, capsys):
    missing, run = tmp_path / "missing.mp4", tmp_path / "run"
    options = ["--videos", str(videos), "--render", str(missing), "--out", str(run)]
    assert real_video.main([*TOY, *options]) == 2
    assert f"error: {missing}, the video to render, does not exist" in capsys.readouterr().err
    assert not (run / "checkpoint.h5").exists()


def parameters(folder):
    saved = checkpoint.load(folder / "checkpoint.h5")
    arrays = {**saved.parameters, "m": saved.optimiser["m"], "v": saved.optimiser["v"]}
    return {name: array.tobytes() for name, array in arrays.items()}


def numbers(log):
    return [{name: value for name, value in line.items() if name != "seconds"} for line in log]


def test_interrupted_and_resumed_is_the_same_to_the_bit(videos, finished, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "a run"
    usual = Trainer.train_step

    def interrupted(trainer, batch):
        usual(trainer, batch)
        if trainer.step == 2:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Trainer, "train_step", interrupted)
    assert real_video.main([*TOY, "--videos", str(videos), "--out", str(folder)]) == 130
    printed = capsys.readouterr().out
    assert "Stopped after 8 of 16 clips" in printed
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


def as_before_version_0_2(path, **changes):
    """Rewrite a checkpoint in the way in which it was written before version 0.2; changes: of its loop."""
    saved = checkpoint.load(path)
    loop = saved.metadata["loop"] | {"epoch": 24, "cooldown": 0.0, "still": 0} | changes
    for name in ("lr_decay_fraction", "flow_warmup"):
        loop.pop(name, None)
    metadata = {name: value for name, value in saved.metadata.items() if name != "kind"} | {"loop": loop}
    model = models.build(saved.architecture["name"], **saved.architecture["options"])
    checkpoint.load_parameters(model, saved)
    kept = {"optimiser": saved.optimiser, "random": saved.random, "position": saved.position}
    checkpoint.save(path, model, architecture=saved.architecture, metadata=metadata, **kept)


def test_runs_of_before_version_0_2_resume_to_the_bit(finished, tmp_path):
    new, old = tmp_path / "new", tmp_path / "old"
    for run in (new, old):
        shutil.copytree(finished, run)
    as_before_version_0_2(old / "checkpoint.h5")
    for run in (new, old):
        assert real_video.main(["--resume", str(run), "--sequences", "24", "--render", "none"]) == 0
        assert result_of(run)["sequences_seen"] == 24
    assert parameters(new) == parameters(old) != parameters(finished)
    assert numbers(read_log(new)) == numbers(read_log(old))
    as_before_version_0_2(new / "checkpoint.h5", cooldown=0.25, still=8)
    opened, _ = reopen(RealVideo, new / "checkpoint.h5")
    assert opened.settings.lr_decay_fraction == 0.25 and opened.settings.flow_warmup == 8


def test_colour(videos, tmp_path):
    run = tmp_path / "run"
    arguments = [*TOY, "--sequences", "4", "--colour", "rgb", "--videos", str(videos), "--out", str(run)]
    assert real_video.main(arguments) == 0
    assert checkpoint.load(run / "checkpoint.h5").architecture["options"]["n_channels"] == 3
    assert min(plt.imread(run / "figure6.png").shape[:2]) > 100


def test_whole_frames_without_crops(videos, tmp_path):
    settings = [*TOY, "--sequences", "4", "--render", "none", "--videos", str(videos)]
    _, given = RealVideo.parse([*settings, "--out", str(tmp_path / "run")], "a program")
    run = Run.start(RealVideo, replace(RealVideo.plan(given), crop=None), "a command")
    frames, target = run.experiment.make_batch(0, [3, 1])
    np.testing.assert_array_equal(frames, run.experiment.clips.batch([3, 1]).frames[:-1] - np.float32(GREY))
    np.testing.assert_array_equal(frames[1:], target[:-1])
    assert run.experiment.evaluated_model(run.trainer.model) is run.trainer.model
    assert run.fit(0.0, "a command") == 0


def test_crops_follow_from_seed_step_and_clips_alone(videos):
    _, given = RealVideo.parse([*TOY, "--videos", str(videos)], "a program")
    first, again, other = (RealVideo(RealVideo.plan(given | {"seed": seed})) for seed in (1, 1, 2))
    for opened in (first, again, other):
        opened.load()
    later = again.make_batch(7, [0, 1])[0]
    batch = first.make_batch(3, [4, 2])[0]
    assert batch.shape == (4, 2, 1, 12, 16)
    np.testing.assert_array_equal(again.make_batch(3, [4, 2])[0], batch)
    assert not np.array_equal(other.make_batch(3, [4, 2])[0], batch)
    assert not np.array_equal(first.make_batch(3, [0, 1])[0], later)


def test_whole_frames_are_scored_with_the_weights_learned_from_crops(finished):
    _, whole, saved = load_trained(RealVideo, finished / "checkpoint.h5", {"device": "cpu"})
    assert whole.config["options"]["height"] == 16 and saved.architecture["options"]["height"] == 12
    found = {name: weight for name, weight, _ in whole.named_parameters()}
    assert found.keys() == saved.parameters.keys()
    for name, weight in saved.parameters.items():
        np.testing.assert_array_equal(found[name], weight)


def test_own_test_videos(videos, tmp_path, capsys):
    run, test = tmp_path / "run", videos / "pictures"
    arguments = [*TOY, "--sequences", "4", "--render", "none", "--videos", str(videos), "--test", str(test)]
    assert real_video.main([*arguments, "--out", str(run)]) == 0
    text = capsys.readouterr().out
    assert "To test on: 1 videos: 16 frames" in text and "To train on: 4 videos" in text
    assert "Left out of training, since they are test videos or copies of them: pictures/img\n" in text
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
    monkeypatch.setattr(real_videos, "draw_videos", few)
    run = tmp_path / "run"
    assert real_video.main([*TOY, "--sequences", "4", "--render", "none", "--out", str(run)]) == 0
    assert "No videos here: name folders of them with --videos" in capsys.readouterr().out
    assert len(list((run / "drawn").iterdir())) == 3
    shutil.move(run, tmp_path / "moved")
    assert real_video.main(["--evaluate", str(tmp_path / "moved" / "checkpoint.h5")]) == 0


def test_drawn_videos_are_the_same_to_the_bit_and_so_are_those_drawn_after_a_stop(tmp_path):
    draw_videos(tmp_path / "whole", 2)
    draw_videos(tmp_path / "broken", 1)
    draw_videos(tmp_path / "broken", 2)
    whole, broken = ([p.read_bytes() for p in sorted((tmp_path / n).iterdir())] for n in ("whole", "broken"))
    assert whole == broken and len(whole) == 2
    with pytest.importorskip("av").open(tmp_path / "whole" / "shapes_00.mp4") as video:
        assert video.streams.video[0].codec_context.name == "png"  # others were seen to vary


def test_a_run_is_not_overwritten_and_other_checkpoints_are_refused(finished, videos, tmp_path, capsys):
    assert real_video.main([*TOY, "--videos", str(videos), "--out", str(finished)]) == 2
    assert "holds a run already" in capsys.readouterr().err
    model = models.build("ae_convlstm_flow", height=8, width=8, n_memory=2, kernel=3, flow_kernel=3)
    checkpoint.save(tmp_path / "other.h5", model)
    assert real_video.main(["--evaluate", str(tmp_path / "other.h5")]) == 2
    assert "but not one of train.real_video" in capsys.readouterr().err
