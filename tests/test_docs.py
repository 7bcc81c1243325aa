"""The pages of docs/: snippets run, every module has a section, links lead somewhere."""

import contextlib
import functools
import importlib
import io
import re
import runpy
import shutil
import types
from pathlib import Path

import numpy as np
import pytest

import nnlite as nn
from nnlite import optim
from nnlite.gradcheck import check_module, public_classes, worst

ROOT = Path(__file__).parents[1]
INDEX = ROOT / "docs" / "gradients.md"
PAGES = [INDEX, *sorted((ROOT / "docs" / "gradients").glob("*.md"))]
TUTORIAL = ROOT / "docs" / "tutorial.md"
OTHERS = [ROOT / "docs" / f"{name}.md" for name in ("convolution-algorithms", "sequences", "torch7")]
DOCUMENTS = [*PAGES, TUTORIAL, *OTHERS]
IDS = [str(page.relative_to(ROOT / "docs")) for page in DOCUMENTS]

#: A Python snippet, and the block of its output if one follows.
SNIPPET = re.compile(r"^```python\n(.*?)^```\n(?:\n?```text\n(.*?)^```\n)?", re.DOTALL | re.MULTILINE)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
HEADING = re.compile(r"^(#{1,6}) (.*)$", re.MULTILINE)


def text_of(page):
    return page.read_text(encoding="utf-8")


def prose(page):
    """Return a page without its fenced blocks."""
    return FENCE.sub("", text_of(page))


def headings(page):
    return [title for _, title in HEADING.findall(prose(page))]


def anchors(page):
    """Return the anchors that a code host gives to the headings of a page."""
    plain = (title.lower().replace("`", "") for title in headings(page))
    return {re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in plain}


@functools.cache
def run(page):
    """Run all snippets of a page in one namespace; return that and [(code, printed, shown or None)]."""
    text, names, results = text_of(page), {}, []
    nn.manual_seed(0)
    for found in SNIPPET.finditer(text):
        # The line numbers of an error are those of the page.
        code = "\n" * (text[: found.start()].count("\n") + 1) + found[1]
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, str(page), "exec"), names)
        results.append((found[1], printed.getvalue(), found[2]))
    return names, results


@pytest.mark.parametrize("page", DOCUMENTS, ids=IDS)
def test_snippets_run_and_print_what_is_shown(page):
    for code, printed, shown in run(page)[1]:
        assert printed == (shown or ""), f"{page.name}: output of\n{code}"
        can_fail = "assert" in code or shown or re.search(r"^(import|from|def|class) ", code, re.MULTILINE)
        assert can_fail, f"{page.name}: this snippet shows nothing that could be wrong\n{code}"


@pytest.mark.parametrize("page", PAGES, ids=IDS[: len(PAGES)])
def test_every_page_computes_something(page):
    assert len(re.findall(r"\bassert\b", "".join(found[1] for found in SNIPPET.finditer(text_of(page))))) >= 2


def test_every_public_module_has_a_section():
    named = {name for page in PAGES for title in headings(page) for name in re.findall(r"`(\w+)`", title)}
    assert sorted(set(public_classes()) - named) == []
    assert sorted(set(optim.__all__) - named) == []


def test_the_index_links_every_public_module_to_its_section():
    links = dict(re.findall(r"\[`(\w+)`\]\((gradients/\w+\.md#[\w-]+)\)", text_of(INDEX)))
    assert sorted({*public_classes(), *optim.__all__} - set(links)) == []
    for name, link in links.items():
        page, anchor = link.split("#")
        titles = [title for title in headings(ROOT / "docs" / page) if f"`{name}`" in title]
        assert anchor in {
            re.sub(r"[^\w\- ]", "", t.lower().replace("`", "")).replace(" ", "-") for t in titles
        }


@pytest.mark.parametrize("page", DOCUMENTS, ids=IDS)
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", DOCUMENTS, ids=IDS)
def test_named_code_exists(page):
    """What stands in backticks as `nnlite.ops.convolution.conv2d` or `nnlite/ops/gemm.py` is there."""
    for name in re.findall(r"`((?:nnlite|models)(?:\.\w+)+)`", prose(page)):
        parts = name.split(".")
        for length in range(len(parts), 0, -1):
            try:
                thing = importlib.import_module(".".join(parts[:length]))
            except ModuleNotFoundError:
                continue
            break
        for part in parts[length:]:
            assert hasattr(thing, part), name
            thing = getattr(thing, part)
    for name in re.findall(r"`((?:nnlite|models|train|data|docs|tests)/[\w./]*)`", prose(page)):
        assert (ROOT / name).exists(), name


