"""The benchmark of Torch7 files: both readers agree, and the page says what was measured."""

import json

import pytest

from nnlite.benchmarks import torch7_files

pytest.importorskip("torchfile", reason="torchfile is not installed: pip install torchfile")


def test_a_small_run(tmp_path, capsys):
    assert torch7_files.main(["--scale", "0.02", "--rounds", "2", "--out", str(tmp_path)]) == 0
    run = json.loads((tmp_path / "torch7_files.json").read_text())
    assert [row["file"] for row in run["rows"]] == ["network", "records", "tensors"]
    assert [row["objects"] for row in run["rows"]] == [104, 117, 117]
    assert all(len(row["seconds"][side]) == 2 for row in run["rows"] for side in ("nnlite", "torchfile"))
    page = (tmp_path / "torch7_files.md").read_text()
    assert "| records |     117 |" in page and "--scale 0.02" in page and page.strip() in page


def test_disagreement_is_an_error(tmp_path, monkeypatch, capsys):
    read = torch7_files.torch7.load
    monkeypatch.setattr(torch7_files.torch7, "load", lambda path: dict(list(read(path).items())[1:]))
    monkeypatch.setattr(torch7_files, "FILES", {"tensors": torch7_files.FILES["tensors"]})
    assert torch7_files.main(["--scale", "0.01", "--rounds", "1", "--out", str(tmp_path)]) == 1
    assert "tensors: the two readers do not find the same" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
