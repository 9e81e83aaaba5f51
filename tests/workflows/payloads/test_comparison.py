"""What differs between two payload trees, and what is not compared."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dboshub.workflows.payloads import read
from dboshub.workflows.payloads.comparison import Difference, TreeComparison, compare, is_same
from dboshub.workflows.payloads.redaction import Rules
from dboshub.workflows.payloads.tree import Node, Sequence, Truncated
from tests.support.runs import pickled


class Order:
    def __init__(self, **given: Any) -> None:
        self.__dict__.update(given)


def tree(value: Any) -> Node:
    return read(pickled(value), "py_pickle")


def differing(found: Difference, path: str = "") -> list[str]:
    """The places that differ, as `path kind`."""
    here = f"{path}/{found.label}" if found.label else path
    if found.kind == "same":
        return []
    if found.kind == "inside":
        return [each for part in found.parts for each in differing(part, here)]
    return [f"{here} {found.kind}"]


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ({"a": 1, "b": [1, 2]}, {"b": [1, 2], "a": 1}, []),
        ({"a": 1}, {"a": 2}, ['/"a" changed']),
        ({"a": 1}, {"a": "1"}, ['/"a" changed']),
        ({"a": 1}, {"b": 1}, ['/"a" left', '/"b" right']),
        ([1, 2, 3], [0, 1, 2, 3], ["/0 right"]),
        ([1, 2, 3], [1, 3], ["/1 left"]),
        ([1, 2, 3], [1, 5, 3], ["/1 changed"]),
        ([1], (1,), [" changed"]),
        ({"x", "y", "z"}, {"z", "y", "x"}, []),
        (Order(id=1, lines=[1]), Order(id=2, lines=[1]), ['/attributes/"id" changed']),
        (ValueError("no"), ValueError("no"), []),
        (ValueError("no"), ValueError("yes"), ["/message changed"]),
        (ValueError("no"), KeyError("no"), [" changed"]),
        ({"a": {"b": {"c": None}}}, {"a": {"b": {"c": 0}}}, ['/"a"/"b"/"c" changed']),
    ],
)
def test_only_the_places_that_differ_are_named(left: Any, right: Any, expected: list[str]) -> None:
    found = compare(tree(left), tree(right))
    assert differing(found) == expected
    assert (found.kind == "same") == (not expected)
    assert is_same(tree(left), tree(right)) is (not expected)


def test_a_value_that_only_one_has_is_there_alone() -> None:
    assert compare(tree(1), None).kind == "left"
    assert compare(None, tree(1)).kind == "right"
    assert compare(None, None).kind == "same"


def test_a_key_that_is_twice_there_is_compared_twice() -> None:
    left = read('{"a": 1, "a": 2}', "portable_json")
    right = read('{"a": 1, "a": 3}', "portable_json")
    assert differing(compare(left, right)) == ['/"a" (2) changed']


def test_redacted_parts_are_alike_whatever_they_hold() -> None:
    rules = Rules(["password"])
    left, right = ({"user": "ada", "password": secret} for secret in ("one", "another"))
    assert is_same(rules.apply(tree(left)), rules.apply(tree(right))) is True
    right["user"] = "bo"
    found = compare(rules.apply(tree(left)), rules.apply(tree(right)))
    assert differing(found) == ['/"user" changed']


def test_shared_subtrees_cost_no_more_than_their_number() -> None:
    def bomb(last: int) -> Any:
        value: Any = [last]
        for _ in range(40):
            value = [value, value]
        return value

    assert is_same(tree(bomb(1)), tree(bomb(1))) is True
    found = compare(tree(bomb(1)), tree(bomb(2)))
    assert found.kind == "inside"
    assert any(place.endswith("changed") for place in differing(found))
    assert any(place.endswith("unknown") for place in differing(found))


def test_what_is_too_large_to_compare_is_said_to_be_unknown() -> None:
    many = tree(list(range(100)))
    other = tree([*range(99), -1])
    assert TreeComparison(compared=10).difference("", many, other).kind == "unknown"
    found = TreeComparison(shown=1).difference("", many, other)
    assert found.kind == "unknown"


def test_what_was_not_read_is_not_said_to_be_the_same() -> None:
    unread = Truncated("not read")
    assert is_same(unread, unread) is None
    inside = compare(Sequence("list", (unread,)), Sequence("list", (unread,)))
    assert differing(inside) == ["/0 unknown"]
    deep = "[" * 70 + "1" + "]" * 70
    assert is_same(read(deep, "portable_json"), read(deep, "portable_json")) is not True


def test_beginnings_are_compared_as_far_as_they_were_read() -> None:
    left, right = (json.dumps("x" * 100 + tail) for tail in ("a", "b"))
    some, others = (read(text, "portable_json", limit=50) for text in (left, right))
    assert is_same(some, others) is True
