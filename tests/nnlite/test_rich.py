"""What notebooks show of modules and of check results."""

import re

import numpy as np
import pytest

import nnlite as nn
from nnlite.comparison import Check, Checks
from nnlite.gradcheck import check_criterion, check_module, worst


def rows(text):
    """Return the rows of a table, (style, cells)."""
    found = re.findall(r"<tr(?: style=\"(.*?)\")?>(.*?)</tr>", text, re.DOTALL)
    return [(style, re.findall(r"<t[dh].*?>(.*?)</t[dh]>", cells)) for style, cells in found]


def test_a_module_lists_all_inside_and_counts():
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Sequential(nn.LinearNoBias(4, 2)))
    cells = [row for _, row in rows(net._repr_html_())]
    assert [row[0] for row in cells] == ["path", "(all)", "0", "1", "2", "2.0", ""]
    assert cells[2] == ["0", "nn.Linear(3 -&gt; 4)", "weight 4×3, bias 4", "16"]
    assert cells[-1] == ["", "float32 on cpu", "", "24"] and cells[3][2:] == ["", ""]


@pytest.mark.parametrize(
    "module",
    [
        nn.Sequencer(nn.LSTM(3, 4)),
        nn.FastLSTM(3, 4),
        nn.GRU(3, 4),
        nn.Sequencer(nn.UntiedConvLSTM(2, 3, 9, 3, 3)),
        nn.SeqConvLSTM(2, 3, 3),
        nn.BiSequencer(nn.LSTM(3, 4, 9999, False)),
    ],
    ids=lambda module: type(module).__name__,
)
def test_memories_show_their_gates_and_all_that_is_trained(module):
    cells = [row for _, row in rows(module._repr_html_())]
    numbers = [int(row[3].replace(",", "")) for row in cells[1:] if row[3]]
    assert sum(numbers[:-1]) == numbers[-1] and len(cells) < 45
    paths = {path.removesuffix("." + path.split(".")[-1]) for path, _, _ in module.named_parameters()}
    assert len(paths) == len({row[0] for row in cells[1:-1] if row[3]})


def test_checks_mark_the_worst_entry():
    checks = check_module(nn.Linear(3, 2), np.random.default_rng(0).standard_normal((4, 3)))
    (marked,) = [cells for style, cells in rows(checks._repr_html_())[1:] if style]
    assert marked[0] == worst(checks).what and marked[-1].startswith("worst")
    assert len(rows(checks._repr_html_())) == 1 + len(checks)


def test_checks_mark_what_is_wrong():
    nan, bad = Check("c", np.nan, (), np.nan, 1.0), Check("d", 1e-3, (1,), 2.0, 2.1)
    table = rows(Checks([Check("a<b", 1e-9, (0,), 1.0, 1.0), nan, bad])._repr_html_())
    (_, head), (good, first), (of_nan, second), (of_bad, _) = table
    assert head[0] == "checked" and first[0] == "a&lt;b" and second[-1] == "worst"
    assert good == "" != of_bad == of_nan


def test_criteria_too_and_nothing():
    checks = check_criterion(nn.MSECriterion(), np.ones((2, 2)), np.zeros((2, 2)))
    assert isinstance(checks, Checks) and isinstance(checks, list) and len(rows(checks._repr_html_())) == 2
    assert len(rows(Checks()._repr_html_())) == 1
