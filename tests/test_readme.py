"""What the README shows runs."""

import contextlib
import io
import re
from pathlib import Path

README = (Path(__file__).parents[1] / "README.md").read_text()


def test_example_prints_the_net_and_small_errors():
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert 10 <= len(code.strip().splitlines()) <= 14
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "README.md", "exec"), {})
    lines = printed.getvalue().splitlines()
    assert lines[0] == "nn.Sequential {"
    errors = [float(e) for e in re.findall(r"relative error (\S+) at", printed.getvalue())]
    assert len(errors) >= 4 and max(errors) < 1e-6


def test_named_files_exist():
    root = Path(__file__).parents[1]
    for name in re.findall(r"`((?:nnlite|models|train|data|docs|tests|results)/[\w./]*)`", README):
        assert (root / name).exists(), name
    for name in re.findall(r"!\[.*?\]\((.*?)\)", README):
        assert (root / name).exists(), name
