"""Statements of the live watcher: by primary key, or at the newest end of an index.

Each statement reads for all viewers at once. Values are read only to compare them, except those of
streams, which are returned up to a size.
"""

from __future__ import annotations

from collections.abc import Iterable

from dboshub.workflows.storage.id_lists import id_chunks
from dboshub.workflows.storage.sql import Row, Session, Statement

MAX_IDS = 2_000  # in one statement

Stream = tuple[str, str]


# Attributes can change without a change of any other column.
ATTRIBUTES = Statement(
    "SELECT workflow_uuid, attributes FROM {workflow_status} WHERE workflow_uuid = ANY(:ids)"
)
# Steps are inserted, or deleted from a step id on and inserted again: either changes the count, the
# last id or the last time of recording.
STEPS = Statement("""
    SELECT workflow_uuid, count(*), max(function_id), max(retention_timestamp)
    FROM {operation_outputs}
    WHERE workflow_uuid = ANY(:ids)
    GROUP BY workflow_uuid
""")
# Of a parent with more children than the limit, the index decides which ones are read: to sort
# them all would read them all.
_CHILD = (
    "SELECT parent_workflow_id, workflow_uuid, status, started_at_epoch_ms, completed_at"
    " FROM {workflow_status}"
)
CHILDREN = Statement(
    # With `=` the planner drops the ORDER BY and may scan the table.
    postgres=f"""
        SELECT few.* FROM unnest(:ids::text[]) AS shown(id) CROSS JOIN LATERAL (
            {_CHILD} WHERE parent_workflow_id >= shown.id AND parent_workflow_id <= shown.id
            ORDER BY parent_workflow_id LIMIT 500
        ) AS few ORDER BY parent_workflow_id, workflow_uuid LIMIT 2000
    """,
    sqlite=f"""
        WITH few AS MATERIALIZED (
            {_CHILD} WHERE parent_workflow_id IN (SELECT value FROM json_each(:ids)) LIMIT 2000
        )
        SELECT * FROM few ORDER BY parent_workflow_id, workflow_uuid
    """,
)
# SQLite has no hash function, but its values are in this process's page cache.
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
HISTORY = Statement("""
    SELECT workflow_uuid, count(*), max(function_id)
    FROM {workflow_events_history}
    WHERE workflow_uuid = ANY(:ids)
    GROUP BY workflow_uuid
""")
MESSAGES = Statement("""
    SELECT destination_uuid, count(*), max(created_at_epoch_ms),
        sum(CASE WHEN consumed THEN 1 ELSE 0 END)
    FROM {notifications}
    WHERE destination_uuid = ANY(:ids)
    GROUP BY destination_uuid
""")
STREAM_KEYS = Statement("""
    SELECT workflow_uuid, key, max("offset")
    FROM {streams}
    WHERE workflow_uuid = ANY(:ids)
    GROUP BY workflow_uuid, key
    ORDER BY key
""")
# One backward search in the primary key for each stream, whatever its length.
STREAM_ENDS = Statement(
    postgres="""
        SELECT shown.id, shown.key, (
            SELECT max("offset") FROM {streams}
            WHERE workflow_uuid = shown.id AND key = shown.key
        )
        FROM unnest(:ids::text[], :keys::text[]) AS shown(id, key)
    """,
    sqlite="""
        SELECT ids.value, keys.value, (
            SELECT max("offset") FROM {streams}
            WHERE workflow_uuid = ids.value AND key = keys.value
        )
        FROM json_each(:ids) AS ids JOIN json_each(:keys) AS keys ON keys.key = ids.key
    """,
)
# On PostgreSQL octet_length() is the only length that does not decompress the value.
STREAM_VALUES = Statement("""
    SELECT "offset", CASE WHEN octet_length(value) <= :most THEN value END, octet_length(value),
        serialization
    FROM {streams}
    WHERE workflow_uuid = :id AND key = :key AND "offset" >= :start AND "offset" < :stop
    ORDER BY "offset"
""")


def grouped(session: Session, statement: Statement, ids: Iterable[str]) -> dict[str, list[Row]]:
    """A statement's rows by their first column, the workflow id, and without it."""
    found: dict[str, list[Row]] = {}
    for chunk in id_chunks(ids, MAX_IDS):
        for owner, *rest in session.all(statement, ids=session.ids(chunk)):
            found.setdefault(owner, []).append(tuple(rest))
    return found


def stream_ends(session: Session, streams: set[Stream]) -> dict[Stream, int]:
    """The offset of the next value of each stream, by ``(workflow id, key)``."""
    ordered = sorted(streams)
    ids, keys = [id for id, _ in ordered], [key for _, key in ordered]
    found = session.all(STREAM_ENDS, ids=session.ids(ids), keys=session.ids(keys))
    return {(id, key): 0 if last is None else int(last) + 1 for id, key, last in found}


def stream_values(
    session: Session, workflow_id: str, key: str, *, start: int, stop: int, most: int
) -> list[Row]:
    """``(offset, value, size, serialization)`` by offset; a value larger than `most` is None."""
    return session.all(STREAM_VALUES, id=workflow_id, key=key, start=start, stop=stop, most=most)
