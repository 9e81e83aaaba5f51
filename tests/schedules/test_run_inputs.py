"""Contexts are read as inert trees: plain data is accepted, and nothing is unpickled."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dboshub.schedules.engine.records import Schedule
from dboshub.schedules.run_inputs import PlainCodec, takes_two_times
from dboshub.workflows.payloads import read
from dboshub.workflows.payloads.encode import NotPlainError
from tests.support.runs import pickled

NOON = datetime(2027, 1, 1, 12, tzinfo=UTC)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text("aé🐒 \n'\\"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("kä"), inner, max_size=4),
    max_leaves=12,
)


class Evil:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def schedule(**columns: Any) -> Schedule:
    given = {
        "schedule_id": "1",
        "schedule_name": "beat",
        "workflow_name": "beat",
        "schedule": "* * * * *",
        "context": pickled(None),
    }
    return Schedule(**given | columns)


@settings(max_examples=100, deadline=None)
@given(JSON)
def test_plain_data_comes_back_as_unpickling_would_give_it(value: Any) -> None:
    assert PlainCodec().decode(pickled(value), None) == value


@pytest.mark.parametrize("value", [NOON, (1, 2), {1: 2}, {"a": {3}}, "\ud800", b"x", float, [NOON]])
def test_anything_else_is_refused(value: Any) -> None:
    with pytest.raises(NotPlainError):
        PlainCodec().decode(pickled(value), None)


def test_a_malicious_context_does_nothing(tmp_path: Path) -> None:
    path = tmp_path / "pwned"
    for value in (Evil(path), [Evil(path)], {"a": Evil(path)}):
        with pytest.raises(NotPlainError):
            PlainCodec().decode(pickled(value), None)
    assert not path.exists()


@pytest.mark.parametrize("text", ["", "gA", "gASV!!", "null", "{", pickled("x" * 2_000_000)])
def test_what_cannot_be_read_whole_is_refused(text: str) -> None:
    if text == "null":
        assert PlainCodec().decode(text, None) is None
        return
    with pytest.raises(NotPlainError):
        PlainCodec().decode(text, None)


def test_what_a_run_was_given_says_whether_it_takes_two_times() -> None:
    two = read(pickled({"args": (NOON, NOON), "kwargs": {}}), None)
    one = read(pickled({"args": (NOON, None), "kwargs": {}}), None)
    assert takes_two_times(schedule(cron_timezone="Europe/Berlin"), two)
    assert not takes_two_times(schedule(), one)


def test_without_a_run_what_the_decorator_makes_takes_two_times() -> None:
    assert takes_two_times(schedule(), None)
    assert not takes_two_times(schedule(workflow_name="other"), None)
    assert not takes_two_times(schedule(context=pickled({"a": 1})), None)
    assert not takes_two_times(schedule(queue_name="mail"), None)
