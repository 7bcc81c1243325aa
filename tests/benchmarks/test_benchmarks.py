"""The benchmark: its profile, its processes, its tables."""

import importlib.util
import json

import numpy as np
import pytest

import nnlite as nn
from nnlite import models
from nnlite.benchmarks import profiling, results, side_by_side, train_step
from nnlite.benchmarks.contestant import Child, ChildFailed
from nnlite.train.runs.loop import Trainer
from nnlite.train.runs.loop_options import LoopOptions


def trainer():
    """Return a trainer of a small model that always sees the same two sequences."""
    nn.manual_seed(0)
    model = models.build(
        "ae_convlstm_flow", height=12, width=16, n_features=3, n_memory=4, kernel=3, flow_kernel=5
    )
    frames = (np.random.default_rng(0).random((4, 2, 1, 12, 16)) > 0.5).astype(np.float32)
    options = LoopOptions(sequences=1000, batch=2, optimiser="rmsprop")
    criterion = nn.BCECriterion(size_average=False)
    return Trainer(
        model, criterion, lambda step, indices: (frames[:-1], frames[1:]), options, "unused", epoch=2
    )


def test_profile_accounts_for_the_whole_step_and_changes_nothing():
    profiled, plain = trainer(), trainer()
    method = nn.SpatialConvolution.update_output
    rows = profiling.profile(profiled, 2)
    for _ in range(2):
        plain.train_step()
    np.testing.assert_array_equal(profiled.parameters, plain.parameters)
    assert nn.SpatialConvolution.update_output is method
    names = [row[0] for row in rows]
    for part in ("encoder.0", "memory", "regressor.2", "sampler.0", "decoder.0"):
        assert any(name.startswith(f"{part} nn.") for name in names), part
    assert {"nn.BCECriterion", "optim.rmsprop", "optim.clip_by_value"} <= set(names)
    assert sum(row[3] for row in rows) == pytest.approx(1.0)
    assert all(forward >= 0 and backward >= 0 for _, forward, backward, _ in rows)


def test_a_calls_time_excludes_the_calls_inside_it():
    clock = profiling._Clock("cpu")
    ticks = iter([0.0, 1.0, 4.0, 10.0])  # outer begins, inner begins, inner ends, outer ends
    clock.now = lambda: next(ticks)
    inner = clock.timed(lambda: "result", "forward", "inner")
    assert clock.timed(inner, "forward", "outer")() == "result"
    assert clock.own["inner"] == {"forward": 3.0, "backward": 0.0}
    assert clock.own["outer"] == {"forward": 7.0, "backward": 0.0}


def entry(framework, name, turns, host):
    return {"framework": framework, "name": name, "turns": turns, "peak": {"host": host}, "libraries": {}}


def run(command="c"):
    """Return an invented run in which eager is the leanest and compiled the fastest."""
    measurement = {
        "job": "train",
        "model": "ae_convlstm_flow",
        "batch": 8,
        "length": 10,
        "others": 0.01,
        "contestants": [
            entry("nnlite", "nnlite", [[1.0], [2.0], [3.0]], 100 << 20),
            entry("torch", "PyTorch eager", [[8.0], [8.0], [8.0]], 200 << 20)
            | {"libraries": {"torch": "2", "instructions": "AVX2"}},
            entry("torch", "PyTorch compiled", [[4.0], [5.0], [4.0]], 300 << 20),
            {"framework": "torch", "name": "PyTorch graph", "failed": "no compiler"},
        ],
    }
    machine = {"cpu": "x", "cores": 2, "device": "cpu", "system": "s", "versions": {"numpy": "2"}}
    profile = {"model": "ae_convlstm_flow", "batch": 8, "length": 10, "rows": [["memory", 0.1, 0.3, 1.0]]}
    check = {"model": "ae_convlstm_flow", "worst": "loss", "error": 1e-6}
    return {
        "command": command,
        "date": "2026-01-02T03:04:05",
        "commit": "abc123",
        "machine": machine,
        "environment": {},
        "tf32": "none",
        "checks": [check],
        "measurements": [measurement],
        "profiles": [profile],
    }


def test_comparison_takes_pytorchs_best():
    (row,) = results.compare(run()["measurements"][0])
    assert row["torch"] == ("PyTorch compiled", 4.0)
    assert row["ratio"] == 0.5
    assert row["pairs"] == 0.4  # the median of 1/4, 2/5, 3/4
    assert row["torch_memory"] == ("PyTorch eager", 200 << 20)
    assert row["memory_ratio"] == 0.5


def test_tables(tmp_path):
    results.save(tmp_path, run("first"))
    results.save(tmp_path, run("second") | {"measurements": []})  # incomplete: without the instruction set
    results.save(tmp_path, run("second"))
    results.save(tmp_path, run("second") | {"date": "2026-01-03T03:04:05"})
    saved = json.loads((tmp_path / "benchmarks.json").read_text())
    assert [old["command"] for old in saved] == ["second", "first"]  # the newest first
    text = (tmp_path / "benchmarks.md").read_text()
    expected = "| 8 | 10 | 64x64 | nnlite | 2 | 4 (compiled) | 0.50 | 0.40 | 0.16 "
    expected += "| 100 | 200 (eager) | 0.50 | 0.65 |"
    assert expected in text
    assert "failed: no compiler" in text
    assert "## x, 2 cores, AVX2, 2026-01-03" in text and "- commit abc123" in text
    assert "| memory | 100.0 | 300.0 | 100.0% |" in text


def test_nnlite_in_its_own_process(tmp_path):
    side_by_side.write_start(tmp_path, "ae_convlstm_flow", batch=1, length=2)
    options = train_step._options([])
    child = side_by_side._start_nnlite("train", "ae_convlstm_flow", options, str(tmp_path))
    loss = child.ask("warm_up", 1)
    assert loss == pytest.approx(np.log(2), abs=0.2)  # of an untrained model
    assert all(seconds > 0 for seconds in child.ask("turn", 0.0))
    assert child.ask("peak_memory")["host"] > 10 << 20
    child.close()


def test_the_error_of_a_failed_process_is_reported(tmp_path):
    side_by_side.write_start(tmp_path, "ae_convlstm_flow", batch=1, length=2)
    settings = {"job": "train", "model": "x", "device": "cpu", "folder": str(tmp_path), "learning": {}}
    with pytest.raises(ChildFailed, match="unknown model 'x'"):
        Child("nnlite.benchmarks.nnlite_contestant", settings, None)


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed")
def test_command(tmp_path):
    options = ["--batch", "1", "--length", "2", "--rounds", "1", "--variants", "eager"]
    assert train_step.main([*options, "--out", str(tmp_path)]) == 0
    (saved,) = json.loads((tmp_path / "benchmarks.json").read_text())
    assert saved["checks"][0]["error"] < 1e-4
    assert all("turns" in entry for m in saved["measurements"] for entry in m["contestants"])


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed")
def test_inference_of_both_frameworks_agrees():
    options = train_step._options(["--rounds", "1", "--variants", "eager"])
    run = {"measurements": []}
    side_by_side.measure(run, options, "stream", "ae_convlstm_flow", batch=1, length=1)  # or Disagreement
    assert all("turns" in entry for entry in run["measurements"][0]["contestants"])
