"""Trained models on other speeds, more digits, larger frames and other shapes, from the command line."""

import gzip
import json
import re

import numpy as np
import pytest

from nnlite.data.drawn_digits import draw_digits
from nnlite.data.mnist import find_fashion_mnist
from nnlite.data.moving_mnist import MovingMNIST
from nnlite.train.moving_mnist import __main__ as moving_mnist
from nnlite.train.moving_mnist import conditions, evaluation
from nnlite.train.moving_mnist.experiment import MovingDigits
from nnlite.train.moving_mnist.presets import settings_for
from nnlite.train.runs.experiment import load_trained

pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture
def runs(finished_table1):
    """Runs of toys, of one digit in 32x32 at one pixel a frame."""
    return finished_table1


def write_idx(folder, images):
    """Write images (N, 28, 28) as the idx files of both splits."""
    folder.mkdir(parents=True)
    for split in ("train", "t10k"):
        for part, array in (("images-idx3", images), ("labels-idx1", np.zeros(len(images), np.uint8))):
            head = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
            with gzip.open(folder / f"{split}-{part}-ubyte.gz", "wb") as file:
                file.write(head + array.tobytes())


def score(model, name, out):
    """Run a command on a model; return the page that it writes to the folder `out`."""
    assert moving_mnist.main([f"--{name}", str(model), "--test-sequences", "3", "--out", str(out)]) == 0
    return json.loads((out / f"{name}.json").read_text()), (out / f"{name}.md").read_text()


def test_speeds_command(runs, tmp_path, capsys):
    page, text = score(runs / "ae_convlstm", "speeds", tmp_path)
    printed = capsys.readouterr().out
    assert "0 to 3.6" in printed and "Bayes bound" in printed and "frame 11 given" in printed
    assert "random direction at a fixed speed" in printed and text.startswith("# Several speeds")
    (row,) = page["models"].values()
    assert row["trained_at"] == [1.0] and len(row["errors"]) == len(page["columns"]) == 4
    assert all(0 < least < copy for least, copy in zip(page["least"], page["copy"], strict=True))


def test_transfer_command(runs, tmp_path, monkeypatch):
    """Each column is what it says, by scores of the model taken here."""
    images = draw_digits(40, split="test", seed=5)[0]
    write_idx(tmp_path / "FashionMNIST" / "raw", images)
    monkeypatch.setenv("NNLITE_DATA", str(tmp_path))
    assert find_fashion_mnist() == tmp_path / "FashionMNIST" / "raw"
    page, text = score(runs / "ae_convlstm", "transfer", tmp_path / "out")
    assert page["columns"] == ["as trained", "3 digits", "96x96", "drawn", "Fashion-MNIST"]
    errors = dict(zip(page["columns"], page["models"]["ae_convlstm"]["errors"], strict=True))
    opened, model, _ = load_trained(MovingDigits, runs / "ae_convlstm")
    digits = draw_digits(4000, split="test")[0]
    form = {"n_frames": 11, "speed": 1.0, "split": "test"}
    expected = {
        "as trained": (model, MovingMNIST(digits, (32, 32), 1, **form)),
        "3 digits": (model, MovingMNIST(digits, (32, 32), 3, **form)),
        "96x96": (conditions.resized(opened, model, 96), MovingMNIST(digits, (96, 96), 1, **form)),
        "Fashion-MNIST": (model, MovingMNIST(images, (32, 32), 1, **form)),
    }
    for name, (of, data) in expected.items():
        found = evaluation.evaluate(of, data, 3, 3)["bce"]["last"]
        assert errors[name] == pytest.approx(found, rel=1e-5), name
    assert len({round(error, 6) for error in errors.values()}) == 4  # the toy has learned from drawn digits
    assert "three digits in a frame" in text and str(tmp_path) not in json.dumps(page)


@pytest.mark.parametrize("cells", [{}, {"cell": 4, "n_memory": 64}])
def test_matrices_are_for_one_size(cells):
    """AE-fcLSTM has no figure for larger frames."""
    options = {"n_features": 2, "n_memory": 4, "kernel": 3} | cells
    opened = MovingDigits(settings_for("ae_fclstm", "tiny", {"data": "drawn", "model_options": options}))
    found = {"matrices": (opened, opened.build_model("cpu"))}
    page = conditions.table(found, {"as trained": {}, "40x40": {"size": 40}}, 2)
    first, second = page["models"]["matrices"]["errors"]
    assert 0 < first < 1 and second is None
    assert re.search(r"\| matrices .*\d \| +\|\n", conditions.format_table(page))


def test_grey_frames_have_no_bound(runs):
    opened, model, _ = load_trained(MovingDigits, runs / "ae_conv")
    grey = conditions._changed(opened, {"targets": "grey"})
    page = conditions.table({"grey": (grey, model)}, {"1": {"speed": (1.0,)}}, 2)
    assert page["least"] == [None] and page["models"]["grey"]["targets"] == "grey"
    assert len(conditions.format_table(page).splitlines()) == 9  # three rows, a line apart the notes
