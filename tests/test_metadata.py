"""What a stranger's tools read of the project agrees with the project."""

import re
from pathlib import Path

import nnlite

ROOT = Path(__file__).parents[1]


def text(name):
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_version_is_the_same_everywhere():
    (cited,) = re.findall(r"^version: (.*)$", text("CITATION.cff"), re.MULTILINE)
    newest = re.findall(r"^## (\d[\d.]*)", text("CHANGELOG.md"), re.MULTILINE)[0]
    assert cited == newest == nnlite.__version__


def test_the_paper_is_named_as_it_is():
    for name in ("CITATION.cff", "README.md"):
        assert "1511.06309" in text(name) and "Handa" in text(name)


def test_pages_for_contributors_name_what_exists():
    for name in ("CONTRIBUTING.md", "CHANGELOG.md"):
        for path in re.findall(r"`((?:nnlite|train|docs|tests|examples|results)/[\w./]*)`", text(name)):
            assert (ROOT / path).exists(), path


def test_the_hook_and_the_continuous_integration_run_the_same_lint():
    for command in ("ruff check", "ruff format"):
        assert f"entry: {command}" in text(".pre-commit-config.yaml") and f"-m {command}" in text(".ci/run")
