"""Insert many workflows and record many steps in a few statements.

Only PostgreSQL gains by that: on SQLite a statement is no round trip.
"""

from __future__ import annotations

from collections.abc import Sequence

from dboshub.workflows.engine.journal.writes import CONFLICT, StartWrite, StepWrite
from dboshub.workflows.engine.records import Started
from dboshub.workflows.storage.journal.checkpoints import compare_recorded, record
from dboshub.workflows.storage.journal.insert_workflow import FOUND, existing, start
from dboshub.workflows.storage.journal.postgres_batch import (
    STARTS,
    STEPS,
    row_parameters,
    step_parameters,
)
from dboshub.workflows.storage.sql import Session, Statement

EXISTING_AMONG = Statement(
    f"SELECT workflow_uuid, {FOUND} FROM {{workflow_status}} WHERE workflow_uuid = ANY(:ids)"
)

DEDUPLICATED_AMONG = Statement(
    """
    SELECT queue_name, deduplication_id, workflow_uuid
    FROM {workflow_status}
    WHERE queue_name = ANY(:queues) AND deduplication_id = ANY(:ids)
    """
)


def insert_all(session: Session, starts: Sequence[StartWrite], now: int) -> list[Started]:
    """The result of each start. No two have one workflow id, or one deduplication id."""
    found: dict[str, Started] = {}
    if session.vendor == "postgresql":
        found = _inserted(session, starts, now)
        left = [each for each in starts if each.row.workflow_uuid not in found]
        if left:
            found |= _existing(session, left)
    # What prevented the rest was deleted meanwhile.
    return [
        found.get(each.row.workflow_uuid) or start(session, each.row, each.inputs)
        for each in starts
    ]


def record_all(session: Session, steps: Sequence[StepWrite], now: int) -> int | None:
    """Record checkpoints of one workflow; return a step that has another one, or None."""
    recorded: set[int] = set()
    if session.vendor == "postgresql" and len(steps) > 1:
        rows = session.all(STEPS, **step_parameters(steps), now=now)
        recorded = {function_id for *_, function_id in rows}
    for step in steps:
        if step.function_id in recorded or record(session, step, now):
            continue
        if compare_recorded(session, step) is CONFLICT:
            return step.function_id
    return None


def _inserted(session: Session, starts: Sequence[StartWrite], now: int) -> dict[str, Started]:
    rows = {each.row.workflow_uuid: each.row for each in starts}
    return {
        created: Started(
            created=True,
            status=rows[created].status,
            serialization=rows[created].serialization,
        )
        for _, created, _ in session.all(STARTS, **row_parameters(starts), now=now)
    }


def _existing(session: Session, starts: Sequence[StartWrite]) -> dict[str, Started]:
    """The workflow that prevents each start, by the id that it would have got."""
    rows = {each.row.workflow_uuid: each.row for each in starts}
    found = {
        workflow_id: existing(rows[workflow_id], tuple(values))
        for workflow_id, *values in session.all(EXISTING_AMONG, ids=session.ids(rows))
    }
    wanted = {
        (row.queue_name, row.deduplication_id): workflow_id
        for workflow_id, row in rows.items()
        if workflow_id not in found and row.deduplication_id is not None
    }
    if not wanted:
        return found
    queues, ids = ({key[part] for key in wanted} for part in (0, 1))
    for queue, deduplication_id, holder in session.all(
        DEDUPLICATED_AMONG, queues=session.ids(queues), ids=session.ids(ids)
    ):
        key = (queue, deduplication_id)
        if key in wanted:
            found[wanted[key]] = Started(created=False, deduplicated_by=holder)
    return found
