"""Scoring a trained model again: the same scores, elsewhere than in its run, and frames that fit."""

import shutil

import pytest

from nnlite.train.real_video import __main__ as real_video
from tests.toy_real_video import result_of


def test_evaluate_gives_the_same_scores(finished, videos, tmp_path, capsys):
    arguments = ["--evaluate", str(finished / "checkpoint.h5"), "--out", str(tmp_path / "again")]
    assert real_video.main(arguments) == 0
    assert result_of(tmp_path / "again")["scores"] == result_of(finished)["scores"]
    assert (tmp_path / "again" / "figure6.png").exists()
    assert str(videos.parent) not in (tmp_path / "again" / "result.json").read_text()
    assert "motion extrapolated (Lucas-Kanade)" in capsys.readouterr().out
    own = (finished / "result.json").read_bytes()
    assert real_video.main([*arguments[:2], "--out", str(finished)]) == 2
    assert "finished holds a run already" in capsys.readouterr().err
    assert (finished / "result.json").read_bytes() == own
    shutil.copy(finished / "checkpoint.h5", tmp_path / "again")
    assert real_video.main(["--export", str(tmp_path / "again"), "--out", str(tmp_path)]) == 2
    assert "result.json is not of the training but of an evaluation" in capsys.readouterr().err
    assert real_video.main([*arguments[:2], "--test", str(videos / "clip 0.mp4")]) == 0
    assert "| clip 0.mp4" in capsys.readouterr().out


@pytest.mark.parametrize("mode", ["evaluate", "predict"])
def test_frames_that_cannot_fit_are_refused_before_any_work(mode, finished, videos, capsys):
    given = [str(finished), str(next(videos.iterdir()))][: 2 if mode == "predict" else 1]
    assert real_video.main([f"--{mode}", *given, "--size", "1000000", "1000000"]) == 2
    error = capsys.readouterr().err
    assert "frames of 1000000x1000000 takes at least" in error and "--size" in error
