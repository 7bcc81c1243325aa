"""The microscope's command: its arguments, what it says about itself, and what it refuses."""

import inspect as standard_inspect
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import nnlite as nn
from nnlite import checkpoint
from nnlite.train.inspect import __main__ as inspect
from nnlite.train.inspect.settings import Settings, anonymised_command
from nnlite.train.inspect.traced_model import load
from nnlite.train.runs.options import parse_options
from nnlite.train.runs.run import PAGE
from tests.toy_inspect import save


def test_the_command_on_the_page_names_no_folders(tmp_path):
    given = {"run": str(tmp_path / "my run"), "loss_at": "last", "video": "/a/b/c.mp4", "entries": 2}
    expected = "python -m train.inspect 'my run' --video c.mp4 --loss-at last --entries 2"
    assert anonymised_command(given) == expected
    assert anonymised_command({"run": tmp_path / "r" / "checkpoint.h5"}).endswith(" r/checkpoint.h5")


def test_the_run_may_stand_anywhere_on_the_command_line():
    assert Settings.path_flags() == {"run", "--video", "--out"}
    for argv in (["RUN", "--loss-at", "last"], ["--loss-at", "last", "RUN"]):
        _, given = parse_options(Settings, argv, program="inspect", description="")
        assert given == {"run": "RUN", "loss_at": "last"}
    assert parse_options(Settings, [], program="inspect", description="") == ("train", {})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{folder}/none.h5"], "there is no checkpoint"),
        (["{folder}/text.h5"], "not a checkpoint"),
        (["{folder}/bare.h5"], "does not name its architecture"),
        (["{folder}/conv.h5", "--model", "ae_fclstm"], "is of ae_conv, not of --model ae_fclstm"),
        (["{folder}/conv.h5", "--frames", "7"], "--frames: ae_conv takes 4 frames, got 7"),
        (["{folder}/conv.h5", "--video", "{folder}/none.mp4"], "none.mp4"),
        (["{folder}/segnet.h5", "--video", "{folder}/video"], "learns from labels"),
        (["{folder}/suite"], "holds several runs; choose one with --model: ae_conv, ae_fclstm"),
        (["--model", "nothing"], "unknown model 'nothing'; choose from ae_conv"),
    ],
)
def test_bad_input(tmp_path, capsys, arguments, message):
    save(tmp_path / "conv.h5", "ae_conv")
    save(tmp_path / "segnet.h5", "segnet")
    (tmp_path / "text.h5").write_text("no HDF5")
    checkpoint.save(tmp_path / "bare.h5", nn.Linear(2, 2))
    for name in ("ae_conv", "ae_fclstm"):
        (tmp_path / "suite" / name).mkdir(parents=True)
        save(tmp_path / "suite" / name / "checkpoint.h5", name)
    (tmp_path / "video").mkdir()
    for k in range(5):
        Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(tmp_path / "video" / f"{k}.png")
    out = tmp_path / "page.html"
    arguments = [argument.format(folder=tmp_path) for argument in arguments]
    assert inspect.main([*arguments, "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and message in error
    assert not out.exists()


def test_the_folder_of_several_runs_with_a_model(tmp_path):
    (tmp_path / "suite" / "ae_conv").mkdir(parents=True)
    save(tmp_path / "suite" / "ae_conv" / "checkpoint.h5", "ae_conv")
    assert load(tmp_path / "suite", "ae_conv").name == "ae_conv"


def test_the_command_does_not_shadow_the_standard_library():
    assert hasattr(standard_inspect, "signature")
    done = subprocess.run(
        [sys.executable, "-m", "train.inspect", "--help"], capture_output=True, text=True, check=True
    )
    assert "RUN" in done.stdout and PAGE in done.stdout
