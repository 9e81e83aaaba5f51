"""The same program, run by both libraries, leaves the same records."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.interop.conftest import Run
from tests.interop.executors import OURS, THEIRS

STEPS = """
    SELECT function_id, function_name, error IS NOT NULL, child_workflow_id, serialization
    FROM {operation_outputs}
    WHERE workflow_uuid = :id
    ORDER BY function_id
"""
NUMBERS = """
    SELECT function_id, function_name
    FROM {operation_outputs}
    WHERE workflow_uuid = :id
    ORDER BY function_id
"""
STATUS = """
    SELECT status, name, class_name, config_name, queue_name, recovery_attempts, priority,
        serialization, application_version, application_name, owner_xid, deduplication_id,
        parent_workflow_id, authenticated_user, authenticated_roles, workflow_timeout_ms,
        output, error, inputs, application_id, forked_from
    FROM {workflow_status}
    WHERE workflow_uuid = :id
"""
FAMILY = """
    SELECT workflow_uuid, status, name, queue_name, recovery_attempts, forked_from,
        parent_workflow_id, deduplication_id IS NULL
    FROM {workflow_status}
    WHERE workflow_uuid LIKE :id || '-%'
    ORDER BY workflow_uuid
"""
COMMUNICATION = (
    "SELECT key, serialization FROM {workflow_events} WHERE workflow_uuid = :id ORDER BY key",
    "SELECT function_id, key, serialization FROM {workflow_events_history}"
    " WHERE workflow_uuid = :id ORDER BY function_id",
    'SELECT key, "offset", function_id, serialization FROM {streams}'
    ' WHERE workflow_uuid = :id ORDER BY key, "offset"',
    "SELECT topic, consumed, consumed_by_function_id, serialization FROM {notifications}"
    " WHERE destination_uuid = :id ORDER BY consumed_by_function_id, topic",
)
Ask = Callable[..., list[tuple[Any, ...]]]


def record(ask: Ask, question: str, workflow_id: str) -> list[tuple[Any, ...]]:
    """Rows with the workflow's own id left out of them."""
    return [
        tuple(each.replace(workflow_id, "ID") if isinstance(each, str) else each for each in row)
        for row in ask(question, id=workflow_id)
    ]


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_refused_calls_take_the_same_numbers(run: Run, ask: Ask) -> None:
    for library in (THEIRS, OURS):
        executor = run(library, name="story", executor_id="local")
        executor.do("start", "every_refused_call", f"by-{library}")
        assert executor.do("result", f"by-{library}") == "done"
        executor.stop()
    assert record(ask, NUMBERS, f"by-{OURS}") == record(ask, NUMBERS, f"by-{THEIRS}")


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
@pytest.mark.parametrize("story", ["every_refused_async_call", "every_call_beside_a_step"])
def test_awaited_calls_take_the_same_numbers(run: Run, ask: Ask, story: str) -> None:
    def numbers(library: str, workflow_id: str) -> list[tuple[Any, ...]]:
        executor = run(library, name="story", executor_id="local")
        assert executor.do("call", story, workflow_id) == "done"
        executor.stop()
        return record(ask, NUMBERS, workflow_id)

    ours = numbers(OURS, f"by-{OURS}")
    # A thread of the dbos library draws some numbers, and seldom before what the loop begins.
    theirs: list[list[tuple[Any, ...]]] = []
    while ours not in theirs and len(theirs) < 5:
        theirs.append(numbers(THEIRS, f"by-{THEIRS}-{len(theirs)}"))
    assert ours in theirs


def test_every_call_takes_the_same_numbers_and_names(run: Run, ask: Ask) -> None:
    for library in (THEIRS, OURS):
        executor = run(library, name="story", executor_id="local")
        executor.do("start", "every_call", f"by-{library}")
        assert executor.do("result", f"by-{library}") == "done"
        executor.stop()
    for question in (STEPS, STATUS, FAMILY, *COMMUNICATION):
        assert record(ask, question, f"by-{OURS}") == record(ask, question, f"by-{THEIRS}")
    names = {name for _, name, *_ in record(ask, STEPS, f"by-{OURS}")}
    assert len(names) > 30


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
@pytest.mark.parametrize("story", ["every_async_call", "every_late_call"])
def test_every_awaited_call_takes_the_same_numbers_and_names(
    run: Run, ask: Ask, story: str
) -> None:
    for library in (THEIRS, OURS):
        executor = run(library, name="story", executor_id="local")
        assert executor.do("call", story, f"by-{library}") == "done"
        executor.stop()
    for question in (STEPS, STATUS, *COMMUNICATION):
        assert record(ask, question, f"by-{OURS}") == record(ask, question, f"by-{THEIRS}")
