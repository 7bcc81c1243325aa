"""Table 1 from the command line: four toy models, interruption, and what is refused."""

import json
import math
import os
import re
import shutil
import signal
from dataclasses import replace

import pytest

from nnlite import models
from nnlite.train.moving_mnist import __main__ as moving_mnist
from nnlite.train.moving_mnist import evaluation, table1
from nnlite.train.report.tables import format_time
from nnlite.train.runs import group
from nnlite.train.runs.log import read_log
from nnlite.train.runs.run import Run
from tests.toy_table1 import TOY

pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture
def finished(finished_table1):
    """The folder of a finished run of all four."""
    return finished_table1


def without_times(folder):
    """Return the logs of all runs of a suite and the scores in its table, without times."""
    logs = {
        name: [{k: v for k, v in line.items() if k != "seconds"} for line in read_log(folder / name)]
        for name in models.names()
    }
    rows = json.loads((folder / "table1.json").read_text())["rows"]
    return logs, [(row["error"], row["mean_error"], row["flow_error"], row["parameters"]) for row in rows]


# ---- the table ----------------------------------------------------------------------------------------


def test_run_folder(finished):
    tables = {"suite.json", "table1.json", "table1.md", "table1_curves.png"}
    assert {entry.name for entry in finished.iterdir()} == tables | {".lock", *models.names()}
    for name in models.names():
        assert (finished / name / "result.json").exists() and (finished / name / "predictions.png").exists()


def test_table_holds_the_results(finished):
    table = json.loads((finished / "table1.json").read_text())
    assert [row["model"] for row in table["rows"]] == models.names()
    for row in table["rows"]:
        result = json.loads((finished / row["model"] / "result.json").read_text())
        assert row["error"] == result["scores"]["bce"]["last"]
        assert row["bits"] == pytest.approx(row["error"] / math.log(2))
        assert row["parameters"] == result["parameters"] and row["sequences_seen"] == 16
        assert row["training_seconds"] >= 0 and row["hardware"]["device"] == "cpu" and row["seed"] == 0
        assert row["curve"][0]["sequences"] == 0 and row["curve"][-1]["sequences"] == 16
        assert table["baselines"] == result["baselines"]
    conv, *_, flow = table["rows"]
    assert conv["mean_error"] is None and conv["flow_error"] is None
    assert flow["mean_error"] > 0 and flow["flow_error"] > 0
    assert [row["paper"] for row in table["rows"]] == [0.0948, 0.0650, 0.0197, 0.0439]


def test_table_is_printed_with_the_papers(finished, capsys):
    assert moving_mnist.main(["--resume", str(finished)]) == 0
    printed = capsys.readouterr().out
    table = json.loads((finished / "table1.json").read_text())
    for row, paper in zip(table["rows"], ("0.0948", "0.0650", "0.0197", "0.0439"), strict=True):
        cells = (row["title"], f"{row['parameters']:,}", f"{row['error']:.4f}", f"{row['bits']:.4f}")
        assert re.search(r"\| " + r" +\| +".join(cells) + rf" \|.* {paper} \|", printed)
    assert f"{table['baselines']['copy']['last']:.4f}" in printed and "best constant" in printed
    assert printed[: printed.index("All is in")].strip() in (finished / "table1.md").read_text()


def test_commands_that_runs_share_are_printed_once(finished):
    table = json.loads((finished / "table1.json").read_text())
    for row, commands in zip(table["rows"], (["a"], ["a", "b"], ["a", "b", "c"], ["a"]), strict=True):
        row["commands"] = commands
    page = table1.format_page(table)
    assert re.findall(r"^    (.*)$", page, re.MULTILINE) == ["a", "b", "c"]
    assert "It begins with the first command of AE-Conv; then:" in page
    assert "It begins with the first 2 commands of AE-fcLSTM; then:" in page
    assert "The same command as AE-Conv." in page


def test_a_table_that_a_killed_suite_did_not_write_is_written_on_resuming(finished, tmp_path):
    """Planted: it was killed between its last result and its table."""
    folder = shutil.copytree(finished, tmp_path / "killed")
    table = folder / "table1.json"
    expected = json.loads(table.read_text())
    table.write_text(json.dumps(expected | {"rows": expected["rows"][:3]}))
    assert moving_mnist.main(["--resume", str(folder)]) == 0
    assert json.loads(table.read_text()) == expected


def test_page_names_no_folder(finished):
    """It can be passed on: what it tells does not depend on where it was made."""
    for name in ("table1.md", "table1.json"):
        text = (finished / name).read_text()
        assert str(finished.parent) not in text and "--out all" in text


def test_other_data_do_not_go_into_one_table(finished):
    results = group.results(finished)
    results["ae_conv"]["experiment"]["digits"] = 2
    with pytest.raises(ValueError, match=r"ae_fclstm and ae_conv are not of .* data \(digits 1 and 2\)"):
        table1.build(results)


@pytest.mark.parametrize("seconds, text", [(48.4, "48 s"), (420, "7 min"), (7490, "2 h 05 min"), (0, "0 s")])
def test_times(seconds, text):
    assert format_time(seconds) == text


# ---- interrupted and resumed --------------------------------------------------------------------------


