"""Messages, events and stream values that workflows wait for: for many waiters at once, and alone.

The keys of many waiters travel as one JSON list, whose elements are matched by index lookups.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from dboshub.workflows.storage.sql import Session, Statement


def _by_keys(text: str) -> Statement:
    """A statement that reads the waiters' keys as the table `waited`."""
    columns = "value ->> 0 AS workflow_uuid, value ->> 1 AS name"
    offset = "CAST(value ->> 2 AS bigint) AS place"
    return Statement(
        postgres=f"WITH waited AS (SELECT {columns}, {offset}"
        f" FROM json_array_elements(CAST(:keys AS json))) {text}",
        sqlite=f"WITH waited AS (SELECT {columns}, {offset} FROM json_each(:keys)) {text}",
    )


MESSAGES = _by_keys("""
    SELECT waited.workflow_uuid, waited.name
    FROM waited
    WHERE EXISTS (
        SELECT 1
        FROM {notifications} AS n
        WHERE n.destination_uuid = waited.workflow_uuid
            AND n.topic = waited.name
            AND n.consumed = FALSE
    )
""")
EVENTS = _by_keys("""
    SELECT waited.workflow_uuid, waited.name
    FROM waited
    JOIN {workflow_events} AS e ON e.workflow_uuid = waited.workflow_uuid AND e.key = waited.name
""")
STREAMS = _by_keys("""
    SELECT waited.workflow_uuid, waited.name, waited.place
    FROM waited
    JOIN {streams} AS s
        ON s.workflow_uuid = waited.workflow_uuid
        AND s.key = waited.name
        AND s."offset" = waited.place
""")

EVENT = Statement(
    """
    SELECT value, serialization
    FROM {workflow_events}
    WHERE workflow_uuid = :workflow_id AND key = :key
    """
)
ALL_EVENTS = Statement(
    """
    SELECT key, value, serialization
    FROM {workflow_events}
    WHERE workflow_uuid = :workflow_id
    ORDER BY key
    """
)
STREAM = Statement(
    """
    SELECT "offset", value, serialization
    FROM {streams}
    WHERE workflow_uuid = :workflow_id AND key = :key AND "offset" >= :offset
    ORDER BY "offset"
    LIMIT :limit
    """
)
STREAM_END = Statement(
    """
    SELECT value, serialization
    FROM {streams}
    WHERE workflow_uuid = :workflow_id AND key = :key
    ORDER BY "offset" DESC
    LIMIT 1
    """
)


def messages_among(session: Session, keys: Iterable[tuple[str, str]]) -> list[Any]:
    """The (workflow id, topic) pairs for which an unconsumed message exists."""
    return _present(session, MESSAGES, keys)


def events_among(session: Session, keys: Iterable[tuple[str, str]]) -> list[Any]:
    """The (workflow id, key) pairs for which an event exists."""
    return _present(session, EVENTS, keys)


def streams_among(session: Session, keys: Iterable[tuple[str, str, int]]) -> list[Any]:
    """The (workflow id, key, offset) triples for which a stream value exists."""
    return _present(session, STREAMS, keys)


def event(session: Session, workflow_id: str, key: str) -> tuple[str, str | None] | None:
    """Value and serialization of an event, or None."""
    row = session.one(EVENT, workflow_id=workflow_id, key=key)
    return None if row is None else (row[0], row[1])


def events(session: Session, workflow_id: str) -> list[Any]:
    """Key, value and serialization of each event of a workflow, by key."""
    return session.all(ALL_EVENTS, workflow_id=workflow_id)


def stream(session: Session, workflow_id: str, key: str, *, offset: int, limit: int) -> list[Any]:
    """Offset, value and serialization of at most `limit` stream values from an offset on."""
    return session.all(STREAM, workflow_id=workflow_id, key=key, offset=offset, limit=limit)


def stream_end(session: Session, workflow_id: str, key: str) -> Any:
    """Value and serialization of a stream's last value, or None."""
    return session.one(STREAM_END, workflow_id=workflow_id, key=key)


def _present(session: Session, statement: Statement, keys: Iterable[tuple[Any, ...]]) -> list[Any]:
    return session.all(statement, keys=json.dumps([*keys]))
