"""Run folders, checkpoints and command lines of version 0.1 still hold: files in old_runs were written by it.

`old_runs/expected` holds checkpoints to which version 0.1 itself trained copies of these folders.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from nnlite import checkpoint, models
from nnlite.train.camvid import __main__ as camvid
from nnlite.train.camvid.experiment import LabelledVideo
from nnlite.train.inspect import __main__ as inspect_command
from nnlite.train.moving_mnist import __main__ as moving_mnist
from nnlite.train.moving_mnist.experiment import MovingDigits
from nnlite.train.real_video import __main__ as real_video
from nnlite.train.real_video.experiment import RealVideo
from tests.toy_camvid import draw_nothing
from tests.toy_table1 import less_work

FOLDER = Path(__file__).parents[2] / "old_runs"
#: All flags of version 0.1.
FLAGS = {
    MovingDigits: """--preset --out --device --resume --evaluate --figures --export --save-every --data
        --sequences-file --train-sequences-file --size --digits --speed --frames --train-sequences
        --test-sequences --model --weights --model-option --sequences --minutes --batch --optimiser
        --optimiser-option --lr --decay --decay-epochs --cooldown --still --clip --loss-at --tf32 --cuda-graph
        --seed""",
    RealVideo: """--preset --out --device --resume --evaluate --predict --save-flow --render --save-every
        --videos --test --test-share --splits --split --size --crop --colour --rate --frames --stride
        --max-jump --strict --cache-mib --test-clips --model-option --sequences --minutes --batch --optimiser
        --optimiser-option --lr --decay --decay-epochs --cooldown --still --clip --loss-at --tf32 --cuda-graph
        --seed""",
    LabelledVideo: """--model --preset --out --device --resume --evaluate --save-every --camvid --split --size
        --frames --shapes --speed --noise --lost --train-sequences --test-sequences --model-option --weights
        --segmentation-weight --sequences --minutes --batch --optimiser --optimiser-option --lr --decay
        --decay-epochs --cooldown --still --clip --tf32 --seed""",
}


@pytest.fixture
def copy(tmp_path):
    """Give the function that returns a copy of an old run's folder."""
    return lambda name: Path(shutil.copytree(FOLDER / name, tmp_path / name))


def assert_trained_as_before(path, expected, start=None):
    """Compare a checkpoint with that of version 0.1.

    Rounding differs between processors: it may be as far from it as 1% of the way there from `start`, the
    parameters that both began with, by default nothing.
    """
    found, wanted = (checkpoint.load(file).parameters for file in (path, FOLDER / "expected" / expected))
    assert found.keys() == wanted.keys()
    flat = [
        np.concatenate([p[name].ravel() for name in sorted(wanted)]) for p in (found, wanted, start or {})[:2]
    ]
    origin = np.concatenate([start[name].ravel() for name in sorted(wanted)]) if start else 0
    assert np.linalg.norm(flat[0] - flat[1]) < 0.01 * np.linalg.norm(flat[1] - origin)


@pytest.mark.parametrize(
    "command, name",
    [(moving_mnist, "moving_mnist"), (real_video, "real_video")],
    ids=lambda value: str(value)[:12],
)
def test_a_run_trains_on(command, name, copy):
    folder = copy(name)
    before = checkpoint.load(folder / "checkpoint.h5").parameters
    log = (folder / "log.jsonl").read_text()
    assert command.main(["--resume", str(folder), "--sequences", "32", "--device", "cpu"]) == 0
    assert_trained_as_before(folder / "checkpoint.h5", f"{name}_32.h5", before)
    assert (folder / "log.jsonl").read_text().startswith(log[: log.rindex('{"step"')])
    result = json.loads((folder / "result.json").read_text())
    assert result["sequences_seen"] == 32 and len(result["commands"]) == 2


