"""Runs of Table 1 that begin with the weights of others: what they begin with and count, and the table."""

import json
import shutil
from dataclasses import replace

import pytest

from nnlite import checkpoint
from nnlite.train.moving_mnist import __main__ as moving_mnist
from nnlite.train.moving_mnist.presets import GROUPS
from nnlite.train.runs import group
from nnlite.train.runs.run import Run
from tests.toy_table1 import TOY, less_work

CHAINS = {
    "ae_convlstm_flow": {},
    "ae_fclstm_cells": {"model": "ae_fclstm", "model_options": {"cell": 8, "n_memory": 32}},
    "ae_fclstm": {"weights": "ae_fclstm_cells", "model_options": {"n_memory": 32}, "learning_rate": 0.0},
    "ae_convlstm": {"weights": "ae_convlstm_flow"},
}
TITLES = ["AE-fcLSTM in cells", "AE-fcLSTM", "AE-ConvLSTM", "AE-ConvLSTM-flow"]
FULL, CELLS = "ae_fclstm", "ae_fclstm_cells"


@pytest.fixture(autouse=True, scope="module")
def chains():
    """The tiny preset with such runs."""
    with less_work(), pytest.MonkeyPatch.context() as patch:
        patch.setitem(GROUPS, "tiny", CHAINS)
        yield


@pytest.fixture(scope="module")
def finished(chains, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "all"
    assert moving_mnist.main([*TOY, "--out", str(folder)]) == 0
    return folder


def rows(folder):
    return json.loads((folder / "table1.json").read_text())["rows"]


def test_the_table_has_the_models_in_the_papers_order(finished):
    """AE-fcLSTM twice: what it began with, which the paper does not have, and with all its parameters."""
    assert [row["title"] for row in rows(finished)] == TITLES
    assert [row["paper"] for row in rows(finished)] == [None, 0.0650, 0.0197, 0.0439]
    cells, full = (row["parameters"] for row in rows(finished)[:2])
    assert full > 4 * cells


def test_what_a_run_begins_with_is_counted_in(finished):
    assert [row["sequences_seen"] for row in rows(finished)] == [16, 32, 32, 16]
    for row in rows(finished):
        assert row["commands"] == [f"python -m train.moving_mnist {' '.join(TOY)} --out all"]
    _, full, convlstm, _ = rows(finished)
    assert [point["sequences"] for point in full["curve"]] == [0, 8, 16, 24, 32]
    assert convlstm["curve"][0]["sequences"] == 16


def test_full_matrices_begin_with_those_of_cells(finished):
    """Without learning they predict what the cells do, and on the same test sequences."""
    cells, full = (json.loads((finished / name / "result.json").read_text()) for name in (CELLS, FULL))
    assert full["scores"]["bce"]["last"] == pytest.approx(cells["scores"]["bce"]["last"], abs=1e-6)
    assert cells["experiment"]["seed"] == 0 and full["experiment"]["seed"] == 1


def test_the_first_memory_comes_from_the_flow(finished):
    flow, begun = (
        checkpoint.load(finished / name / "checkpoint.h5").parameters
        for name in ("ae_convlstm_flow", "ae_convlstm")
    )
    for path in ("encoder.0.weight", "memory.i2g.weight"):
        other = path.replace("encoder.", "encoder.0.").replace("memory.", "memory.0.")
        moved = abs(begun[other] - flow[path]).max()
        assert 0 < moved < 0.05 < abs(flow[path]).max(), path  # a few steps away


def test_figures_are_of_all(finished, tmp_path):
    assert (
        moving_mnist.main(["--figures", str(finished), "--test-sequences", "2", "--out", str(tmp_path)]) == 0
    )
    drawn = json.loads((tmp_path / "rollout.json").read_text())["models"]
    assert set(drawn) == set(TITLES)


def test_resumed_where_the_second_has_not_begun(finished, tmp_path):
    folder = tmp_path / "all"
    shutil.copytree(finished, folder)
    shutil.rmtree(folder / FULL)
    assert list(group.results(folder)) == ["ae_convlstm_flow", CELLS, "ae_convlstm"]
    assert moving_mnist.main(["--resume", str(folder)]) == 0
    assert [row["error"] for row in rows(folder)] == [row["error"] for row in rows(finished)]


def test_it_does_not_begin_before_what_it_begins_with_has_ended(tmp_path, monkeypatch, capsys):
    """A run that diverges takes the one after it along, and no other."""
    usual = Run.start

    def diverging(experiment, settings, command):
        if "cell" in settings.model_options:
            settings = replace(settings, optimiser="sgd", learning_rate=3e38, clip=1e30)
        return usual(experiment, settings, command)

    monkeypatch.setattr(Run, "start", diverging)
    folder = tmp_path / "all"
    with pytest.warns(RuntimeWarning):
        assert moving_mnist.main([*TOY, "--out", str(folder)]) == 2
    error = capsys.readouterr().err
    assert f"error: {FULL}: it begins with the weights of {CELLS}, which has not ended" in error
    assert [row["model"] for row in rows(folder)] == ["ae_convlstm", "ae_convlstm_flow"]


def test_without_its_weights_a_run_does_not_begin(finished, tmp_path, capsys):
    folder = tmp_path / "all"
    shutil.copytree(finished, folder)
    shutil.rmtree(folder / FULL)
    (folder / CELLS / "checkpoint.h5").unlink()
    assert moving_mnist.main(["--resume", str(folder)]) == 2
    error = capsys.readouterr().err
    assert f"error: {FULL}: there is no checkpoint {folder / CELLS / 'checkpoint.h5'}" in error


def test_once_begun_it_needs_the_other_no_more(finished, tmp_path, monkeypatch, capsys):
    folder, usual = tmp_path / "all", Run.resume
    shutil.copytree(finished, folder)
    for name in (CELLS, FULL):
        (folder / name / "result.json").unlink()

    def unreadable(experiment, given, command):
        if given["resume"].name == CELLS:
            raise OSError("cannot be read")
        return usual(experiment, given, command)

    monkeypatch.setattr(Run, "resume", unreadable)
    assert moving_mnist.main(["--resume", str(folder)]) == 2
    assert f"error: {CELLS}: cannot be read" in capsys.readouterr().err
    assert [row["error"] for row in rows(folder)] == [row["error"] for row in rows(finished)[1:]]
