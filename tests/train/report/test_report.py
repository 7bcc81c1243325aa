"""Tables, JSON and figures."""

import json
import re
import subprocess
from unittest.mock import Mock

import matplotlib.pyplot as plt
import numpy as np
import pytest

import nnlite
from nnlite.train.report import figures, files, provenance, tables


def test_table():
    rows = [("row", (1.0, 0.12345)), ("a row that is blank at first", (None, 2.0)), ("text", ("-", "b"))]
    assert tables.format_table("Title", ("first", "second"), rows).splitlines() == [
        "Title",
        "",
        "|                              |  first | second |",
        "| ---------------------------- | -----: | -----: |",
        "| row                          | 1.0000 | 0.1235 |",
        "| a row that is blank at first |        | 2.0000 |",
        "| text                         |      - |      b |",
    ]


def test_names_in_tables_are_text():
    assert tables.format_markdown(("a|b",), [("<!-- `",)]).splitlines()[::2] == [
        r"| a\|b     |",
        r"| \<!-- \` |",
    ]


def test_json_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "result.json"
    files.write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        files.write_json(path, {"a": object()})
    assert json.loads(path.read_text()) == {"a": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["result.json"]


@pytest.mark.parametrize(
    "content, message",
    [
        (b'{"kind": "x", ', "Expecting property name"),
        (b"\xff\xfe", "codec can't decode"),
        (b"[]", "it holds a list, not an object"),
        (b'{"runs": {}}', "it has no 'kind' of type str"),
        (b'{"kind": 1, "runs": {}}', "it has no 'kind' of type str"),
        (b"[" * 100_000, "recursion"),
    ],
)
def test_damaged_json_is_named(content, message, tmp_path):
    (tmp_path / "suite.json").write_bytes(content)
    with pytest.raises(ValueError, match=rf"suite\.json is damaged \(.*{message}.*\): restore it"):
        files.read_json(tmp_path / "suite.json", {"kind": str, "runs": dict}, "restore it")


def test_what_a_file_lacks_further_inside_is_named(tmp_path):
    path, scores = tmp_path / "result.json", {"scores": {"bce": {"last": float}}}
    path.write_text('{"scores": {"bce": {"last": true}}}')
    with pytest.raises(ValueError, match=r"result\.json is damaged \(it has no 'scores.bce.last' of"):
        files.read_json(path, scores, "begin again")
    path.write_text('{"scores": {"bce": {"last": 1}}}')
    found = files.read_json(path, scores, "begin again") | {"more": 1}
    assert found == {"scores": {"bce": {"last": 1}}, "more": 1}
    with pytest.raises(ValueError, match=r"result\.json has no 'rows'$"):
        found["rows"]
    with pytest.raises(ValueError, match=r"result\.json, scores, bce has no 'all'$"):
        found["scores"]["bce"]["all"]


def test_hardware():
    found = provenance.hardware("cpu")
    assert found["cores"] >= 1 and found["cpu"] and found["versions"]["numpy"] == np.__version__


def test_machines_of_a_result():
    hardware = {"cores": 2, "cpu": "A", "device": "cpu"}
    assert provenance.machines({"hardware": hardware}) == ["2 cores of A"]
    assert provenance.machines({"hardware": hardware | {"gpu": "B"}}) == ["B"]
    assert provenance.machines({"hardware": hardware, "machines": ["B", "A"]}) == ["B", "A"]


def panel(**changes):
    return {
        "title": "A measure",
        "label": "units",
        "training": ([10, 20, 30], [0.9, 0.5, 0.4]),
        "unseen": ([0, 30], [1.0, 0.5]),
        "levels": {"baseline": 0.7},
    } | changes


@pytest.mark.parametrize("panels", [[panel()], [panel(), panel(training=((), ()))], [panel(unseen=((), ()))]])
def test_curves(panels, tmp_path):
    figures.draw_curves(tmp_path / "curves.png", panels)
    picture = plt.imread(tmp_path / "curves.png")
    assert picture.shape[0] > 300 and picture.shape[1] > 500 * len(panels) and picture.std() > 0.01


def test_trailing_mean():
    np.testing.assert_allclose(figures._trailing_mean(np.array([1.0, 2.0, 6.0, 10.0]), 2), [1, 1.5, 4, 8])


def test_errors_by_step(tmp_path, monkeypatch):
    """A model that predicts the last step only stands above that step."""
    drawn = {}
    monkeypatch.setattr(
        "matplotlib.axes.Axes.plot",
        lambda axis, x, y, style, label, **options: drawn.update({label: (list(x), y, style)}),
    )
    monkeypatch.setattr("matplotlib.axes.Axes.legend", lambda axis, **options: None)
    path = tmp_path / "errors.png"
    figures.draw_errors(path, {"a": [0.2, 0.1], "b": [0.3]}, {"copy": [0.4, 0.5]}, "The next frame", "seen")
    assert drawn == {
        "a": ([1, 2], [0.2, 0.1], "o-"),
        "b": ([2], [0.3], "o-"),
        "copy": ([1, 2], [0.4, 0.5], "k--"),
    }
    assert path.stat().st_size > 1000


@pytest.mark.parametrize("with_flow", [True, False])
@pytest.mark.parametrize("rows, frames", [(3, 6), (1, 2)])
def test_predictions(with_flow, rows, frames, tmp_path):
    rng = np.random.default_rng(0)
    pictures = (rng.random((frames, rows, 1, 8, 8)) > 0.5).astype(np.float32)
    flows = {}
    if with_flow:
        flow, true_flow = np.zeros((2, rows, 2, 8, 8), np.float32)
        flow[:, 0], true_flow[:, 0] = 2.0, 1.0  # to the right
        flows = {"flow": flow, "true flow": true_flow}
    path = tmp_path / "predictions.png"
    figures.draw_predictions(path, pictures, {"prediction": rng.random((rows, 8, 8))}, flows)
    picture = plt.imread(path)[..., :3]
    colourful = (picture.max(axis=2) - picture.min(axis=2)) > 0.5
    assert colourful.any() == with_flow
    if with_flow:  # motion to the right is red in the colour code; the flow columns are the last two
        left, right = np.array_split(
            colourful, [round(colourful.shape[1] * (1 - 2.1 / (min(4, frames - 1) + 4)))], axis=1
        )
        assert not left.any() and right.mean() > 0.2
        red = picture[right.shape[0] // (2 * rows + 2), -picture.shape[1] // 40]
        assert red[0] > 0.9 and red[1:].max() < 0.2


def test_predictions_of_still_pictures(tmp_path):
    """No motion at all: nothing to scale by."""
    zeros = np.zeros((1, 2, 8, 8), np.float32)
    predictions = {"first": np.zeros((1, 8, 8)), "second": np.zeros((1, 8, 8))}
    figures.draw_predictions(tmp_path / "p.png", np.zeros((3, 1, 1, 8, 8)), predictions, {"flow": zeros})
    assert (tmp_path / "p.png").stat().st_size > 1000


def test_commit(monkeypatch, tmp_path):
    """The source tree's; the version without git, and installed in somebody else's checkout."""
    version = f"version {nnlite.__version__}"
    assert re.fullmatch(rf"[0-9a-f]{{12}}( \+ changes)?|{re.escape(version)}", provenance.commit())
    with monkeypatch.context() as patch:
        patch.setattr(provenance.subprocess, "run", Mock(side_effect=FileNotFoundError("git")))
        assert provenance.commit() == version
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "provenance.py"))
    (tmp_path / "provenance.py").write_text("")
    assert provenance.commit() == version
    assert provenance.hardware("cpu")["versions"]["nnlite"] == nnlite.__version__