@pytest.mark.parametrize("page", DOCUMENTS, ids=IDS)
def test_formulas_are_such_as_a_code_host_renders(page):
    """Inline formulas are in $`...`$, displayed ones in fences: Markdown leaves their underscores alone."""
    without = re.sub(r"\$`[^`]+`\$", "", prose(page))
    assert "$" not in without, [line for line in without.splitlines() if "$" in line]
    formulas = re.findall(r"\$`([^`]+)`\$", prose(page))
    formulas += [body for kind, body in FENCE.findall(text_of(page)) if kind == "math"]
    assert not re.search(r"\$`[^`]*\n[^`]*`\$", prose(page)), "an inline formula goes over the end of a line"
    assert not re.search(r"\w\$`|`\$\w", prose(page)), "an inline formula touches a word"
    for formula in formulas:
        assert formula.count("{") - formula.count(r"\{") == formula.count("}") - formula.count(r"\}"), formula
        assert re.findall(r"\\begin\{(\w+)\}", formula) == re.findall(r"\\end\{(\w+)\}", formula), formula
        assert len(re.findall(r"\\left\b", formula)) == len(re.findall(r"\\right\b", formula)), formula
        assert not re.search(r"\\(operatorname|newcommand|def|label|ref)\b", formula), formula


def test_the_checker_sees_every_wrong_gradient_of_the_tutorial():
    """Each class of the tutorial that is named Wrong... fails the check, every other one passes."""
    names, _ = run(TUTORIAL)
    own = [v for v in names.values() if isinstance(v, type) and issubclass(v, nn.Module)]
    assert len(own) >= 3
    for cls in own:
        error = worst(check_module(cls(3), np.random.default_rng(0).standard_normal((2, 3)))).error
        assert (error > 1e-2) if cls.__name__.startswith("Wrong") else (error < 1e-6), cls.__name__


def test_the_log_is_plotted_in_three_lines(tmp_path, monkeypatch):
    page = ROOT / "docs" / "experiments.md"
    (code,) = (found[1] for found in SNIPPET.finditer(text_of(page)))
    (tmp_path / "runs").mkdir()
    shutil.copytree(ROOT / "tests" / "old_runs" / "moving_mnist", tmp_path / "runs" / "mine")
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(compile(code, str(page), "exec"), names)
    (line,) = names["plt"].gca().lines
    names["plt"].close()
    assert len(code.splitlines()) == 3
    assert list(line.get_xdata()) == [16] and 0.6 < line.get_ydata()[0] < 0.8  # one such line there


@pytest.mark.parametrize("name", ["experiments", "lab-notes"])
def test_pages_of_experiments_name_what_exists(name):
    page = ROOT / "docs" / f"{name}.md"
    named = re.findall(r"`((?:nnlite|train|data|docs|tests|results|examples)/[\w./]*)`", prose(page))
    assert [path for path in named if not (ROOT / path).exists()] == []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists() and (not anchor or anchor in anchors(target)), link


def test_names_in_docstrings_exist():
    """As `python docs/api.py` demands it, which also looks for them in the pages that it makes."""
    names = runpy.run_path(str(ROOT / "docs" / "api.py"))
    found = names["modules"]()
    assert {"nnlite.layers.linear", "nnlite.models", "nnlite.data.clips"} <= set(found)
    assert names["unresolved"](found) == []
    wrong = types.ModuleType("nnlite.wrong", "As `Linear.no_bias` and `Sequentail`, see `nnlite.ops.gem`.")
    wrong.__package__ = "nnlite"
    assert [name.split(": ")[1] for name in names["unresolved"](found | {"nnlite.wrong": wrong})] == [
        "Sequentail",
        "nnlite.ops.gem",
    ]


def test_links_of_the_reference_are_followed(tmp_path):
    broken_links = runpy.run_path(str(ROOT / "docs" / "api.py"))["broken_links"]
    page = '<a class="x" href="b.html#Linear">right</a> <a href="#here" id="here"> <a href="https://x.org">'
    (tmp_path / "a.html").write_text(page + '<a href="b.html#Linera"> <a href="c.html">')
    (tmp_path / "b.html").write_text('<p id="Linear">')
    assert broken_links(tmp_path) == ["a.html: b.html#Linera", "a.html: c.html"]


def test_docstrings_become_html_line_by_line():
    as_html = runpy.run_path(str(ROOT / "docs" / "api.py"))["as_html"]
    text = as_html("One.\n\nShapes: input (N,)\nor <N>.\nForward:\n    y = `x`.\n")
    assert "<b>Shapes</b>: input (N,) or &lt;N&gt;.\n<b>Forward</b>:\n    y = <code>x</code>." in text
