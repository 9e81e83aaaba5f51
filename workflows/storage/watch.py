"""What the live watcher asks each tick: by primary key, or the newest end of an index.

Every statement serves all viewers at once. Values are read to tell whether they changed; only
those of streams leave this module, and those up to a size.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from workflows.storage.cancel import chunks
from workflows.storage.sql import Row, Session, Statement

# All of a workflow's row but payloads (attributes, the legacy inputs, output and error) and
# the ownership tokens, which say nothing to people.
COLUMNS = (
    "workflow_uuid",
    "status",
    "name",
    "class_name",
    "config_name",
    "queue_name",
    "created_at",
    "updated_at",
    "started_at_epoch_ms",
    "completed_at",
    "delay_until_epoch_ms",
    "workflow_timeout_ms",
    "workflow_deadline_epoch_ms",
    "recovery_attempts",
    "priority",
    "deduplication_id",
    "queue_partition_key",
    "executor_id",
    "application_name",
    "application_version",
    "authenticated_user",
    "assumed_role",
    "parent_workflow_id",
    "forked_from",
    "was_forked_from",
    "schedule_name",
    "serialization",
)
_COLUMNS = ", ".join(COLUMNS)


def _by_ids(select: str, column: str = "workflow_uuid", rest: str = "") -> Statement:
    return Statement(
        postgres=f"{select} WHERE {column} = ANY(:ids) {rest}",
        sqlite=f"{select} WHERE {column} IN (SELECT value FROM json_each(:ids)) {rest}",
    )


NOW = Statement(
    postgres="SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::bigint",
    sqlite="SELECT CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)",
)
ROWS = _by_ids(f"SELECT {_COLUMNS} FROM {{workflow_status}}")
NEWEST = Statement(
    f"SELECT {_COLUMNS} FROM {{workflow_status}}"
    " WHERE created_at >= :since ORDER BY created_at DESC LIMIT :most"
)
# What a person sees of attributes changes without any other column changing.
ATTRIBUTES = _by_ids("SELECT workflow_uuid, attributes FROM {workflow_status}")
# Steps are only added, or deleted from some number on and then made again: count, last number
# and the database's own time of recording move whenever one of them does.
STEPS = _by_ids(
    "SELECT workflow_uuid, count(*), max(function_id), max(retention_timestamp)"
    " FROM {operation_outputs}",
    rest="GROUP BY workflow_uuid",
)
CHILDREN = _by_ids(
    "SELECT parent_workflow_id, workflow_uuid, status, started_at_epoch_ms, completed_at"
    " FROM {workflow_status}",
    column="parent_workflow_id",
    rest="ORDER BY parent_workflow_id, created_at DESC, workflow_uuid LIMIT 2000",
)
# SQLite has no hash function, but its values lie in this process's own page cache.
EVENTS = Statement(
    postgres="""
        SELECT workflow_uuid, key, md5(value)
        FROM {workflow_events}
        WHERE workflow_uuid = ANY(:ids)
        ORDER BY key
    """,
    sqlite="""
        SELECT workflow_uuid, key, value
        FROM {workflow_events}
        WHERE workflow_uuid IN (SELECT value FROM json_each(:ids))
        ORDER BY key
    """,
)
HISTORY = _by_ids(
    "SELECT workflow_uuid, count(*), max(function_id) FROM {workflow_events_history}",
    rest="GROUP BY workflow_uuid",
)
MESSAGES = _by_ids(
    "SELECT destination_uuid, count(*), max(created_at_epoch_ms),"
    " sum(CASE WHEN consumed THEN 1 ELSE 0 END) FROM {notifications}",
    column="destination_uuid",
    rest="GROUP BY destination_uuid",
)
STREAM_KEYS = _by_ids(
    'SELECT workflow_uuid, key, max("offset") FROM {streams}',
    rest="GROUP BY workflow_uuid, key ORDER BY key",
)
STREAM_END = Statement(
    'SELECT max("offset") FROM {streams} WHERE workflow_uuid = :id AND key = :key'
)
STREAM_VALUES = Statement(
    'SELECT "offset", CASE WHEN length(value) <= :size THEN value END, length(value),'
    ' serialization, function_id FROM {streams}'
    ' WHERE workflow_uuid = :id AND key = :key AND "offset" >= :start'
    ' ORDER BY "offset" LIMIT :most'
)


def now_ms(session: Session) -> int:
    """The database's clock."""
    row = session.one(NOW)
    assert row is not None
    return int(row[0])


def rows(session: Session, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The rows that exist, by id."""
    return {found["workflow_uuid"]: found for found in map(_named, _all(session, ROWS, ids))}


def newest(session: Session, *, since: int, most: int) -> list[dict[str, Any]]:
    """Rows created at or after a time, newest first."""
    return [_named(row) for row in session.all(NEWEST, since=since, most=most)]


def grouped(session: Session, statement: Statement, ids: Iterable[str]) -> dict[str, list[Row]]:
    """A statement's rows without their first column, which is the id they belong to."""
    found: dict[str, list[Row]] = {}
    for owner, *rest in _all(session, statement, ids):
        found.setdefault(owner, []).append(tuple(rest))
    return found


def stream_end(session: Session, workflow_id: str, key: str) -> int:
    """The offset the next value of a stream will have."""
    row = session.one(STREAM_END, id=workflow_id, key=key)
    return 0 if row is None or row[0] is None else int(row[0]) + 1


def stream_values(
    session: Session, workflow_id: str, key: str, *, start: int, most: int, size: int
) -> list[Row]:
    """``(offset, value or None if larger than size, length, serialization, step)`` in order."""
    return session.all(
        STREAM_VALUES, id=workflow_id, key=key, start=start, most=most, size=size
    )


def _all(session: Session, statement: Statement, ids: Iterable[str]) -> list[Row]:
    return [
        row
        for chunk in chunks([*dict.fromkeys(ids)], 2_000)
        for row in session.all(statement, ids=session.ids(chunk))
    ]


def _named(row: Row) -> dict[str, Any]:
    found = dict(zip(COLUMNS, row, strict=True))
    found["was_forked_from"] = bool(found["was_forked_from"])
    return found
