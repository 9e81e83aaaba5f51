"""Send a message to a workflow: one row, kept after it was consumed."""

from __future__ import annotations

from dboshub.workflows.storage.sql import Session, Statement

NULL_TOPIC = "__null__topic__"

SEND = Statement(
    """
    INSERT INTO {notifications} (
        message_uuid, destination_uuid, topic, message, created_at_epoch_ms, serialization
    )
    SELECT :message_uuid, workflow_uuid, :topic, :message, :now, :serialization
    FROM {workflow_status}
    WHERE workflow_uuid = :destination
    ON CONFLICT (message_uuid) DO NOTHING
    """
)

DESTINATION = Statement(
    "SELECT workflow_uuid FROM {workflow_status} WHERE workflow_uuid = :destination"
)


def send(
    session: Session,
    destination: str,
    *,
    message_uuid: str,
    topic: str | None,
    message: str,
    serialization: str | None,
    now: int,
) -> bool:
    """Store the message once per `message_uuid`; False when no such workflow exists."""
    inserted = session.run(
        SEND,
        destination=destination,
        message_uuid=message_uuid,
        topic=NULL_TOPIC if topic is None else topic,
        message=message,
        serialization=serialization,
        now=now,
    )
    if inserted:
        return True
    return session.one(DESTINATION, destination=destination) is not None
