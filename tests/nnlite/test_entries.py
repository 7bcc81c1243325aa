"""Dicts of a file name it where they lack something."""

import json

import pytest

from nnlite.entries import Entries, MissingEntry, from_file, lacking


def test_what_is_missing_is_named_with_the_file():
    found = from_file({"a": {"b": [{"c": 1}]}}, "a.json")
    with pytest.raises(MissingEntry, match=r"^a\.json, a has no 'x'$") as caught:
        found["a"]["x"]
    assert isinstance(caught.value, ValueError) and isinstance(caught.value, KeyError)
    with pytest.raises(ValueError, match=r"^a\.json, a, b has no 'x'$"):
        found["a"]["b"][0]["x"]
    assert found.get("x") is None and "x" not in found
    assert found == json.loads(json.dumps(found)) == {"a": {"b": [{"c": 1}]}}


@pytest.mark.parametrize("merge", [lambda entries: entries | {"b": 2}, lambda entries: {"b": 2} | entries])
def test_it_stays_one_when_it_is_merged(merge):
    merged = merge(Entries({"a": 1}, "a.json"))
    assert merged == {"a": 1, "b": 2}
    with pytest.raises(ValueError, match=r"a\.json has no 'c'"):
        merged["c"]


@pytest.mark.parametrize(
    "value, wanted, text",
    [
        ({"a": 1}, {"a": int}, None),
        ({"a": 1}, {"a": float}, None),
        ({"a": True}, {"a": int}, "no 'a' of type int"),
        ({"a": 1.5}, {"a": int}, "no 'a' of type int"),
        ({"a": {}}, {"a": {"b": str}}, "no 'a.b' of type str"),
        ({"a": []}, {"a": {"b": str}}, "no 'a' of type dict"),
        ({}, {"a": {"b": str}}, "no 'a' of type dict"),
    ],
)
def test_what_a_value_lacks_of_a_form(value, wanted, text):
    assert lacking(value, wanted) == text
