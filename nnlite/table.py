"""Walks over Torch7 tables: nested lists or tuples of arrays. A single array counts as a table of one leaf.

The functions that return a table return lists, also where they are given tuples.
"""


def is_table(x):
    """Return whether `x` is a table."""
    return isinstance(x, list | tuple)


def leaves(x):
    """Return the list of all arrays of a table, in order."""
    return [leaf for entry in x for leaf in leaves(entry)] if is_table(x) else [x]


def map(function, x, *others):
    """Return the table of function(leaf of x, leaf of each other); ValueError unless all are built alike."""
    if not is_table(x):
        return function(x, *others)
    if not all(is_table(other) for other in others):
        raise ValueError("the tables are not built alike: one has an array where another has a table")
    return [map(function, *entries) for entries in zip(x, *others, strict=True)]


def fill(like, leaves):
    """Return a table of the structure of `like` whose arrays are taken from the iterator `leaves`."""
    return map(lambda _: next(leaves), like)
