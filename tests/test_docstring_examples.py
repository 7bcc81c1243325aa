"""The examples in docstrings print what they show."""

import doctest
import importlib
from pathlib import Path

import numpy as np
import pytest

import nnlite as nn

ROOT = Path(__file__).parents[1]
FILES = [path for folder in ("nnlite", "models", "data") for path in sorted((ROOT / folder).rglob("*.py"))]
WITH_EXAMPLES = [path for path in FILES if ">>> " in path.read_text(encoding="utf-8")]
#: Files whose modules are offered to users and have no example: bases, and parts of the models.
WITHOUT = {
    *("recurrent/abstract_recurrent.py", "recurrent/remembering.py", "recurrent/sequence_module.py"),
    *(
        "recurrent/gemm_conv_lstm.py",
        "recurrent/spectral_conv_lstm.py",
        "layers/axes.py",
        "layers/sliding_window.py",
        "optim/step.py",
    ),
}


def module_of(path):
    """Return the module of a file in the clone."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    parts = parts if parts[0] == "nnlite" else ("nnlite", *parts)
    return importlib.import_module(".".join(parts[: -1 if parts[-1] == "__init__" else None]))


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=lambda path: str(path.relative_to(ROOT)))
def test_examples_print_what_they_show(path):
    names = {"np": np, "nn": nn, "__name__": "an example"}
    result = doctest.testmod(module_of(path), extraglobs=names, optionflags=doctest.REPORT_NDIFF)
    assert result.attempted and not result.failed, "what differs is printed above"


@pytest.mark.parametrize("folder", ["layers", "recurrent", "warping", "optim"])
def test_every_family_has_one(folder):
    family = {path for path in (ROOT / "nnlite" / folder).glob("[!_]*.py")}
    missing = family - set(WITH_EXAMPLES) - {ROOT / "nnlite" / name for name in WITHOUT}
    assert sorted(missing) == []


@pytest.mark.parametrize("name", ["containers", "criterion", "gradcheck", "checkpoint", "trace", "graph"])
def test_so_have_the_others(name):
    assert ROOT / "nnlite" / f"{name}.py" in WITH_EXAMPLES


def test_a_wrong_example_fails():
    wrong = doctest.DocTestParser().get_doctest(">>> nn.Linear(3, 2).n_in\n2\n", {"nn": nn}, "wrong", None, 0)
    assert doctest.DocTestRunner(verbose=False).run(wrong, out=lambda text: None).failed == 1
