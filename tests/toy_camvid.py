"""What the tests of train.camvid share: options of a toy run, and how to look at what it leaves."""

import json

import matplotlib.pyplot as plt
import numpy as np

from nnlite.train.camvid import experiment

TOY = ["--preset", "tiny", "--device", "cpu"]
#: Less of everything, where nothing depends on it.
QUICK = ["--sequences", "8", "--test-sequences", "4"]


def draw_nothing(monkeypatch, but=()):
    """Leave out the pictures, which take most of a toy run's time; `but` names functions that do draw."""
    for name in {"draw_curves", "draw_confusions", "draw_results", "page_of_run"} - set(but):
        monkeypatch.setattr(experiment, name, lambda *_: None)


def result_of(folder):
    """Return the result of a run."""
    return json.loads((folder / "result.json").read_text())


def assert_drawn(path, colours=8):
    """Assert that a picture is neither small nor of few colours."""
    picture = plt.imread(path)
    assert min(picture.shape[:2]) > 150
    packed = (255 * picture[::3, ::3, :3]).astype(int) @ (1 << 16, 1 << 8, 1)
    assert len(np.unique(packed)) > colours
