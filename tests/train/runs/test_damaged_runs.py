"""Checkpoints of runs that are valid HDF5 and valid JSON, and wrong."""

import copy

import pytest

import nnlite as nn
from nnlite import checkpoint
from nnlite.train.moving_mnist.experiment import MovingDigits
from nnlite.train.runs.experiment import load_run, reopen

WHOLE = {
    "metadata": {"kind": "moving_mnist", "experiment": {}, "loop": {}, "commands": []},
    "position": {"step": 1, "seconds": 2.0, "sums": {"loss": 0.0, "penalty": 0.0, "steps": 0}},
}


def saved(folder, place, value):
    """Save a checkpoint of a run in which one entry is another, or missing where `value` is None."""
    content = copy.deepcopy(WHOLE)
    *outer, last = place.split(".")
    inside = content
    for name in outer:
        inside = inside[name]
    inside.pop(last) if value is None else inside.update({last: value})
    checkpoint.save(folder / "a.h5", nn.Linear(1, 1), **content)
    return folder / "a.h5"


@pytest.mark.parametrize(
    "place, value, message",
    [
        ("metadata.loop", 5, "is damaged: it has no 'metadata.loop' of type dict"),
        ("metadata.commands", {}, "is damaged: it has no 'metadata.commands' of type list"),
        ("position.step", "x", "is damaged: it has no 'position.step' of type int"),
        ("position.sums.loss", None, "is damaged: it has no 'position.sums.loss' of type float"),
    ],
)
def test_entries_that_every_run_has(tmp_path, place, value, message):
    path = saved(tmp_path, place, value)
    with pytest.raises(ValueError, match=rf"a\.h5 {message}"):
        load_run(path)


@pytest.mark.parametrize(
    "name, value, message",
    [
        ("pace", 1, "unknown settings pace"),
        ("batch", "x", "the setting batch must be of type int, got 'x'"),
        ("minutes", True, "the setting minutes must be of type float or none, got True"),
    ],
)
def test_settings(tmp_path, name, value, message):
    path = saved(tmp_path, f"metadata.loop.{name}", value)
    with pytest.raises(ValueError, match=rf"a\.h5: {message}.*; it was written by another version"):
        reopen(MovingDigits, path)


def test_other_entries_are_named_where_they_are_missed(tmp_path):
    run = load_run(saved(tmp_path, "metadata.loop", {"batch": 2}))
    assert run.metadata["loop"] == {"batch": 2}
    with pytest.raises(ValueError, match=r"a\.h5, metadata, loop has no 'sequences'"):
        run.metadata["loop"]["sequences"]
    with pytest.raises(ValueError, match=r"a\.h5, random has no 'default'"):
        run.random["default"]
