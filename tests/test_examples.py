"""The scripts of examples/ run and do what they say. (open_a_torch7_model.py has a file of its own.)"""

import importlib.util
import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nnlite import models
from nnlite.data import moving_mnist
from nnlite.data.drawn_digits import draw_digits
from nnlite.data.video import video_info

ROOT = Path(__file__).parents[1]


@pytest.fixture
def few_digits(monkeypatch):
    """Draw a few digits only."""
    digits = draw_digits(20)[0], draw_digits(20, split="test")[0], "drawn"
    monkeypatch.setattr(moving_mnist, "load_digits", lambda data=None: digits)


def run(monkeypatch, name, *arguments, run_name="__main__"):
    """Run a script with these arguments; return its names."""
    monkeypatch.setattr(sys, "argv", [name, *arguments])
    return runpy.run_path(str(ROOT / "examples" / name), run_name=run_name)


def test_moving_mnist_is_trained(monkeypatch, tmp_path, capsys, few_digits):
    names = run(
        monkeypatch, "train_moving_mnist.py", "--sequences", "6", "--batch", "2", "--out", f"{tmp_path}/p.png"
    )
    unseen = float(re.search(r"frame 11: (\S+) nats", capsys.readouterr().out)[1])
    assert names["state"]["t"] == 3 and 0 < unseen < 0.7  # 0.693 without training
    assert Image.open(tmp_path / "p.png").size == (8 * 64, 3 * 64)


def test_the_loop_is_short_and_knows_nothing_of_train():
    text = (ROOT / "examples" / "train_moving_mnist.py").read_text()
    assert len(text.splitlines()) < 80
    for path in (ROOT / "examples").glob("*.py"):
        assert not re.search(r"^(from|import) (nnlite\.)?train", path.read_text(), re.MULTILINE), path


def test_a_module_is_right_and_a_wrong_one_found(monkeypatch, capsys):
    run(monkeypatch, "write_a_module.py")
    printed = capsys.readouterr().out
    right, wrong, inside = (float(e) for e in re.findall(r"relative error (\S+) at", printed))
    assert right < 1e-6 and inside < 1e-6 < 1e-2 < wrong
    assert "refused: nn.Linear: input must have size 3" in printed


def test_encoder_forecaster_learns_through_both(monkeypatch, capsys, few_digits):
    names = run(monkeypatch, "encoder_forecaster.py", run_name="example")
    loss = names["main"](["--steps", "2"])
    error = float(re.search(r"relative error (\S+) at", capsys.readouterr().out)[1])
    assert error < 1e-5 and 0 < loss < 0.69


def test_a_video_is_predicted(monkeypatch, tmp_path, capsys):
    pytest.importorskip("av")
    names = run(monkeypatch, "predict_a_video.py", run_name="example")
    old = ROOT / "tests" / "old_runs" / "real_video"
    film = tmp_path / "film.mp4"
    files = [str(old), str(old / "drawn" / "shapes_00.mp4")]
    assert names["main"]([*files, "--out", str(film)]) == 0
    assert re.search(
        r"^38 predictions: 18\.\d+ dB; the frame before instead: 25\.\d+ dB", capsys.readouterr().out
    )
    assert video_info(film).size == (16, 3 * 24)
    assert names["main"]([files[0], str(tmp_path / "missing.mp4"), "--out", str(film)]) == 1
    assert "there is no such video" in capsys.readouterr().err


def test_predictions_go_on_from_the_memory(monkeypatch):
    """Frame by frame gives what the whole sequence at once gives."""
    names = run(monkeypatch, "predict_a_video.py", run_name="example")
    model = models.load(ROOT / "tests" / "old_runs" / "real_video")
    frames = np.random.default_rng(0).random((4, 1, 1, 16, 24), np.float32)
    whole = model.forward(frames)
    shown = list(names["pictures"](model, frames[:, 0]))
    middle = np.stack(shown)[:, :, 24:48, 0]
    assert np.abs(middle - 255 * whole[:, 0, 0]).max() < 0.6


#: What holds after the last cell.
NOTEBOOK_CHECKS = """
from nnlite.gradcheck import worst
plt.close()
assert worst(right).error < 1e-6 < worst(wrong).error
assert np.mean(losses[-20:]) < 0.2 * np.mean(losses[:5])
black, arriving = frames[-1, :, 0] == 0, frames[-1, :, 0] == 1
assert predicted[arriving].mean() > 0.5 > 0.1 > predicted[black].mean()
assert rows.shape == (4 * 64, 3 * 64, 3)
"""
#: Whether the extra `docs` is installed.
AS_NOTEBOOK = all(map(importlib.util.find_spec, ("ipykernel", "ipywidgets", "jupytext", "nbclient")))


@pytest.mark.skipif(AS_NOTEBOOK, reason="it runs as a notebook")
def test_the_notebook_runs_as_a_script(monkeypatch):
    exec(NOTEBOOK_CHECKS, run(monkeypatch, "tutorial_notebook.py"))


@pytest.mark.skipif(not AS_NOTEBOOK, reason="the extra `docs` is not installed")
def test_the_notebook_runs():
    """In a kernel: tables of the checks with the worst entry marked, a bar, figure and pictures inline."""
    import jupytext
    import nbclient
    import nbformat

    notebook = jupytext.read(ROOT / "examples" / "tutorial_notebook.py")
    notebook.cells.append(nbformat.v4.new_code_cell(NOTEBOOK_CHECKS))
    resources = {"metadata": {"path": str(ROOT)}}
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3", resources=resources).execute()
    shown = [one["data"] for cell in notebook.cells for one in cell.get("outputs", []) if "data" in one]
    tables = [data["text/html"] for data in shown if "text/html" in data]
    assert len(tables) == 3 and "worst" in tables[0] and "background: #ffd2cc" in tables[1]
    assert any("application/vnd.jupyter.widget-view+json" in data for data in shown)
    assert sum("image/png" in data for data in shown) == 2
