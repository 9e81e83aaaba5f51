"""What a page writes for workers: plain data, exactly, and nothing else."""

from __future__ import annotations

import base64
import json
import pickle
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dboshub.workflows.payloads import read
from dboshub.workflows.payloads.encode import NotPlainError, encode, encode_arguments
from dboshub.workflows.payloads.tree import Mapping, Node, Scalar, Sequence

FORMATS = ["py_pickle", "portable_json", None]
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXT, inner, max_size=5),
    max_leaves=30,
)


def tree(value: Any) -> Node:
    """The node a value ought to read as."""
    match value:
        case None:
            return Scalar("none", "None")
        case bool():
            return Scalar("bool", str(value))
        case int():
            return Scalar("int", str(value))
        case float():
            return Scalar("float", repr(value))
        case str():
            return Scalar("str", value)
        case list():
            return Sequence("list", tuple(map(tree, value)))
    return Mapping("dict", tuple((tree(key), tree(each)) for key, each in value.items()))


@settings(max_examples=200, deadline=None)
@given(PLAIN)
def test_a_pickle_written_here_reads_as_the_value(value: Any) -> None:
    written = encode(value, "py_pickle")
    assert read(written, "py_pickle") == tree(value)
    assert read(written, None) == tree(value)
    assert pickle.loads(base64.b64decode(written)) == value


@settings(max_examples=200, deadline=None)
@given(PLAIN)
def test_portable_text_written_here_reads_as_the_value(value: Any) -> None:
    written = encode([value], "portable_json")
    assert json.loads(written) == [value]
    assert read(written, "portable_json") in (tree([value]), read(written, None))


@settings(max_examples=200, deadline=None)
@given(PLAIN, st.integers(0, 5))
def test_every_protocol_of_pickle_reads_as_the_value(value: Any, protocol: int) -> None:
    stored = base64.b64encode(pickle.dumps(value, protocol)).decode()
    assert read(stored, "py_pickle") == tree(value)


def test_arguments_are_written_in_the_envelope_of_their_format() -> None:
    assert encode_arguments([1], {"a": "é"}, "portable_json") == (
        '{"positionalArgs":[1],"namedArgs":{"a":"é"}}'
    )
    stored = encode_arguments([1], {"a": "é"}, "py_pickle")
    assert pickle.loads(base64.b64decode(stored)) == {"args": (1,), "kwargs": {"a": "é"}}


class Text(str):
    __slots__ = ()


DEEP: list[Any] = []
for _ in range(100):
    DEEP = [DEEP]
LOOP: list[Any] = []
LOOP.append(LOOP)
LAUGHS: list[Any] = []
for _ in range(30):
    LAUGHS = [LAUGHS] * 10


@pytest.mark.parametrize("serialization", FORMATS)
@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ((1,), "type tuple"),
        ({"a": [{1}]}, "type set"),
        ({"a": b""}, "type bytes"),
        (Text("a"), "type Text"),
        (object, "type type"),
        ({1: 2}, "key 1 is not text"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        ([10**5_000], "thousands of digits"),
        ("a\ud800", "half of a character"),
        ({"\ud800": 1}, "half of a character"),
        (DEEP, "nested more than"),
        (LOOP, "nested more than"),
        (LAUGHS, "parts"),
    ],
)
def test_anything_else_is_refused_with_the_reason(
    value: Any, complaint: str, serialization: str | None
) -> None:
    with pytest.raises(NotPlainError, match=complaint):
        encode(value, serialization)
    with pytest.raises(NotPlainError, match=complaint):
        encode_arguments([], {"a": value}, serialization)


@pytest.mark.parametrize("serialization", ["js_superjson", "DBOS_JSON", "fernet"])
def test_a_format_of_somebody_else_is_refused(serialization: str) -> None:
    with pytest.raises(NotPlainError, match=serialization):
        encode(1, serialization)
