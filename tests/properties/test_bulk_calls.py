"""A bulk call answers, records and leaves behind what as many single calls do."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dboshub import DBOSClient, WorkflowCall
from dboshub.workflows.engine.runtime import bulk_starting
from tests.client.conftest import alone, make_client
from tests.properties.profiles import long, quick

__all__ = ["alone", "make_client"]

numbers = itertools.count(1)
calls = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from("fg"), "value": st.sampled_from([1, object])},
        optional={
            "workflow_id": st.sampled_from("ab"),
            "workflow_id_reuse_policy": st.sampled_from(["return-existing", "reject"]),
            "deduplication_id": st.sampled_from("xy"),
            "duplication_policy": st.sampled_from(["return-existing", "reject", "wrong"]),
            "queue_partition_key": st.just("k"),
            "priority": st.sampled_from([1, 0]),
        },
    ),
    min_size=1,
    max_size=8,
)


class World:
    """One queue, and ids that no other one has, in a database that others share."""

    def __init__(self, client: DBOSClient) -> None:
        self._client = client
        self._queue = f"world{next(numbers)}"
        self._names: dict[str, str] = {}

    def singly(self, call: dict[str, Any]) -> str:
        options = self._options(call)
        options |= {"workflow_name": call["name"], "queue_name": self._queue}
        try:
            return self._named(self._client.enqueue(options, _value(call)))  # type: ignore[arg-type]
        except Exception as error:
            return type(error).__name__

    def in_bulk(self, calls: list[dict[str, Any]]) -> list[str]:
        given = [
            WorkflowCall(call["name"], _value(call)).options(**self._options(call))
            for call in calls
        ]
        answers = self._client.enqueue_workflows(self._queue, given)
        return [
            type(each).__name__ if isinstance(each, Exception) else self._named(each)
            for each in answers
        ]

    def rows(self) -> set[tuple[Any, ...]]:
        """What is left behind, but for ids that nobody chose."""
        found = self._client.list_workflows(queue_name=self._queue)
        return {
            (self._names[each.workflow_id], each.name, each.input and each.input["args"])
            for each in found
        }

    def _options(self, call: dict[str, Any]) -> dict[str, Any]:
        options = {key: value for key, value in call.items() if key not in ("name", "value")}
        if "workflow_id" in options:
            options["workflow_id"] += self._queue
        return options

    def _named(self, handle: Any) -> str:
        """The how manyth workflow it is that this world heard of."""
        return self._names.setdefault(handle.workflow_id, f"workflow {len(self._names)}")


def _value(call: dict[str, Any]) -> Any:
    """A value, or what no serializer takes."""
    return call["value"] if call["value"] == 1 else (each for each in "x")


def compare(client: DBOSClient, calls: list[dict[str, Any]], rows: int) -> None:
    singles, bulk = World(client), World(client)
    kept, bulk_starting.MAX_ROWS = bulk_starting.MAX_ROWS, rows
    try:
        assert bulk.in_bulk(calls) == [singles.singly(each) for each in calls]
    finally:
        bulk_starting.MAX_ROWS = kept
    assert bulk.rows() == singles.rows()


@quick(50)
@given(calls=calls, rows=st.sampled_from([2, 500]))
def test_a_bulk_call_is_like_single_calls(
    alone: DBOSClient, calls: list[dict[str, Any]], rows: int
) -> None:
    compare(alone, calls, rows)


@pytest.mark.crash
@pytest.mark.timeout(1800)
@long(2_000)
@given(calls=calls, rows=st.sampled_from([2, 500]))
def test_two_thousand_bulk_calls_are_like_single_calls(
    alone: DBOSClient, calls: list[dict[str, Any]], rows: int
) -> None:
    compare(alone, calls, rows)
