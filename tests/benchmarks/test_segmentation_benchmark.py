"""The benchmark of SegNet and SegNet-flow: both frameworks agree, and the page has the measurements."""

import json

import pytest

from nnlite.benchmarks import segmentation_step

pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")


def test_a_small_run(tmp_path, capsys):
    arguments = ["--size", "16", "24", "--length", "3", "--rounds", "1", "--out", str(tmp_path)]
    assert segmentation_step.main(arguments) == 0, capsys.readouterr().err
    run = json.loads((tmp_path / "segmentation_step.json").read_text())
    assert [row["parameters"] for row in run["rows"]] == [1_416_075, 2_456_469]
    for row in run["rows"]:
        assert list(row["torch"]) == ["eager", "eager channels-last"]
        for measured in (row["nnlite"], *row["torch"].values()):
            assert measured["bytes"] > 50e6 and len(measured["seconds"]) == 1
    page = (tmp_path / "segmentation_step.md").read_text()
    assert "| SegNet-flow |" in page and "3 frames of 24x16" in page


def test_disagreement_is_an_error(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(segmentation_step, "TOLERANCE", -1.0)
    arguments = ["--size", "16", "16", "--length", "2", "--rounds", "1", "--out", str(tmp_path)]
    assert segmentation_step.main(arguments) == 1
    assert "segnet: losses" in capsys.readouterr().err and not list(tmp_path.iterdir())
