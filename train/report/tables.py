"""Tables as text and in Markdown, and the numbers in them."""

import math
import re
import sys


def format_table(title, columns, rows):
    """Return a Markdown table below its title: a head of `columns`, and rows of (name, values).

    Values are numbers, text, or None, which is left blank.
    """
    cells = [[name, *map(_cell, values)] for name, values in rows]
    return f"{title}\n\n{format_markdown(['', *columns], cells)}"


def _cell(value):
    if value is None:
        return ""
    return value if isinstance(value, str) else f"{value:.4f}"


def cell(text):
    """Return a text, such as the name of a file, as Markdown shows it: no end of a cell, no tag, no code."""
    return re.sub(r"([|<`])", r"\\\1", text)


def format_markdown(head, rows):
    """Return a Markdown table whose columns line up, the first to the left and the others to the right."""
    head, *rows = ([cell(text) for text in row] for row in (head, *rows))
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    rule = [f"{'-' * (width - 1)}{':' if i else '-'}" for i, width in enumerate(widths)]

    def line(cells):
        padded = (c.rjust(w) if i else c.ljust(w) for i, (c, w) in enumerate(zip(cells, widths)))
        return f"| {' | '.join(padded)} |"

    return "\n".join(map(line, [head, rule, *rows]))


def format_time(seconds):
    """Return for instance "48 s", "7 min" or "2 h 05 min"."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def print_any_name():
    """Let this process print the names of files that are not UTF-8; what is not becomes escapes."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")


def psnr(squared):
    """Return the peak signal-to-noise ratio in dB of a squared error of values in [0, 1]."""
    return -10 * math.log10(squared) if squared else math.inf
