"""The ablations from the command line, with toy models."""

import json

import pytest

from nnlite import checkpoint
from nnlite.train.ablations import __main__ as ablations
from nnlite.train.ablations.experiment import VARIANTS, Ablations
from nnlite.train.ablations.table import format_table
from nnlite.train.moving_mnist import __main__ as moving_mnist
from nnlite.train.runs import group
from nnlite.train.runs.run import Run
from tests.toy_table1 import less_work

TOY = ["--preset", "tiny", "--data", "drawn", "--sequences", "8", "--test-sequences", "4", "--device", "cpu"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of finished ablations."""
    folder = tmp_path_factory.mktemp("runs") / "ablations"
    with less_work():
        assert ablations.main([*TOY, "--out", str(folder)]) == 0
    return folder


def test_each_variant_differs_from_the_first_in_one_thing(finished):
    def made_of(name):
        saved = checkpoint.load(finished / name / "checkpoint.h5")
        return saved.metadata["experiment"]["model_options"] | {"loss_at": saved.metadata["loop"]["loss_at"]}

    base = made_of("base")
    assert base == {"n_features": 4, "n_memory": 8, "kernel": 5, "flow_kernel": 5, "loss_at": "all"}
    changes = {name: dict(made_of(name).items() - base.items()) for name in VARIANTS}
    assert changes == {
        "base": {},
        "no_penalty": {"penalty_weight": 0},
        "untied": {"untied": True},
        "forget_0": {"forget_bias": 0.0},
        "last": {"loss_at": "last"},
    }


def test_table(finished, capsys):
    table = json.loads((finished / "ablations.json").read_text())
    assert [row["variant"] for row in table["rows"]] == list(VARIANTS)
    page = (finished / "ablations.md").read_text()
    for row in table["rows"]:
        result = json.loads((finished / row["variant"] / "result.json").read_text())
        assert row["error"] == result["scores"]["bce"]
        assert row["flow_error"] == result["scores"]["flow_arriving"]
        assert row["roughness"] == result["scores"]["roughness"] and row["roughness"]["all"] > 0
        cells = f"{row['error']['last']:.4f} |        {row['error']['all']:.4f} |"
        assert f"| {row['title']}" in page and cells in page
    assert str(finished.parent) not in page
    assert ablations.main(["--resume", str(finished)]) == 0
    assert format_table(table) in capsys.readouterr().out


def test_resume_trains_what_is_missing(finished, tmp_path, monkeypatch):
    plan = Ablations.plan(Ablations.parse(TOY, "a program")[1])
    group.begin(tmp_path / "two", Ablations, {name: plan[name] for name in ("base", "last")})
    trained, usual = [], Run.fit
    monkeypatch.setattr(Run, "fit", lambda run, *rest: trained.append(run.folder.name) or usual(run, *rest))
    with less_work():
        assert ablations.main(["--resume", str(tmp_path / "two")]) == 0
        assert ablations.main(["--resume", str(tmp_path / "two")]) == 0
    assert trained == ["base", "last"]


def test_bad_requests(finished, capsys):
    assert ablations.main([*TOY, "--out", str(finished)]) == 2
    assert "holds a run already" in capsys.readouterr().err
    assert moving_mnist.main(["--resume", str(finished)]) == 2
    assert "was begun by train.ablations; resume it with that" in capsys.readouterr().err
    for arguments, message in (
        (["--resume", "run", "--seed", "1"], "leave out --seed"),
        (["--sequences", "0"], "must be a whole number, at least 1, got 0"),
    ):
        with pytest.raises(SystemExit):
            ablations.main(arguments)
        assert message in capsys.readouterr().err
