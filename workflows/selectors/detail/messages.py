"""The messages to a workflow, and the steps that consumed them."""

from __future__ import annotations

from dataclasses import dataclass

from dboshub.workflows.engine.waiting.notices import NULL_TOPIC
from dboshub.workflows.selectors.detail.values import sized
from dboshub.workflows.storage.sql import Session

MAX_MESSAGES = 200
MAX_INLINE_SIZE = 4_096


@dataclass(frozen=True, slots=True)
class Message:
    """`text` is None if hidden or too large; `topic` None means the default topic."""

    message_uuid: str
    topic: str | None
    created_at: int
    is_consumed: bool
    consumed_by: int | None
    size: int
    serialization: str | None
    text: str | None


@dataclass(frozen=True, slots=True)
class Inbox:
    messages: tuple[Message, ...]
    is_cut: bool

    @property
    def waiting(self) -> int:
        return sum(not message.is_consumed for message in self.messages)


MESSAGES = sized(
    """
    SELECT message_uuid, topic, created_at_epoch_ms, consumed, consumed_by_function_id,
        SIZE(message), serialization,
        CASE WHEN :payload = 1 AND SIZE(message) <= :short THEN message END
    FROM {notifications}
    WHERE destination_uuid = :id
    ORDER BY created_at_epoch_ms DESC, message_uuid
    LIMIT :most
    """
)


def inbox(session: Session, workflow_id: str, *, payload: bool) -> Inbox:
    """The newest messages, newest first. Values are read only with `payload`."""
    found = session.all(
        MESSAGES, id=workflow_id, payload=int(payload), short=MAX_INLINE_SIZE, most=MAX_MESSAGES + 1
    )
    return Inbox(
        tuple(_message(*row) for row in found[:MAX_MESSAGES]), is_cut=len(found) > MAX_MESSAGES
    )


def _message(
    uuid: str, topic: str | None, created_at: int, consumed: object, *rest: object
) -> Message:
    return Message(
        uuid,
        None if topic in (None, NULL_TOPIC) else topic,
        created_at,
        bool(consumed),
        *rest,  # type: ignore[arg-type]  # the remaining columns, in the fields' order
    )
