"""Where a text occurs within stored values: what is found, and that no value is passed over."""

from __future__ import annotations

import base64
import datetime as dt
import decimal
import json
import pickle
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dboshub.workflows.payloads.occurrences import Sought
from dboshub.workflows.payloads.paths import leaves, read_path, value_at, write_path
from dboshub.workflows.payloads.redacted import readable
from dboshub.workflows.payloads.tree import Scalar

KEY = uuid.UUID("8c5f1c0e-9003-4b6e-8d0b-1d0b2f9c7a11")


def pickled(value: Any) -> str:
    return base64.b64encode(pickle.dumps(value)).decode()


def place(text: str, value: Any, serialization: str = "py_pickle") -> str | None:
    stored = pickled(value) if serialization == "py_pickle" else json.dumps(value)
    found = Sought.of(text).find(stored, serialization, longest=8_192)
    return None if found is None else write_path(found.path)


@pytest.mark.parametrize("serialization", ["py_pickle", "portable_json"])
def test_a_value_is_found_with_its_path(serialization: str) -> None:
    order = {"customer": "Ada Lövelace", "lines": [{"sku": "b-1"}, {"sku": "B-90031"}], "id": 9003}
    arguments = {"args": ["first"], "kwargs": {"order": order}}
    for text, path in (
        ("9003", "order.id"),
        ("b-90031", "order.lines[1].sku"),
        ("ada löve", "order.customer"),
        ("FIRST", "[0]"),
        ("900", "order.lines[1].sku"),
        ("customer", None),
    ):
        assert place(text, arguments, serialization) == path, text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("8c5f1c0e-9003", KEY),
        ("2026-01-31", dt.datetime(2026, 1, 31, 13, 0)),
        ("19.90", decimal.Decimal("19.90")),
        ("no box", ValueError("there is no box")),
        ("valueerror", ValueError("there is no box")),
        ("-1", -1),
        ("0", 0),
        ("300000000000", 300_000_000_000),
        ("2.5", 2.5),
    ],
)
def test_a_value_that_bytes_do_not_spell_is_found(text: str, value: Any) -> None:
    assert place(text, {"a": value}) is not None


def test_numbers_are_found_whole() -> None:
    assert place("9003", {"a": 90031}) is None
    assert place("9003", {"a": "90031"}) == "a"


def test_a_redacted_value_is_never_found(settings: Any) -> None:
    secret = {"api_token": "tok-9003", "headers": [["authorization", "tok-9003"]]}
    for serialization in ("py_pickle", "portable_json"):
        settings.DBOSHUB_REDACT = ("none",)
        assert place("tok-9003", secret, serialization) == "api_token"
        settings.DBOSHUB_REDACT = ("*token", "authorization")
        assert place("tok-9003", secret, serialization) is None


def test_an_excerpt_is_cut_around_the_text() -> None:
    found = Sought.of("9003").find(pickled("x" * 500 + "9003" + "y" * 500), None, longest=8_192)
    assert found is not None
    assert found.excerpt.startswith("…")
    assert "9003" in found.excerpt
    assert len(found.excerpt) <= 80


def test_a_value_is_searched_up_to_the_limit() -> None:
    late = json.dumps({"a": "x" * 200, "b": "9003"})
    assert Sought.of("9003").find(late, "portable_json", longest=100) is None
    assert Sought.of("9003").find(late, "portable_json", longest=300) is not None


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(value=VALUES)
def test_every_leaf_is_found_by_its_own_text_and_path(value: Any) -> None:
    for stored, kind in ((pickled(value), "py_pickle"), (json.dumps(value), "portable_json")):
        node = readable(stored, kind)
        for path, leaf in leaves(node):
            text = leaf.text.strip() if isinstance(leaf, Scalar) else ""
            if not text or leaf.kind in ("none", "bool", "redacted"):  # type: ignore[union-attr]
                continue
            found = Sought.of(text).find(stored, kind, longest=100_000)
            assert found is not None, (text, path)
            assert value_at(node, found.path) is not None


@pytest.mark.parametrize("text", ["order.lines[2].sku", "[0]", 'a["x y"].b', "", "größe.b-c"])
def test_a_path_is_written_as_it_is_read(text: str) -> None:
    path = read_path(text)
    assert path is not None
    assert write_path(path) == text


@pytest.mark.parametrize("text", ["..", "a b", "[x]", "a[", "a.[-1]"])
def test_what_is_no_path_is_none(text: str) -> None:
    assert read_path(text) is None
