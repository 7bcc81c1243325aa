"""`python -m nnlite.gradcheck`: all modules pass, none is forgotten, and the exit code says so."""

import importlib
import textwrap

import pytest

import nnlite as nn
from nnlite.gradcheck import TOLERANCE, _cases, main, public_classes, run_cases, worst
from nnlite.gradcheck_cases import inputs

PACKAGES = ("nnlite", "nnlite.models")
#: All that the command checks: {(package, label): function, or None where a class has no case}.
CASES = {(package, label): check for package in PACKAGES for label, check in _cases(package)}


def test_public_classes_are_the_concrete_ones():
    found = set(public_classes())
    assert {"Linear", "Sequential", "Identity", "JoinTable", "BCECriterion"} <= found
    assert not {"Module", "Container", "Criterion", "AbstractRecurrent"} & found
    assert not any(name.startswith("_") for name in found)


@pytest.mark.parametrize("package, label", CASES)
def test_every_gradient_is_that_of_finite_differences(package, label):
    check = CASES[package, label]
    assert check, f"no case in {package}/gradcheck_cases"
    assert worst(checks := check()).error < TOLERANCE, worst(checks)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_case_checks_the_class_that_it_is_named_after(package, monkeypatch):
    cases = importlib.import_module(f"{package}.gradcheck_cases")
    checked = []
    for place in (cases, inputs):
        for function in ("check_module", "check_criterion"):
            monkeypatch.setattr(place, function, lambda x, *args, **options: checked.append(x), raising=False)
    for label, check in cases.cases():
        check()
        x = checked.pop()
        below = x.list_modules() if isinstance(x, nn.Module) else [x]
        assert label.split()[0] in {type(module).__name__ for module in below}, label


def test_command_passes(capsys):
    assert main(["--match", "Linear"]) == 0
    printed = capsys.readouterr().out
    assert "LinearNoBias" in printed and "max rel. error" in printed and "0 failed" in printed
    assert "Sequential" not in printed


def test_command_fails_when_nothing_matches(capsys):
    assert main(["--match", "NoSuchModule"]) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("error: no case matches 'NoSuchModule'; there are cases of Tanh, Sigmoid, ")
    assert "SeqConvLSTM" in printed.err and not printed.out


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package with a right module, a wrong one and one that has no case.

    Also in it, and to be passed over: a private class, one that computes nothing and one from elsewhere.
    """
    folder = tmp_path / "planted_package"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "layers.py").write_text(
        textwrap.dedent(
            """
            import nnlite as nn
            from nnlite import Tanh

            class Base(nn.Module):
                pass

            class Double(Base):
                def update_output(self, input):
                    self.output = 2 * input
                    return self.output

                def update_grad_input(self, input, grad_output):
                    self.grad_input = 2 * grad_output
                    return self.grad_input

            class Triple(Double):
                def update_output(self, input):
                    self.output = 3 * input
                    return self.output

            class Forgotten(Double):
                pass

            class _Private(Double):
                pass
            """
        )
    )
    (folder / "gradcheck_cases.py").write_text(
        textwrap.dedent(
            """
            import numpy as np
            from nnlite.gradcheck import check_module
            from . import layers

            def cases():
                x = np.arange(4.0)
                return [
                    ("Double a vector", lambda: check_module(layers.Double(), x)),
                    ("Triple", lambda: check_module(layers.Triple(), x)),
                ]
            """
        )
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    return folder.name


def test_walk_finds_the_wrong_and_the_forgotten(package):
    results = dict(run_cases(package))
    assert list(results) == ["Double a vector", "Triple", "Forgotten"]
    assert worst(results["Double a vector"]).error < TOLERANCE
    assert worst(results["Triple"]).error == pytest.approx(1 / 3)
    assert results["Forgotten"] is None


@pytest.mark.parametrize(
    "match, code, line",
    [
        ("Double", 0, "1 cases, 0 failed"),
        ("Triple", 1, "FAIL input ["),
        ("Forgotten", 1, "FAIL: no case in planted_package/gradcheck_cases"),
        ("", 1, "3 cases, 2 failed"),
    ],
)
def test_exit_code(package, capsys, match, code, line):
    assert main(["--package", package, "--match", match]) == code
    assert line in capsys.readouterr().out


def test_tolerance_is_an_option(package):
    assert main(["--package", package, "--match", "Triple", "--tolerance", "0.5"]) == 0
