"""Walks over tables: nested lists and tuples of arrays."""

import numpy as np
import pytest

from nnlite import table

NESTED = [np.zeros(2), (np.ones(1), [np.full(3, 2.0)])]


def test_leaves_come_in_order_and_an_array_is_one_leaf():
    assert [x.size for x in table.leaves(NESTED)] == [2, 1, 3]
    assert table.leaves(NESTED[0])[0] is NESTED[0]
    assert table.leaves([]) == []


def test_map_keeps_the_structure_and_leaves_the_tables_alone():
    sums = table.map(np.add, NESTED, NESTED)
    assert isinstance(sums[1], list) and isinstance(sums[1][1], list)
    assert [x[0] for x in table.leaves(sums)] == [0, 2, 4]
    assert NESTED[1][0][0] == 1
    assert table.map(len, NESTED[0]) == 2


@pytest.mark.parametrize("other", [NESTED[:1], NESTED[0], [NESTED[0], NESTED[0]]])
def test_map_refuses_tables_that_are_built_otherwise(other):
    with pytest.raises(ValueError, match=r"built alike|shorter"):
        table.map(np.add, NESTED, other)


def test_fill_is_the_opposite_of_leaves():
    filled = table.fill(NESTED, iter("abc"))
    assert filled == ["a", ["b", ["c"]]]
