"""What workflows wait for: messages, events, stream values; one by one, and many at once."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from dboshub.workflows.storage.sql import Session, Statement

# Pairs and triples travel as JSON, which both databases take apart and match to their indexes.
_GIVEN = """
    WITH given AS (
        SELECT value ->> 0 AS workflow_uuid, value ->> 1 AS name
        FROM json_array_elements(CAST(:keys AS json))
    )
"""
_GIVEN_SQLITE = """
    WITH given AS (
        SELECT value ->> 0 AS workflow_uuid, value ->> 1 AS name, value ->> 2 AS place
        FROM json_each(:keys)
    )
"""
_MESSAGES = """
    SELECT given.workflow_uuid, given.name
    FROM given
    WHERE EXISTS (
        SELECT 1
        FROM {notifications} AS n
        WHERE n.destination_uuid = given.workflow_uuid
            AND n.topic = given.name
            AND n.consumed = FALSE
    )
"""
_EVENTS = """
    SELECT given.workflow_uuid, given.name
    FROM given
    JOIN {workflow_events} AS e ON e.workflow_uuid = given.workflow_uuid AND e.key = given.name
"""
_STREAMS = """
    SELECT given.workflow_uuid, given.name, given.place
    FROM given
    JOIN {streams} AS s
        ON s.workflow_uuid = given.workflow_uuid
        AND s.key = given.name
        AND s."offset" = given.place
"""
_GIVEN_PLACES = """
    WITH given AS (
        SELECT value ->> 0 AS workflow_uuid, value ->> 1 AS name,
            CAST(value ->> 2 AS bigint) AS place
        FROM json_array_elements(CAST(:keys AS json))
    )
"""
MESSAGES = Statement(postgres=_GIVEN + _MESSAGES, sqlite=_GIVEN_SQLITE + _MESSAGES)
EVENTS = Statement(postgres=_GIVEN + _EVENTS, sqlite=_GIVEN_SQLITE + _EVENTS)
STREAMS = Statement(postgres=_GIVEN_PLACES + _STREAMS, sqlite=_GIVEN_SQLITE + _STREAMS)

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


def among(session: Session, statement: Statement, keys: Iterable[tuple[Any, ...]]) -> list[Any]:
    """Which of the keys are there, by one of the statements above."""
    return session.all(statement, keys=json.dumps([*keys]))


def event(session: Session, workflow_id: str, key: str) -> tuple[str, str | None] | None:
    """Value and serialization of an event."""
    row = session.one(EVENT, workflow_id=workflow_id, key=key)
    return None if row is None else (row[0], row[1])
