"""A workflow's messages and stream values, complete with their payloads."""

from __future__ import annotations

from typing import Any

from dboshub.workflows.storage.sql import Session, Statement

MESSAGES = Statement(
    """
    SELECT message_uuid, topic, created_at_epoch_ms, consumed, consumed_by_function_id, message,
        serialization
    FROM {notifications}
    WHERE destination_uuid = :workflow_id
    ORDER BY created_at_epoch_ms, message_uuid
    LIMIT :limit
    """
)
STREAMED = Statement(
    """
    SELECT key, "offset", function_id, value, serialization
    FROM {streams}
    WHERE workflow_uuid = :workflow_id AND "offset" >= :start
    ORDER BY key, "offset"
    LIMIT :limit
    """
)
STREAMED_BY_KEY = Statement(
    """
    SELECT key, "offset", function_id, value, serialization
    FROM {streams}
    WHERE workflow_uuid = :workflow_id AND key = :key AND "offset" >= :start
    ORDER BY "offset"
    LIMIT :limit
    """
)


def messages(session: Session, workflow_id: str, *, limit: int) -> list[tuple[Any, ...]]:
    """The messages to a workflow, consumed ones included, oldest first."""
    return session.all(MESSAGES, workflow_id=workflow_id, limit=limit)


def streamed(
    session: Session, workflow_id: str, *, key: str | None, start: int, limit: int
) -> list[tuple[Any, ...]]:
    """Values of all streams or of one, from an offset on, with the end marker of a closed one."""
    given: dict[str, Any] = {"workflow_id": workflow_id, "start": start, "limit": limit}
    if key is None:
        return session.all(STREAMED, **given)
    return session.all(STREAMED_BY_KEY, **given, key=key)
