"""What is stored under a name of the operator's rules is not shown, wherever it lies."""

from __future__ import annotations

import base64
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dboshub.workflows.payloads import read
from dboshub.workflows.payloads.encode import encode
from dboshub.workflows.payloads.inline import inline
from dboshub.workflows.payloads.outline import outline
from dboshub.workflows.payloads.redaction import Rules, rules_in
from dboshub.workflows.payloads.tree import Mapping, Scalar, Sequence, Truncated
from dboshub.workflows.rendering.payload_html import redaction_note

RULES = Rules(["password", "*_token", "api_key"])
SECRET = "hunter2"


class Card:
    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)


class CardError(Exception):
    pass


def pickled(value: Any) -> str:
    return base64.b64encode(pickle.dumps(value)).decode()


def shown(value: Any) -> str:
    return outline(RULES.apply(read(pickled(value), "py_pickle")), 10_000)


@pytest.mark.parametrize(
    "value",
    [
        {"password": SECRET},
        {"PassWord": [SECRET, {"deep": SECRET}]},
        {"args": [], "kwargs": {"refresh-token": SECRET}},
        [({"x": {"api_key": SECRET}},)],
        Card(password=SECRET),
        {b"k": Card(nested=Card(access_token=SECRET))},
    ],
    ids=["direct", "any case", "arguments", "nested", "attribute", "attribute of an attribute"],
)
def test_a_named_value_is_left_out_wherever_it_lies(value: Any) -> None:
    assert SECRET not in shown(value)
    assert "redacted" in shown(value)


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        ({"Refresh-Token": SECRET}, "*_token"),
        (Card(nested=[("password", SECRET)]), "password"),
        ({"raw": '{"api_key": "hunter2"}'}, "api_key"),
    ],
)
def test_a_hidden_value_names_the_rule_that_hid_it(value: Any, rule: str) -> None:
    assert f"redacted by {rule}" in shown(value)
    cut = RULES.apply(read(pickled([value, "x" * 9_000])[:4_000], "py_pickle", is_cut=True))
    assert rules_in(cut) == [rule]
    assert f"<code>{rule}</code> hides parts of what is shown" in redaction_note(cut)


def test_what_hides_nothing_has_no_note() -> None:
    assert redaction_note(RULES.apply(read(pickled({"order": 7}), "py_pickle"))) == ""


def test_an_exception_keeps_its_message_and_loses_a_named_attribute() -> None:
    error = CardError("declined")
    error.api_key = SECRET  # type: ignore[attr-defined]
    assert SECRET not in shown(error)
    assert "declined" in shown(error)


def test_json_is_redacted_as_pickles_are() -> None:
    node = RULES.apply(read('{"namedArgs": {"password": "hunter2", "n": 1}}', "portable_json"))
    assert SECRET not in outline(node, 1_000)
    assert "1" in outline(node, 1_000)


def test_other_names_are_shown() -> None:
    assert SECRET in shown({"passwords": SECRET, "token": SECRET, "api_keys": SECRET})


def test_no_rules_leave_out_nothing() -> None:
    node = read(pickled({"password": SECRET}), "py_pickle")
    assert Rules([]).apply(node) is node
    assert Rules([]).is_empty


@given(
    st.recursive(
        st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["a", "b"]), inner),
        max_leaves=20,
    )
)
def test_what_no_rule_names_stays_the_very_same_tree(value: Any) -> None:
    node = read(encode(value, "py_pickle"), "py_pickle")
    assert RULES.apply(node) is node


def test_a_shared_value_is_walked_once() -> None:
    value: Any = {"password": SECRET}
    for _ in range(60):
        value = [value, value]
    text = outline(RULES.apply(read(pickled(value), "py_pickle")), 10_000)
    assert SECRET not in text


@pytest.mark.parametrize("start", ["Once upon a time. ", b"\x00\x01"])
def test_the_beginning_of_a_cut_value_is_shown(start: Any) -> None:
    stored = pickled(start * 40_000)
    cut = read(stored[:1_001], "py_pickle", is_cut=True)
    assert isinstance(cut, Truncated)
    assert repr(start)[1:-1] in outline(RULES.apply(cut), 10_000)


@pytest.mark.parametrize(
    "value",
    [
        {"password": SECRET * 900},
        {"outer": {"password": SECRET * 900}},
        [("title", "x"), ("password", SECRET * 900)],
        {"card": Card(api_key=SECRET * 900)},
        {"password": {"inner": [1, SECRET * 900]}},
        [{"user": 1}, {"password": SECRET * 900}],
        (1, 2, Card(password=SECRET * 900)),
    ],
)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_no_cut_shows_the_only_secret_of_a_value(value: Any, protocol: int) -> None:
    stored = base64.b64encode(pickle.dumps(value, protocol)).decode()
    for length in range(20, 4_000, 97):
        node = read(stored[:length], "py_pickle", is_cut=True)
        for shown in (RULES.apply(node), RULES.apply(read(stored[:length], "py_pickle"))):
            assert SECRET not in outline(shown, 10_000), length
            assert SECRET not in inline(shown, 10_000), length


def test_what_was_read_of_a_cut_value_lies_where_it_belongs() -> None:
    stored = pickled({"rows": [f"row {number}" for number in range(900)]})
    cut = read(stored[:2_001], "py_pickle", is_cut=True)
    assert isinstance(cut, Truncated)
    assert isinstance(cut.node, Mapping)
    [(key, rows)] = cut.node.items
    assert isinstance(rows, Sequence)
    assert (key, rows.items[0]) == (Scalar("str", "rows"), Scalar("str", "row 0"))


@pytest.mark.parametrize("length", range(60, 300, 17))
def test_a_secret_that_is_cut_is_not_shown(length: int) -> None:
    stored = pickled({"title": "x", "password": SECRET * 4_000, "note": "y"})
    cut = outline(RULES.apply(read(stored[:length], "py_pickle", is_cut=True)), 10_000)
    assert SECRET not in cut
    assert "title" in cut
