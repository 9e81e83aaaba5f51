"""What the live watcher asks each tick: by primary key, or the newest end of an index.

Every statement serves all viewers at once. Values are read to tell whether they changed; only
those of streams leave this module, and those up to a size.
"""

from __future__ import annotations

from collections.abc import Iterable

from dboshub.workflows.storage.control.cancel import chunks
from dboshub.workflows.storage.sql import Row, Session, Statement

# Ids in one statement.
MAX_IDS = 2_000

Stream = tuple[str, str]


def _by_ids(select: str, column: str = "workflow_uuid", rest: str = "") -> Statement:
    return Statement(
        postgres=f"{select} WHERE {column} = ANY(:ids) {rest}",
        sqlite=f"{select} WHERE {column} IN (SELECT value FROM json_each(:ids)) {rest}",
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
# Which children of those with very many is left to the index: sorting would read them all.
_CHILD = (
    "SELECT parent_workflow_id, workflow_uuid, status, started_at_epoch_ms, completed_at"
    " FROM {workflow_status}"
)
CHILDREN = Statement(
    # Not `=`: an equality makes the ORDER BY void, and the planner free to scan the table.
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
# One backward look into the primary key for each stream, however long it is.
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
_VALUES = (
    'SELECT "offset", CASE WHEN {size} <= :most THEN value END, {size}, serialization'
    " FROM {{streams}}"
    ' WHERE workflow_uuid = :id AND key = :key AND "offset" >= :start AND "offset" < :stop'
    ' ORDER BY "offset"'
)
# On PostgreSQL the one length that does not unpack the value.
STREAM_VALUES = Statement(
    postgres=_VALUES.format(size="octet_length(value)"), sqlite=_VALUES.format(size="length(value)")
)


def grouped(session: Session, statement: Statement, ids: Iterable[str]) -> dict[str, list[Row]]:
    """A statement's rows without their first column, which is the id they belong to."""
    found: dict[str, list[Row]] = {}
    for chunk in chunks([*dict.fromkeys(ids)], MAX_IDS):
        for owner, *rest in session.all(statement, ids=session.ids(chunk)):
            found.setdefault(owner, []).append(tuple(rest))
    return found


def stream_ends(session: Session, streams: set[Stream]) -> dict[Stream, int]:
    """The offset the next value of each stream will have, by ``(workflow id, key)``."""
    asked = sorted(streams)
    ids, keys = [id for id, _ in asked], [key for _, key in asked]
    found = session.all(STREAM_ENDS, ids=session.ids(ids), keys=session.ids(keys))
    return {(id, key): 0 if last is None else int(last) + 1 for id, key, last in found}


def stream_values(
    session: Session, workflow_id: str, key: str, *, start: int, stop: int, most: int
) -> list[Row]:
    """``(offset, value or None if larger than most, size, serialization)`` in order."""
    return session.all(STREAM_VALUES, id=workflow_id, key=key, start=start, stop=stop, most=most)
