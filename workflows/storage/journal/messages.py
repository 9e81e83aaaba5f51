"""Sending and consuming messages under the fence of the workflow that does it."""

from __future__ import annotations

from dataclasses import replace

from dboshub.workflows.engine.journal.writes import (
    DONE,
    NOTHING,
    REFUSED,
    Answer,
    BulkSendWrite,
    ConsumeWrite,
    SendWrite,
    Verdict,
)
from dboshub.workflows.storage.journal.checkpoints import owns, record, recorded_before
from dboshub.workflows.storage.journal.insert_message import DESTINATION, NULL_TOPIC, send
from dboshub.workflows.storage.sql import Session, Statement

OLDEST_MESSAGE = Statement(
    """
    SELECT message_uuid, message, serialization
    FROM {notifications}
    WHERE destination_uuid = :workflow_id AND topic = :topic AND consumed = FALSE
    ORDER BY created_at_epoch_ms, message_uuid
    LIMIT 1
    """
)

CONSUME = Statement(
    """
    UPDATE {notifications}
    SET consumed = TRUE, consumed_by_function_id = :function_id
    WHERE message_uuid = :message_uuid
    """
)

RECORDED_OUTPUT = Statement(
    """
    SELECT output, serialization
    FROM {operation_outputs}
    WHERE workflow_uuid = :workflow_id AND function_id = :function_id
    """
)


def send_message(session: Session, write: SendWrite, now: int) -> Answer:
    step = write.step
    if step is not None and not owns(session, step.workflow_id, step.owner):
        return REFUSED
    if not _send(session, write, now):
        return NOTHING
    if step is not None and not record(session, step, now):
        return recorded_before(session, step)
    return DONE


def send_messages(session: Session, write: BulkSendWrite, now: int) -> Answer:
    """Send all or none: every destination is looked for before the first message is stored."""
    step = write.step
    if step is not None and not owns(session, step.workflow_id, step.owner):
        return REFUSED
    for destination in dict.fromkeys(each.destination for each in write.sends):
        if session.one(DESTINATION, destination=destination) is None:
            return Answer(Verdict.NOTHING, missing=destination)
    for each in (*write.sends, *write.copies):
        _send(session, each, now)
    if step is not None and not record(session, step, now):
        return recorded_before(session, step)
    return DONE


def _send(session: Session, write: SendWrite, now: int) -> bool:
    return send(
        session,
        write.destination,
        message_uuid=write.message_uuid,
        topic=write.topic,
        message=write.message,
        serialization=write.serialization,
        now=now,
    )


def consume_message(session: Session, write: ConsumeWrite, now: int) -> Answer:
    """Look for the checkpoint first: after a lost reply the message is already consumed."""
    step = write.step
    at = {"workflow_id": step.workflow_id, "function_id": step.function_id}
    if not owns(session, step.workflow_id, step.owner):
        return REFUSED
    recorded = session.one(RECORDED_OUTPUT, **at)
    if recorded is not None:
        return Answer(Verdict.DONE, received=(recorded[0], recorded[1]))
    topic = NULL_TOPIC if write.topic is None else write.topic
    message = session.one(OLDEST_MESSAGE, workflow_id=step.workflow_id, topic=topic)
    if message is None:
        if write.is_last_try:
            record(session, step, now)
        return NOTHING
    uuid, text, serialization = message
    session.run(CONSUME, message_uuid=uuid, function_id=step.function_id)
    record(session, replace(step, output=text, serialization=serialization), now)
    return Answer(Verdict.DONE, received=(text, serialization))
