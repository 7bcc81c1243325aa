"""Modules and check results as HTML tables, which notebooks show in place of their text."""

import html
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

#: Of the row of the worst entry, and of what is wrong.
WORST, WRONG = "background: #fff3c4", "background: #ffd2cc"


def module_html(module: Any) -> str:
    """Return a table of a module and all inside it: path, class, shapes and number of its own parameters.

    A module that is assembled of containers, such as nn.LSTM, shows its named parts, the gates, instead.
    """
    rows = []
    for path, inside in _named("", module):
        own = list(inside.own_parameters())
        shapes = ", ".join(f"{name} {'×'.join(map(str, weight.shape))}" for name, weight, _ in own)
        count = f"{sum(weight.size for _, weight, _ in own):,}" if own else ""
        rows.append(("", [path or "(all)", inside.name + inside.describe(), shapes, count]))
    total = sum(weight.size for weight in module.parameters()[0])
    rows.append(("font-weight: bold", ["", f"{module.dtype} on {module.device}", "", f"{total:,}"]))
    return _table(["path", "module", "parameters", "number"], rows)


def _named(path: str, module: Any) -> Iterator[tuple[str, Any]]:
    yield path, module
    parts = [(name, getattr(module, name)) for name in getattr(module, "part_names", ())]
    for name, below in [part for part in parts if part[1] is not None] or module.children():
        yield from _named(f"{path}.{name}" if path else name, below)


def checks_html(checks: Sequence[Any], tolerance: float) -> str:
    """Return a table of check results, the one with the worst entry marked, and all that are wrong."""
    errors = [np.inf if np.isnan(check.error) else check.error for check in checks]
    worst = int(np.argmax(errors)) if errors else None
    rows = []
    for number, (check, error) in enumerate(zip(checks, errors)):
        style = WRONG if error > tolerance else WORST if number == worst else ""
        values = [f"{value:.9g}" for value in (check.analytic, check.numeric)]
        note = "; ".join([*(["worst"] if number == worst else []), *check.notes()])
        rows.append((style, [check.what, f"{check.error:.1e}", str(list(check.index)), *values, note]))
    return _table(["checked", "relative error", "worst entry", "analytic", "numeric", ""], rows)


def _table(head: list[str], rows: list[tuple[str, list[str]]]) -> str:
    """Return an HTML table of (style of the row, its cells)."""
    lines = ["<table>", "<tr>" + "".join(f"<th>{title}</th>" for title in head) + "</tr>"]
    for style, cells in rows:
        row = "".join(f'<td style="text-align: left">{html.escape(cell)}</td>' for cell in cells)
        lines.append(f'<tr style="{style}">{row}</tr>' if style else f"<tr>{row}</tr>")
    return "\n".join([*lines, "</table>"])
