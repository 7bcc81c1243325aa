"""What the README shows runs."""

import contextlib
import io
import re
from pathlib import Path

import numpy as np

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_example_prints_the_net_and_small_errors():
    code, _ = SNIPPETS
    assert 10 <= len(code.strip().splitlines()) <= 14
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "README.md", "exec"), {})
    lines = printed.getvalue().splitlines()
    assert lines[0] == "nn.Sequential {"
    errors = [float(e) for e in re.findall(r"relative error (\S+) at", printed.getvalue())]
    assert len(errors) >= 4 and max(errors) < 1e-6


def test_it_is_short():
    assert len(README.splitlines()) < 150


def test_three_lines_predict():
    _, code = SNIPPETS
    assert len(code.splitlines()) == 3
    names = {"frames": np.random.default_rng(0).random((2, 1, 1, 64, 64), np.float32)}
    exec(compile(code, "README.md", "exec"), names)
    assert names["following"].shape == (1, 1, 64, 64) and names["model"].flow.shape == (2, 1, 2, 64, 64)


def test_named_files_exist():
    root = Path(__file__).parents[1]
    for name in re.findall(
        r"`((?:nnlite|models|train|data|docs|tests|results|examples|findings)/[\w./]*)`", README
    ):
        assert (root / name).exists(), name
    for name in re.findall(r"!\[.*?\]\((.*?)\)", README):
        assert (root / name).exists(), name
