"""Send and consume messages; a workflow does so only while it owns its row."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from dboshub.workflows.engine.journal.writes import (
    DONE,
    NOTHING,
    REFUSED,
    Answer,
    BulkSendWrite,
    ConsumeWrite,
    Sender,
    SendWrite,
    StepWrite,
    Verdict,
    Write,
)
from dboshub.workflows.engine.waiting.notices import NULL_TOPIC
from dboshub.workflows.storage.id_lists import all_by_ids
from dboshub.workflows.storage.journal.checkpoints import compare_recorded, owns, record
from dboshub.workflows.storage.sql import Session, Statement

MAX_ROWS = 1_000  # of one statement

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

# Those whose destination does not exist are left out.
SEND_ALL = Statement(
    """
    INSERT INTO {notifications} (
        message_uuid, destination_uuid, topic, message, created_at_epoch_ms, serialization
    )
    SELECT m.message_uuid, s.workflow_uuid, m.topic, m.message, :now, m.serialization
    FROM json_to_recordset(CAST(:messages AS json)) AS m (
        message_uuid text, destination text, topic text, message text, serialization text
    )
    JOIN {workflow_status} AS s ON s.workflow_uuid = m.destination
    ON CONFLICT (message_uuid) DO NOTHING
    """
)

DESTINATION = Statement(
    "SELECT workflow_uuid FROM {workflow_status} WHERE workflow_uuid = :destination"
)

DESTINATIONS = Statement(
    "SELECT workflow_uuid FROM {workflow_status} WHERE workflow_uuid = ANY(:ids)"
)

OLDEST_MESSAGE = Statement(
    """
    SELECT message_uuid, message, serialization
    FROM {notifications}
    WHERE destination_uuid = :workflow_id AND topic = :topic AND consumed = FALSE
    ORDER BY created_at_epoch_ms, message_uuid
    LIMIT 1
    """
)

IS_ANSWERING = Statement("SELECT 1")
# PostgreSQL knows it without reading the message.
MESSAGE_SIZE = Statement(
    """
    SELECT octet_length(message)
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


def send(session: Session, write: SendWrite, now: int) -> bool:
    """Insert the message, once for each `message_uuid`; False if the workflow does not exist."""
    return bool(session.run(SEND, **_columns(write), now=now)) or _exists(
        session, write.destination
    )


def send_message(session: Session, write: SendWrite, now: int) -> Answer:
    """Send one message, and record the step that sends it."""
    if not _may_send(session, write.by):
        return REFUSED
    if not send(session, write, now):
        return NOTHING
    return _recorded(session, write.by, now)


def send_messages(session: Session, write: BulkSendWrite, now: int) -> Answer:
    """Send all messages or none: all destinations are looked up before the first insert."""
    if not _may_send(session, write.by):
        return REFUSED
    destinations = dict.fromkeys(each.destination for each in write.sends)
    found = {row[0] for row in all_by_ids(session, DESTINATIONS, destinations)}
    for destination in destinations:
        if destination not in found:
            return Answer(Verdict.NOTHING, missing=destination)
    _send_all(session, [*write.sends, *write.copies], now)
    return _recorded(session, write.by, now)


def _send_all(session: Session, sends: Sequence[SendWrite], now: int) -> None:
    """Insert messages, on PostgreSQL by one statement for MAX_ROWS of them."""
    if session.vendor == "sqlite":
        for each in sends:
            session.run(SEND, **_columns(each), now=now)
        return
    for start in range(0, len(sends), MAX_ROWS):
        messages = json.dumps([_columns(each) for each in sends[start : start + MAX_ROWS]])
        session.run(SEND_ALL, messages=messages, now=now)


def _columns(write: SendWrite) -> dict[str, str | None]:
    return {
        "destination": write.destination,
        "message_uuid": write.message_uuid,
        "topic": NULL_TOPIC if write.topic is None else write.topic,
        "message": write.message,
        "serialization": write.serialization,
    }


def consume_message(session: Session, write: ConsumeWrite, now: int) -> Answer:
    """Consume the oldest message of a topic and record it as the step's output.

    The checkpoint is read first: after a lost reply the message is already consumed.
    """
    step = write.step
    at = {"workflow_id": step.workflow_id, "function_id": step.function_id}
    if not owns(session, step.workflow_id, step.owner):
        return REFUSED
    recorded = session.one(RECORDED_OUTPUT, **at)
    if recorded is not None:
        return Answer(Verdict.DONE, received=(recorded[0], recorded[1]))
    message = session.one(OLDEST_MESSAGE, **_waiting(write))
    if message is None:
        if write.is_last_try:
            record(session, step, now)
        return NOTHING
    uuid, text, serialization = message
    session.run(CONSUME, message_uuid=uuid, function_id=step.function_id)
    record(session, replace(step, output=text, serialization=serialization), now)
    return Answer(Verdict.DONE, received=(text, serialization))


def largest_value(session: Session, writes: Sequence[Write]) -> int:
    """The size of the largest value that these writes bring, or would consume."""
    consumed = [each for each in writes if isinstance(each, ConsumeWrite)]
    sizes = [session.one(MESSAGE_SIZE, **_waiting(each)) for each in consumed]
    if not consumed:
        session.one(IS_ANSWERING)
    return max([each.size for each in writes] + [row[0] or 0 for row in sizes if row])


def _waiting(write: ConsumeWrite) -> dict[str, str]:
    topic = NULL_TOPIC if write.topic is None else write.topic
    return {"workflow_id": write.workflow_id, "topic": topic}


def _may_send(session: Session, by: StepWrite | Sender | None) -> bool:
    return by is None or owns(session, by.workflow_id, by.owner)


def _recorded(session: Session, by: StepWrite | Sender | None, now: int) -> Answer:
    if isinstance(by, StepWrite) and not record(session, by, now):
        return compare_recorded(session, by)
    return DONE


def _exists(session: Session, destination: str) -> bool:
    return session.one(DESTINATION, destination=destination) is not None
