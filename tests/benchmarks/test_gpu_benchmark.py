"""The benchmark for a GPU: every part in toy sizes, what it does when time runs out, and its page."""

import json
import sys
import time

import pytest

from nnlite import models
from nnlite.benchmarks.gpu import __main__ as command
from nnlite.benchmarks.gpu import commands, kernels, memory
from nnlite.benchmarks.gpu.page import format_page
from nnlite.benchmarks.gpu.record import TIME_UP, Record

MACHINE = {"gpu": "a GPU", "system": "s", "versions": {"cupy": "14"}}


def test_dry_run(tmp_path, monkeypatch, capsys):
    """All parts on the CPU; a second time nothing is done again."""
    for name in ("WARM_UP", "LEAST_SECONDS"):
        monkeypatch.setattr(kernels, name, 0)
    monkeypatch.setattr(kernels, "LEAST_CALLS", 1)
    monkeypatch.setattr(command, "commit", lambda: "a commit")  # this tree may change meanwhile
    checkpoint = str(models.PRETRAINED / "ae_convlstm.h5")
    options = ["--dry-run", "--minutes", "1000", "--out", str(tmp_path), "--checkpoint", checkpoint]
    assert command.main(options) == 0, capsys.readouterr().out
    content = json.loads((tmp_path / "gpu.json").read_text())
    assert list(content["parts"]) == list(command.SHARES)
    for name, part in content["parts"].items():
        assert part["rows"], name
        assert not any(row.keys() & {"skipped", "failed", "wrong"} for row in part["rows"].values()), part
    (step,) = content["parts"]["steps"]["rows"].values()
    assert step["measured"][0]["time"] > 0 and step["measured"][0]["memory"] > 10 << 20
    assert set(content["parts"]["training"]["rows"]["train.moving_mnist"]["scores"])
    page = (tmp_path / "gpu.md").read_text()
    assert "None of these times says anything about a GPU" in page
    for text in ("float64", "overlap_add", "ae_convlstm_flow", "pytest", "train.moving_mnist"):
        assert text in page, text
    for name in ("_steps", "_tests", "_training"):
        monkeypatch.setattr(commands, name, lambda *_: pytest.fail("done again"))
    assert command.main(options) == 0
    again = json.loads((tmp_path / "gpu.json").read_text())
    assert again["parts"].keys() == content["parts"].keys() and len(again["commands"]) == 2


def test_without_a_gpu(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    assert command.main([]) == 2
    assert "CuPy is not installed" in capsys.readouterr().err


def record(folder, commit="c"):
    about = {"commit": commit, "machine": MACHINE, "dry run": False}
    return Record(folder, about, "python -m benchmarks.gpu", format_page)


def test_time_runs_out(tmp_path):
    """What is left out has a reason, and is made up for by the same command, but not on another commit."""
    pieces = [("first", lambda left: {"left": left}), ("second", lambda left: {"left": left})]
    now = time.monotonic()
    record(tmp_path).run("tests", pieces[:1], now + 60)
    record(tmp_path).run("tests", pieces, now - 1)
    rows = json.loads((tmp_path / "gpu.json").read_text())["parts"]["tests"]["rows"]
    assert 0 < rows["first"]["left"] <= 60 and rows["second"] == {"skipped": TIME_UP}
    assert f"- 1 left out, {TIME_UP}: second" in (tmp_path / "gpu.md").read_text()
    later = record(tmp_path)
    later.run("tests", pieces, now + 60)
    assert later.content["parts"]["tests"]["rows"]["second"]["left"] > 0
    assert not record(tmp_path, "another").content["parts"]


def test_what_fails_does_not_stop_the_rest(tmp_path):
    def fail(left):
        raise ValueError("cannot be")

    kept = record(tmp_path)
    rows = [
        ("a", fail),
        ("b, float32", lambda _: {"worst": "w", "error": 0.5, "allowed": 1e-4, "wrong": True}),
    ]
    kept.run("agreement", rows, time.monotonic() + 60)
    assert kept.troubles == ["agreement: a", "agreement: b, float32"]
    page = (tmp_path / "gpu.md").read_text()
    assert "**a failed**: ValueError: cannot be" in page and "**b, float32 differs by 5.0e-01** at w" in page


def test_page_of_steps(tmp_path):
    step = {"model": "ae_convlstm", "batch": 64, "length": 10, "name": "nnlite, CUDA graph", "time": 0.02}
    step |= {"torch": ["PyTorch graph", 0.04], "ratio": 0.5, "pairs": 0.5, "memory": 1 << 30}
    step |= {"torch_memory": ["PyTorch eager", 1 << 29], "memory_ratio": 2.0}
    kept = record(tmp_path)
    kept.run("steps", [("--tf32 all", lambda _: {"measured": [step]})], time.monotonic() + 60)
    cells = "| ae_convlstm | 64 | yes | 20 | 3,200 | 40 (graph) | 0.50 | 3,000 a second | 1,024 |"
    page = " ".join((tmp_path / "gpu.md").read_text().split())
    assert cells in page and "512 (eager) | 2.00 | 1.00 |" in page
    assert command._speed(kept, "ae_convlstm", 64) == 3200 and command._speed(kept, "ae_convlstm", 8) is None


def test_a_command_that_takes_too_long_is_ended():
    start = time.monotonic()
    with pytest.raises(commands.TimeUp, match="ended after 0 s"):
        commands._run([sys.executable, "-c", "import time; time.sleep(60)"], 0.2)
    assert time.monotonic() - start < 20


def test_memory_is_counted():
    """Of the default pool and that of the graph, by who asked for it."""
    row = memory.count("ae_convlstm_flow", 1, 2, graph=True)
    assert sum(row["pools"]) >= row["in use"] == sum(row["buffers"].values()) > 60 << 20
    assert len(row["pools"]) == 2 and row["pools"][1] > row["pools"][0]
    assert any("SeqConvLSTM" in who for who in row["buffers"])
    content = {"command": "c", "commit": "1", "model": "ae_convlstm_flow", "length": 2, "rows": [row]}
    assert "Counted buffers, not measured" in memory.format_page(content)


def test_training_needs_a_checkpoint_and_time(tmp_path):
    ((_, without),) = commands.training_pieces(tmp_path, None, [], lambda *_: None, False)
    assert without(100) == {"skipped": "no --checkpoint was given"}
    ((_, late),) = commands.training_pieces(tmp_path, "x.h5", [], lambda *_: None, False)
    assert late(1)["skipped"].startswith("1 s are left")
