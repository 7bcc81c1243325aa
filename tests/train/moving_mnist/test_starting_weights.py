"""Runs on moving digits that begin with trained weights: what they begin with, what their results count."""

import json
import os

import numpy as np
import pytest

from nnlite import checkpoint, models
from nnlite.train.moving_mnist import __main__ as moving_mnist
from nnlite.train.moving_mnist import table1

TOY = ["--preset", "tiny", "--data", "drawn", "--test-sequences", "4", "--device", "cpu"]

pytestmark = pytest.mark.usefixtures("quick")


def run(folder, *options):
    assert moving_mnist.main([*TOY, *options, "--out", str(folder)]) == 0
    return json.loads((folder / "result.json").read_text())


@pytest.fixture(scope="module")
def first(quick, tmp_path_factory):
    """The folder of a run of 16 sequences, with its weights packed."""
    folder = tmp_path_factory.mktemp("runs") / "first"
    run(folder, "--sequences", "16")
    assert moving_mnist.main(["--export", str(folder), "--out", str(folder / "packed")]) == 0
    return folder


def packed(folder):
    return folder / "packed" / "ae_convlstm_flow.h5"


def errors(result):
    return [(point["sequences"], point["bce"]["all"]) for point in result["curve"]]


def test_without_learning_the_weights_are_those_of_the_checkpoint(first, tmp_path):
    for path in (first / "checkpoint.h5", packed(first)):
        folder = tmp_path / path.name
        run(folder, "--weights", str(path), "--sequences", "8", "--seed", "1", "--lr", "0")
        before, after = (checkpoint.load(file).parameters for file in (path, folder / "checkpoint.h5"))
        assert before.keys() == after.keys()
        assert all(np.array_equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("file", [lambda folder: folder / "checkpoint.h5", packed])
def test_the_result_names_every_machine(file, first, tmp_path, monkeypatch):
    monkeypatch.setattr("nnlite.train.report.provenance._cpu_name", lambda: "Another")
    second = run(tmp_path / "second", "--weights", str(file(first)), "--sequences", "8", "--seed", "1")
    here = f"{os.cpu_count()} cores of Another"
    assert second["machines"] == [*json.loads((first / "result.json").read_text())["machines"], here]
    assert moving_mnist.main(["--resume", str(tmp_path / "second"), "--sequences", "16"]) == 0
    assert json.loads((tmp_path / "second" / "result.json").read_text())["machines"] == second["machines"]
    monkeypatch.setattr("nnlite.train.report.provenance._cpu_name", lambda: "A third")
    assert moving_mnist.main(["--resume", str(tmp_path / "second"), "--sequences", "24"]) == 0
    result = json.loads((tmp_path / "second" / "result.json").read_text())
    assert result["machines"] == [*second["machines"], f"{os.cpu_count()} cores of A third"]
    assert f"{here}, {os.cpu_count()} cores of A third." in table1.format_page(table1.build({"": result}))


@pytest.mark.parametrize("which", ["checkpoint", "packed"])
def test_the_result_counts_the_training_behind_the_weights(which, first, tmp_path):
    path = first / "checkpoint.h5" if which == "checkpoint" else packed(first)
    earlier = json.loads((first / "result.json").read_text())
    second = run(tmp_path / "second", "--weights", str(path), "--sequences", "24", "--seed", "1")
    assert second["sequences_seen"] == 16 + 24 and second["steps"] == 3
    assert second["training_seconds"] > earlier["training_seconds"]
    assert len(second["commands"]) == 2 and "--weights" in second["commands"][1]
    # The curve goes on where it was: the last point of the first run is the first of the second.
    assert errors(second)[: len(errors(earlier))] == errors(earlier)
    assert [point["sequences"] for point in second["curve"]] == [0, 8, 16, 24, 32, 40]
    third = run(
        tmp_path / "third", "--weights", str(tmp_path / "second" / "checkpoint.h5"), "--sequences", "8"
    )
    assert third["sequences_seen"] == 16 + 24 + 8 and len(third["commands"]) == 3
    assert errors(third)[:6] == errors(second)


def test_the_count_outlives_an_interruption(first, tmp_path):
    folder = tmp_path / "run"
    run(folder, "--weights", str(packed(first)), "--sequences", "8")
    assert moving_mnist.main(["--resume", str(folder), "--sequences", "16"]) == 0
    result = json.loads((folder / "result.json").read_text())
    assert result["sequences_seen"] == 32 and len(result["commands"]) == 3


@pytest.mark.parametrize("other", [("--speed", "2"), ("--test-sequences", "3")])
def test_the_curve_of_other_test_sequences_is_left_out(other, first, tmp_path):
    result = run(tmp_path / "run", "--weights", str(packed(first)), "--sequences", "8", *other)
    assert result["curve"][0]["sequences"] == 16 and result["sequences_seen"] == 24


@pytest.mark.parametrize("lr, held", [("0", 8), ("0.01", 0)])
def test_a_flow_that_the_weights_bring_is_not_held(lr, held, tmp_path):
    """Without learning the flow of the first run is zero, and there is nothing to lose."""
    first, second = tmp_path / "first", tmp_path / "second"
    run(first, "--sequences", "8", "--lr", lr)
    result = run(
        second, "--weights", str(first / "checkpoint.h5"), "--sequences", "8", "--still", "8", "--lr", "0"
    )
    assert result["options"]["flow_warmup"] == held
    moved = checkpoint.load(second / "checkpoint.h5").parameters["regressor.2.bias"].any()
    assert moved == (held == 0)


def test_pretrained_is_what_comes_with_the_package(first, tmp_path, monkeypatch):
    monkeypatch.setattr(models, "PRETRAINED", first / "packed")
    result = run(tmp_path / "run", "--weights", "pretrained", "--sequences", "8")
    assert result["sequences_seen"] == 24


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--weights", "nowhere.h5"], "there is no checkpoint nowhere.h5"),
        (["--weights", "PACKED", "--model-option", "kernel=7"], "(of ae_convlstm_flow) does not fit this"),
        (["--model", "ae_conv", "--weights", "PACKED"], "of ae_convlstm_flow, of which ae_conv has no part"),
        (["--weights", "OTHER"], "is a checkpoint, but not one of train.moving_mnist"),
    ],
)
def test_weights_that_cannot_be(arguments, message, first, tmp_path, capsys):
    other = tmp_path / "other.h5"
    checkpoint.save_parameters(other, models.load_pretrained("ae_conv"))
    places = {"PACKED": str(packed(first)), "OTHER": str(other)}
    arguments = [places.get(argument, argument) for argument in arguments]
    assert moving_mnist.main([*TOY, *arguments, "--out", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and message in error
    assert not (tmp_path / "run").exists()


def test_an_architecture_of_which_none_come_with_the_package(first, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(models, "PRETRAINED", first / "packed")
    options = ("--model", "ae_conv", "--weights", "pretrained", "--out", str(tmp_path / "run"))
    assert moving_mnist.main([*TOY, *options]) == 2
    assert "there is no pretrained model 'ae_conv'; there are: ae_convlstm_flow" in capsys.readouterr().err


# ---- parts of another architecture ----------------------------------------------------------------------

#: In the toy preset they have other flow kernels; what they share is alike.
CONVLSTM = ("--model", "ae_convlstm", "--sequences", "8", "--seed", "1")


def test_parts_of_another_architecture(first, tmp_path):
    """Encoder, first memory and decoder are those of the flow's model, the second memory is a new one."""
    plain, begun = tmp_path / "plain", tmp_path / "begun"
    run(plain, *CONVLSTM, "--lr", "0")
    result = run(begun, *CONVLSTM, "--lr", "0", "--weights", str(packed(first)))
    theirs = checkpoint.load(packed(first)).parameters
    new, mine = (checkpoint.load(folder / "checkpoint.h5").parameters for folder in (plain, begun))
    parts = {"encoder.0": "encoder", "memory.0": "memory", "decoder.0": "decoder"}
    for path in mine:
        part = next((part for part in parts if path.startswith(part)), None)
        source = theirs[parts[part] + path.removeprefix(part)] if part else new[path]
        np.testing.assert_array_equal(mine[path], source)
    assert sum(path.startswith("memory.1") for path in mine) == 3
    assert result["sequences_seen"] == 16 + 8 and [p["sequences"] for p in result["curve"]] == [16, 24]


def test_shared_parts_are_alike():
    """With the defaults of both, in names and shapes; and none is left out."""
    one, other = models.build("ae_convlstm"), models.build("ae_convlstm_flow")
    shapes = {path: weight.shape for path, weight, _ in one.named_parameters()}
    others = {path: weight.shape for path, weight, _ in other.named_parameters()}
    found = set()
    for mine, theirs in models.shared_parts("ae_convlstm", "ae_convlstm_flow").items():
        for path in [path for path in shapes if path.startswith(f"{mine}.")]:
            assert shapes[path] == others[theirs + path.removeprefix(mine)]
            found.add(path)
    assert {path.split(".")[0] + path.split(".")[1] for path in set(shapes) - found} == {"memory1"}


def test_parts_that_are_not_alike(first, tmp_path, capsys):
    options = ("--model-option", "untied=true", "--weights", str(packed(first)))
    assert moving_mnist.main([*TOY, *CONVLSTM, *options, "--out", str(tmp_path / "run")]) == 2
    assert "which ae_convlstm would start with" in capsys.readouterr().err


# ---- full matrices from those of cells ------------------------------------------------------------------

FCLSTM = ("--model", "ae_fclstm", "--model-option", "n_memory=32")


def test_full_matrices_begin_with_those_of_cells(tmp_path):
    cells = run(tmp_path / "cells", *FCLSTM, "--model-option", "cell=8", "--sequences", "16")
    path = tmp_path / "cells" / "checkpoint.h5"
    full = run(tmp_path / "full", *FCLSTM, "--weights", str(path), "--sequences", "8", "--lr", "0")
    assert full["parameters"] > cells["parameters"] and full["sequences_seen"] == 24
    for which in ("last", "all"):
        before, after = (result["scores"]["bce"][which] for result in (cells, full))
        assert after == pytest.approx(before, abs=1e-6)
    # One curve: the first point of the second run is the last of the first.
    assert [point["sequences"] for point in full["curve"]] == [0, 8, 16, 24]
    weights = checkpoint.load(tmp_path / "full" / "checkpoint.h5").parameters
    assert weights["memory.0.i2g.weight"].shape == (128, 32)
    weights = ["--weights", str(tmp_path / "full" / "checkpoint.h5")]
    again = run(tmp_path / "again", *FCLSTM, *weights, "--sequences", "8", "--seed", "1")
    assert again["sequences_seen"] == 32


def test_full_matrices_of_another_size(tmp_path, capsys):
    folder = tmp_path / "cells"
    run(folder, *FCLSTM, "--model-option", "cell=8", "--sequences", "8")
    options = (
        "--model",
        "ae_fclstm",
        "--model-option",
        "n_memory=16",
        "--weights",
        str(folder / "checkpoint.h5"),
    )
    assert moving_mnist.main([*TOY, *options, "--out", str(tmp_path / "run")]) == 2
    assert "of another shape: encoder.0.3.weight" in capsys.readouterr().err