def test_a_group_trains_the_models_that_are_missing(copy):
    folder = copy("table1")
    with less_work():
        assert moving_mnist.main(["--resume", str(folder)]) == 0
    for name in ("ae_convlstm", "ae_convlstm_flow"):
        assert_trained_as_before(folder / name / "checkpoint.h5", f"table1_{name}.h5")
    rows = json.loads((folder / "table1.json").read_text())["rows"]
    assert [row["model"] for row in rows] == models.names()
    assert (
        checkpoint.load(folder / "ae_conv" / "checkpoint.h5").metadata["commands"][0].count("--resume") == 0
    )


def test_both_segmenters_train_on(copy, monkeypatch):
    draw_nothing(monkeypatch)
    folder = copy("camvid")
    before = {
        name: checkpoint.load(folder / name / "checkpoint.h5").parameters for name in models.segmenter_names()
    }
    assert camvid.main(["--resume", str(folder), "--sequences", "32"]) == 0
    for name, start in before.items():
        assert_trained_as_before(folder / name / "checkpoint.h5", f"camvid_{name}_32.h5", start)


@pytest.mark.parametrize(
    "command, name, model",
    [
        (moving_mnist, "moving_mnist", ""),
        (moving_mnist, "table1", "ae_fclstm"),
        (camvid, "camvid", "segnet_flow"),
        (real_video, "real_video", ""),
    ],
    ids=lambda value: str(value)[:12],
)
def test_scores_are_those_that_were_written(command, name, model, copy, tmp_path):
    folder = copy(name) / model
    with less_work():
        options = ["--out", str(tmp_path / "again")]
        assert command.main(["--evaluate", str(folder / "checkpoint.h5"), *options]) == 0
    again, then = (json.loads((place / "result.json").read_text()) for place in (tmp_path / "again", folder))
    compare(again["scores"], then["scores"])


def compare(found, wanted):
    """Compare nested scores; what is called "still" in old scores of real video is "zero_flow" now."""
    if isinstance(wanted, dict):
        for key, value in wanted.items():
            compare(found["zero_flow" if key == "still" else key], value)
    elif isinstance(wanted, list):
        for one, other in zip(found, wanted, strict=True):
            compare(one, other)
    else:
        assert found == (pytest.approx(wanted, rel=1e-4) if isinstance(wanted, float) else wanted)


def test_other_uses_of_old_runs(copy, tmp_path, capsys):
    folder = copy("moving_mnist")
    assert moving_mnist.main(["--export", str(folder), "--out", str(tmp_path / "packed")]) == 0
    assert moving_mnist.main(["--figures", str(folder), "--test-sequences", "2", "--out", str(tmp_path)]) == 0
    weights = [
        "--weights",
        str(folder / "checkpoint.h5"),
        "--sequences",
        "4",
        "--out",
        str(tmp_path / "more"),
    ]
    options = [
        word
        for name in ("n_features=2", "n_memory=2", "kernel=3", "flow_kernel=3")
        for word in ("--model-option", name)
    ]
    with less_work():
        assert moving_mnist.main(["--preset", "tiny", "--data", "drawn", *options, *weights]) == 0
    assert json.loads((tmp_path / "more" / "result.json").read_text())["sequences_seen"] == 24
    assert inspect_command.main([str(folder), "--entries", "1"]) == 0
    assert "test sequence 0" in capsys.readouterr().out


@pytest.mark.parametrize("experiment", FLAGS, ids=lambda experiment: experiment.__name__)
def test_every_flag_is_still_known(experiment, capsys):
    with pytest.raises(SystemExit):
        experiment.parse(["--help"], "a program")
    text = capsys.readouterr().out
    assert [
        flag for flag in FLAGS[experiment].split() if f"{flag} " not in text and f"{flag}]" not in text
    ] == []


def test_old_flags_mean_what_they_meant():
    _, given = MovingDigits.parse(["--still", "8", "--cooldown", "0.25", "--lr", "0.1"], "a program")
    assert given == {"flow_warmup": 8, "lr_decay_fraction": 0.25, "learning_rate": 0.1}
