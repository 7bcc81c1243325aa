"""Dicts that come from a file: what they lack is named with the file, and not only by its key."""


class MissingEntry(ValueError, KeyError):
    """A file has no entry of this name; the message names both."""

    __str__ = ValueError.__str__


class Entries(dict):
    """A dict of a file; `where` names the file and the place in it."""

    def __init__(self, values=(), where="a file"):
        super().__init__(values)
        self.where = where

    def __missing__(self, key):
        raise MissingEntry(f"{self.where} has no {key!r}")

    def __or__(self, other):
        return Entries(super().__or__(other), self.where)

    def __ror__(self, other):
        return Entries(super().__ror__(other), self.where)


def from_file(value, where):
    """Return a value that was read from a file, with `Entries` for the dicts in it."""
    if isinstance(value, dict):
        return Entries({key: from_file(entry, f"{where}, {key}") for key, entry in value.items()}, where)
    if isinstance(value, list | tuple):
        return type(value)(from_file(entry, where) for entry in value)
    return value


def lacking(value, wanted, place=""):
    """Return what a value lacks of the form `wanted`, such as "no 'a.b' of type int", or None.

    wanted: a type, where float stands for any number; or {key: form} of a dict, whose other keys are free.
    """
    kind = dict if isinstance(wanted, dict) else wanted
    kinds = (int, float) if kind is float else kind
    if not isinstance(value, kinds) or (isinstance(value, bool) and kind is not bool):
        return f"no {place!r} of type {kind.__name__}"
    if kind is dict and wanted is not dict:
        for key, form in wanted.items():
            inner = f"{place}.{key}" if place else key
            if key not in value:
                return f"no {inner!r} of type {(dict if isinstance(form, dict) else form).__name__}"
            if text := lacking(value[key], form, inner):
                return text
    return None
