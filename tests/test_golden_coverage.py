"""Every recorded case has a test that fails when the recorded numbers are others.

A test file lists in `GOLDEN` the recorded cases that its tests are parametrised on. Here each of these tests
is called with numbers that are off by up to a part in a thousand: of every case at least one must notice.
"""

import importlib
import inspect
import itertools
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from nnlite import torch7
from tests import golden_cases as golden

#: Groups of vectors that have nothing to do with each other: each vector is a case of its own.
COLLECTIONS = ("RNG", "init")
TORCH7_FILES = golden.FOLDER / "serialization"

paths = sorted(Path(__file__).parent.rglob("test_*.py"))
TEST_FILES = [
    ".".join(path.relative_to(Path(__file__).parents[1]).with_suffix("").parts)
    for path in paths
    if "\nGOLDEN = " in path.read_text(encoding="utf-8")
]

load_recorded = golden.load


def recorded_cases():
    """Return {case: the file it is in} of everything in tests/golden; for a Torch7 file the folder."""
    found = []
    for file in sorted(path.stem for path in golden.FOLDER.glob("*.h5")):
        for name in golden.names(file):
            members = sorted(load_recorded(file, name).keys() - {"attrs"}) if name in COLLECTIONS else []
            found += [(f"{name}/{member}", file) for member in members] or [(name, file)]
    files = sorted(path.name for path in TORCH7_FILES.iterdir())
    found += [(name, TORCH7_FILES.name) for name in files if name != "manifest.json"]
    assert len(dict(found)) == len(found), "two recorded cases have the same name"
    return dict(found)


RECORDED = recorded_cases()


def calls(module):
    """Yield (case, test, arguments) for every call of a test, without fixtures, with a case of GOLDEN."""
    for test in vars(module).values():
        marks = [mark for mark in getattr(test, "pytestmark", []) if mark.name == "parametrize"]
        for values in itertools.product(*(mark.args[1] for mark in marks)):
            arguments = {}
            for mark, value in zip(marks, values):
                names = mark.args[0].split(", ")
                arguments |= dict(zip(names, value if len(names) > 1 else [value]))
            cases = {value for value in arguments.values() if isinstance(value, str)} & set(module.GOLDEN)
            if cases and inspect.signature(test).parameters.keys() <= arguments.keys():
                yield cases.pop(), test, arguments


def falsified(value, rng):
    """Return a recorded value with every number changed a little, but for labels, which must stay labels."""
    if isinstance(value, dict):
        kept = ("attrs", "target")
        return {key: part if key in kept else falsified(part, rng) for key, part in value.items()}
    if isinstance(value, list):
        return [falsified(part, rng) for part in value]
    value = np.asarray(value)
    if value.dtype.kind != "f":
        return value ^ 1
    changed = np.where(value == 0, 1e-3, value * (1 - 1e-3 * rng.random(value.shape)))
    return changed.astype(value.dtype)[()]


def test_every_recorded_case_is_listed():
    listed = Counter(case for name in TEST_FILES for case in importlib.import_module(name).GOLDEN)
    wrong = {
        "recorded, but without a test": [
            f"{file}: {case}" for case, file in RECORDED.items() if case not in listed
        ],
        "listed, but not recorded": sorted(set(listed) - set(RECORDED)),
        "listed more than once": [case for case, count in listed.items() if count > 1],
    }
    report = [f"{what}:\n  " + "\n  ".join(cases) for what, cases in wrong.items() if cases]
    assert not report, "\n".join(report)


@pytest.mark.parametrize("name", TEST_FILES)
@pytest.mark.filterwarnings("ignore:invalid value encountered in sqrt")
def test_listed_cases_are_compared(name, monkeypatch):
    module = importlib.import_module(name)
    read, noticed = set(), set()

    def load_falsified(file, case):
        read.add((file, case))
        return falsified(load_recorded(file, case), np.random.default_rng(0))

    def load_no_file(path):
        read.add((path.parent.name, path.name))
        raise AssertionError("no object at all")

    monkeypatch.setattr(golden, "load", load_falsified)
    for case, test, arguments in calls(module):
        read.clear()
        with monkeypatch.context() as patch:
            if RECORDED[case] == TORCH7_FILES.name:
                patch.setattr(torch7, "load", load_no_file)
            try:
                test(**arguments)
            except AssertionError:
                noticed |= {case} if (RECORDED[case], case) in read else set()
    unnoticed = [case for case in module.GOLDEN if case not in noticed]
    assert not unnoticed, "no test notices wrong numbers in:\n  " + "\n  ".join(unnoticed)
