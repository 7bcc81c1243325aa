"""docs/fidelity.md: every surprise has its line, and every test that it names exists."""

import re
from pathlib import Path

TESTS = Path(__file__).parent
PAGE = (TESTS.parent / "docs" / "fidelity.md").read_text(encoding="utf-8")


def test_every_surprise_has_a_line_with_a_test():
    lines = PAGE.split("## The 55 surprises")[1].splitlines()
    rows = {int(found[1]): line for line in lines if (found := re.match(r"\| (\d+) \|", line))}
    recorded = re.findall(r"^(\d+)\. ", (TESTS / "golden" / "README.md").read_text(encoding="utf-8"), re.M)
    assert list(rows) == [int(number) for number in recorded] and len(rows) == 55
    assert [number for number, row in rows.items() if "::test_" not in row] == []


def test_named_tests_exist():
    named = set(re.findall(r"`((?:\w+/)*test_\w+\.py)::(test_\w+)`", PAGE))
    assert len(named) > 50
    for file, name in sorted(named):
        source = (TESTS / file).read_text(encoding="utf-8")
        assert f"\ndef {name}(" in source, f"{file}::{name}"
