"""Commands that pages, docstrings, help texts and messages print are such as their parsers accept."""

import argparse
import ast
import contextlib
import functools
import importlib
import re
import runpy
import shlex
import sys
from pathlib import Path

import pytest

from nnlite.train import __main__ as nnlite_command
from nnlite.train.runs import command

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "models/pretrained/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "results").glob("*.md")),
]
SOURCES = [
    path
    for folder in ("nnlite", "models", "data", "train", "benchmarks", "examples", "docs", "tests/faults")
    for path in sorted((ROOT / folder).rglob("*.py"))
]
SUBCOMMANDS = "|".join(path.parent.name.replace("_", "-") for path in (ROOT / "train").glob("*/__main__.py"))
#: `python -m train.camvid --model segnet` and the like, in a line of its own or in backticks.
COMMAND = re.compile(
    r"(?:^|(?<=`)|(?<=&& )|(?<=: ))(?:python3? -m ((?:nnlite|train|benchmarks|data|tests)[.\w]*)"
    rf"|python ((?:docs|examples)/\w+\.py)|nnlite ({SUBCOMMANDS}))([^`\n]*)",
    re.MULTILINE,
)


class Parsed(Exception):
    """The command line is right; nothing is started."""


def commands_in(text):
    """Return [(module, script or subcommand, its arguments)] of the commands in a text."""
    text = re.sub(r"`(?:python|nnlite)[^`]*`", lambda found: found[0].replace("\n", " "), text)
    text = re.sub(r"^[ >]+", "", text, flags=re.MULTILINE)
    found = []
    for match in COMMAND.finditer(text):
        module, script, subcommand, rest = match.groups()
        rest = re.split(r"\s{3,}| {2}[a-z]|,? and |; |\)", rest)[0]  # what comes after it says what it does
        words = shlex.split(re.sub(r"[\[\]]|\.\.\.", "", rest), comments=True)
        found.append((module or script or f"nnlite {subcommand}", words))
    return found


def strings_of(path):
    """Return the texts in a source file: docstrings, help texts, messages, but not the names of parsers."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    texts = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return [text for text in texts if not re.fullmatch(r"python (-m )?[\w./]+", text)]


def main_of(name):
    """Return the module of a command and its `main`."""
    if name.startswith("nnlite "):
        module = nnlite_command.commands()[name.removeprefix("nnlite ").replace("-", "_")]
    else:
        name = name if name.startswith(("nnlite", "tests")) else f"nnlite.{name}"
        package = hasattr(importlib.import_module(name), "__path__")
        module = importlib.import_module(f"{name}.__main__" if package else name)
    return module, module.main


@pytest.fixture
def parse(monkeypatch):
    """Give a function that parses and checks a command line as the command does, and starts nothing."""
    parse_args = argparse.ArgumentParser.parse_args

    def stop(parse, *arguments, **keywords):
        parse(*arguments, **keywords)
        raise Parsed

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", functools.partialmethod(_stopped, parse_args))

    def parsed(name, words):
        if name.endswith(".py"):
            monkeypatch.setattr(sys, "argv", [name, *words])
            with contextlib.suppress(Parsed):  # without any options it runs
                runpy.run_path(str(ROOT / name), run_name="__main__")
            return
        module, main = main_of(name)
        if getattr(main, "func", None) is command.run:
            (experiment,) = main.args
            mode, given = experiment.parse(words, name)
            if mode == "train":
                with contextlib.suppress(FileNotFoundError):  # the runs that a page names are its reader's
                    experiment.plan(given)
            return
        with monkeypatch.context() as patched, pytest.raises(Parsed):
            if hasattr(module, "parse_options"):
                patched.setattr(module, "parse_options", functools.partial(stop, module.parse_options))
            main(words)

    return parsed


def _stopped(self, parse_args, *arguments, **keywords):
    parse_args(self, *arguments, **keywords)
    raise Parsed


def test_commands_are_found():
    text = "`python -m\ntrain.a --b C`, `nnlite camvid` runs.\n\n    python -m train.runs [F]    lists them\n"
    assert commands_in(text) == [("train.a", ["--b", "C"]), ("nnlite camvid", []), ("train.runs", ["F"])]
    assert sum(len(commands_in(page.read_text(encoding="utf-8"))) for page in PAGES) > 80


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_those_of_pages_parse(page, parse, capsys):
    for name, words in commands_in(page.read_text(encoding="utf-8")):
        try:
            parse(name, words)
        except (SystemExit, ValueError) as error:
            pytest.fail(f"{name} {shlex.join(words)}: {error} {capsys.readouterr().err[-300:]}")


def test_those_of_docstrings_and_messages_parse(parse, capsys):
    found = [(path, one) for path in SOURCES for text in strings_of(path) for one in commands_in(text)]
    assert len(found) > 50
    for path, (name, words) in found:
        try:
            parse(name, words)
        except (SystemExit, ValueError) as error:
            pytest.fail(f"{path}: {name} {shlex.join(words)}: {error} {capsys.readouterr().err[-300:]}")


def test_a_wrong_one_does_not(parse, capsys):
    with pytest.raises(SystemExit):
        parse("train.camvid", ["--modell", "segnet"])
    with pytest.raises(ValueError, match="needs --camvid"):
        parse("train.camvid", ["--preset", "paper"])
    with pytest.raises(SystemExit):
        parse("train.inspect", ["--frames", "0"])
    with pytest.raises(SystemExit):
        parse("benchmarks.train_step", ["--modell", "ae_conv"])
