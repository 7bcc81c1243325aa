"""Modules and check results as HTML tables, which notebooks show in place of their text."""

import html
from collections.abc import Sequence
from typing import Any

import numpy as np

#: Of the row of the worst entry, and of what is wrong.
WORST, WRONG = "background: #fff3c4", "background: #ffd2cc"


def module_html(module: Any) -> str:
    """Return a table of a module and all inside it: path, class, shapes and number of its own parameters."""
    rows, total = [], 0
    for path, inside in module.named_modules():
        own = list(inside.own_parameters())
        count = sum(weight.size for _, weight, _ in own)
        total += count
        shapes = ", ".join(f"{name} {'×'.join(map(str, weight.shape))}" for name, weight, _ in own)
        name = inside.name + inside.describe()
        rows.append(("", [path or "(all)", name, shapes, f"{count:,}" if own else ""]))
    rows.append(("font-weight: bold", ["", f"{module.dtype} on {module.device}", "", f"{total:,}"]))
    return _table(["path", "module", "parameters", "number"], rows)


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