def test_resumed_is_the_same_to_the_bit_and_trains_nothing_twice(finished, tmp_path, monkeypatch, capsys):
    folder, usual, watched = tmp_path / "all", Run.fit, evaluation.evaluate

    def stop_in_the_third(model, *arguments):
        if (
            model.config["name"] == "ae_convlstm" and len(read_log(folder / "ae_convlstm")) == 1
        ):  # after a step
            os.kill(os.getpid(), signal.SIGTERM)
        return watched(model, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(evaluation, "evaluate", stop_in_the_third)
        assert moving_mnist.main([*TOY, "--out", str(folder)]) == 128 + signal.SIGTERM
    printed = capsys.readouterr().out
    message = f"the run is saved. Continue with\n  python -m train.moving_mnist --resume {folder}\n"
    assert f"8 of 16 sequences; {message}" in printed
    assert [row["model"] for row in json.loads((folder / "table1.json").read_text())["rows"]] == [
        "ae_conv",
        "ae_fclstm",
    ]

    trained = []
    monkeypatch.setattr(
        Run, "fit", lambda run, *rest: trained.append(run.experiment.settings.model) or usual(run, *rest)
    )
    assert moving_mnist.main(["--resume", str(folder)]) == 0
    assert trained == ["ae_convlstm", "ae_convlstm_flow"]
    assert without_times(folder) == without_times(finished)
    result = json.loads((folder / "ae_convlstm" / "result.json").read_text())
    assert len(result["commands"]) == 2


def test_a_finished_suite_can_be_trained_further(tmp_path):
    folder = tmp_path / "all"
    short = [*TOY, "--sequences", "8", "--test-sequences", "2", "--out", str(folder)]
    assert moving_mnist.main(short) == 0
    assert moving_mnist.main(["--resume", str(folder), "--sequences", "16"]) == 0
    rows = json.loads((folder / "table1.json").read_text())["rows"]
    assert [row["sequences_seen"] for row in rows] == [16] * 4


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_model_that_diverges_does_not_stop_the_others(tmp_path, monkeypatch, capsys):
    folder, usual = tmp_path / "all", Run.start

    def diverging(experiment, settings, command):
        if settings.model == "ae_conv":
            settings = replace(settings, optimiser="sgd", learning_rate=3e38, clip=1e30)
        return usual(experiment, settings, command)

    monkeypatch.setattr(Run, "start", diverging)
    assert moving_mnist.main([*TOY, "--out", str(folder)]) == 1
    assert "training diverged after" in capsys.readouterr().err
    rows = json.loads((folder / "table1.json").read_text())["rows"]
    assert [row["model"] for row in rows] == models.names()[1:]


@pytest.mark.parametrize(
    "options, message",
    [
        (["--size", "34"], "ae_fclstm cannot be built: nn.AEFcLSTM: height and width must be multiples of 4"),
        (["--model-option", "n_memory=0"], "ae_conv cannot be built: nn.SpatialConvolution: n_out must be"),
        (
            ["--model-option", "untied=no"],
            "ae_convlstm cannot be built: untied must be True or False, got 'no'",
        ),
        (["--data", "/no/such/folder"], "--data: there is no folder /no/such/folder"),
    ],
)
def test_what_is_wrong_with_the_last_stops_the_first(options, message, tmp_path, capsys):
    assert moving_mnist.main([*TOY, *options, "--out", str(tmp_path / "all")]) == 2
    assert f"error: {message}" in capsys.readouterr().err and not (tmp_path / "all").exists()


def test_a_run_that_cannot_begin_does_not_stop_the_others(finished, tmp_path, capsys):
    content = json.loads((finished / "suite.json").read_text())
    content["runs"]["ae_fclstm"] |= {"size": 34}
    (tmp_path / "suite.json").write_text(json.dumps(content))
    assert moving_mnist.main(["--resume", str(tmp_path), "--sequences", "8"]) == 2
    error = capsys.readouterr().err
    assert "error: ae_fclstm: nn.AEFcLSTM: height and width must be multiples of 4, got 34x34" in error
    assert list(group.results(tmp_path)) == ["ae_conv", "ae_convlstm", "ae_convlstm_flow"]


def test_settings_that_are_none_of_a_run_are_named(finished, tmp_path, capsys):
    content = json.loads((finished / "suite.json").read_text())
    settings = content["runs"]["ae_conv"]
    without = {name: value for name, value in settings.items() if name != "sequences"}
    for wrong, message in (
        (settings | {"sizes": 3}, "unknown settings sizes"),
        (without, "the setting sequences is missing"),
    ):
        content["runs"]["ae_conv"] = wrong
        (tmp_path / "suite.json").write_text(json.dumps(content))
        assert moving_mnist.main(["--resume", str(tmp_path)]) == 2
        assert f"suite.json is damaged ({message})" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["suite.json", "ae_fclstm/result.json"])
@pytest.mark.parametrize(
    "content",
    [b'{"kind": "table1", "runs"', b'{"kind": 1}', b"\xff", b'{"kind": "table1", "runs": {"ae_conv": 5}}'],
)
def test_damaged_files_are_named(name, content, finished, tmp_path, capsys):
    shutil.copytree(finished, tmp_path / "all")
    (tmp_path / "all" / name).write_bytes(content)
    for option in ("--resume", "--export", "--figures"):
        assert moving_mnist.main([option, str(tmp_path / "all")]) == 2
        error = capsys.readouterr().err
        assert f"{name} is damaged (" in error and "--resume" in error


def test_a_suite_is_not_overwritten(finished, capsys):
    for folder in (finished, finished / "ae_conv"):
        assert moving_mnist.main([*TOY, "--out", str(folder)]) == 2
        assert "holds a run already; --resume it, or choose another --out" in capsys.readouterr().err


# ---- presets ------------------------------------------------------------------------------------------
