"""Apply one write by one statement, where nothing stands in its way. PostgreSQL only.

It takes one round trip where a transaction takes six. A statement returns a row only if it wrote
all that belongs to its write. Without one it wrote nothing: the row is locked or has another owner,
the write is a repetition, or what it needs is missing. Then `single` applies it, and says which.
"""

from __future__ import annotations

from typing import Any

from dboshub.workflows.engine.journal.writes import (
    EventWrite,
    OutcomeWrite,
    SendWrite,
    StartWrite,
    StepWrite,
    StreamWrite,
    Write,
)
from dboshub.workflows.engine.waiting.notices import NULL_TOPIC
from dboshub.workflows.storage.journal import postgres_plain as plain
from dboshub.workflows.storage.journal.step_columns import STEP_COLUMNS, STEP_PARAMETERS, step_row
from dboshub.workflows.storage.sql import Statement

Found = tuple[Statement, dict[str, Any]]

_FENCE = """
    fence AS MATERIALIZED (
        SELECT workflow_uuid
        FROM {workflow_status}
        WHERE workflow_uuid = :workflow_id AND owner_xid = :owner
        FOR NO KEY UPDATE SKIP LOCKED
    )
"""
_INSERT_STEP = f"INSERT INTO {{operation_outputs}} ({STEP_COLUMNS}) SELECT {STEP_PARAMETERS}"
_HAS_DESTINATION = "EXISTS (SELECT FROM {workflow_status} WHERE workflow_uuid = :destination)"


def _step(condition: str = "TRUE") -> str:
    """The fence, and the step of the write as the relation `step`."""
    return f"""
        {_FENCE},
        step AS (
            {_INSERT_STEP} FROM fence WHERE {condition}
            ON CONFLICT (workflow_uuid, function_id) DO NOTHING
            RETURNING workflow_uuid
        )
    """


def _event(source: str) -> str:
    """A new value of an event, for the row of the relation `source`."""
    return f"""
        event AS (
            INSERT INTO {{workflow_events}} (workflow_uuid, key, value, serialization)
            SELECT workflow_uuid, :key, :value, :value_serialization FROM {source}
            ON CONFLICT (workflow_uuid, key)
            DO UPDATE SET value = excluded.value, serialization = excluded.serialization
        )
        INSERT INTO {{workflow_events_history}} (
            workflow_uuid, function_id, key, value, serialization
        )
        SELECT workflow_uuid, :value_function_id, :key, :value, :value_serialization FROM {source}
        ON CONFLICT (workflow_uuid, function_id, key)
        DO UPDATE SET value = excluded.value, serialization = excluded.serialization
        RETURNING workflow_uuid
    """


def _message(source: str) -> str:
    """A message, for each row of `source`."""
    return f"""
        INSERT INTO {{notifications}} (
            message_uuid, destination_uuid, topic, message, created_at_epoch_ms, serialization
        )
        SELECT :message_uuid, :destination, :topic, :message, :now, :value_serialization
        FROM {source}
        ON CONFLICT (message_uuid) DO NOTHING
        RETURNING message_uuid
    """


# Of two writers of a stream only one passes the fence, so its offset is the next one; if it is not,
# because the snapshot is older than the fence, nothing is appended.
_APPEND = """
    INSERT INTO {streams} (workflow_uuid, key, value, "offset", function_id, serialization)
    SELECT
        workflow_uuid,
        :key,
        :value,
        COALESCE(
            (
                SELECT MAX("offset") + 1
                FROM {streams}
                WHERE workflow_uuid = :workflow_id AND key = :key
            ),
            0
        ),
        :value_function_id,
        :value_serialization
    FROM fence
    ON CONFLICT DO NOTHING
    RETURNING workflow_uuid
"""

EVENT = Statement(f"WITH {_FENCE}, {_event('fence')}")
EVENT_STEP = Statement(f"WITH {_step()}, {_event('step')}")
APPEND = Statement(f"WITH {_FENCE} {_APPEND}")
# A step that is recorded already is an error here, and so nothing is appended.
APPEND_STEP = Statement(
    f"WITH {_FENCE}, appended AS ({_APPEND}) {_INSERT_STEP} FROM appended RETURNING workflow_uuid"
)
SEND = Statement(_message("{workflow_status} WHERE workflow_uuid = :destination"))
SEND_WITHIN_STEP = Statement(f"WITH {_FENCE} {_message(f'fence WHERE {_HAS_DESTINATION}')}")
SEND_STEP = Statement(f"WITH {_step(_HAS_DESTINATION)} {_message('step')}")


def statement_of(write: Write, now: int) -> Found | None:
    """The one statement that applies a write, with its parameters; None if it takes several."""
    match write:
        case StepWrite():
            return plain.STEP, step_row(write) | {"now": now}
        case OutcomeWrite():
            return plain.OUTCOME, plain.outcome_parameters(write)
        case StartWrite(parent=None):
            start = plain.START_CHOSEN if write.chosen_id else plain.START
            return start, plain.start_parameters(write) | {"now": now}
        case EventWrite(step=None):
            return EVENT, _value(write)
        case EventWrite(step=StepWrite() as step):
            return EVENT_STEP, _value(write) | step_row(step) | {"now": now}
        case StreamWrite(step=None):
            return APPEND, _value(write)
        case StreamWrite(step=StepWrite() as step):
            return APPEND_STEP, _value(write) | step_row(step) | {"now": now}
        case SendWrite():
            return _send(write, now)
    return None


def _value(write: EventWrite | StreamWrite) -> dict[str, Any]:
    return {
        "workflow_id": write.workflow_id,
        "owner": write.owner,
        "key": write.key,
        "value": write.value,
        "value_serialization": write.serialization,
        "value_function_id": write.function_id,
    }


def _send(write: SendWrite, now: int) -> Found:
    message = {
        "message_uuid": write.message_uuid,
        "destination": write.destination,
        "topic": NULL_TOPIC if write.topic is None else write.topic,
        "message": write.message,
        "value_serialization": write.serialization,
        "now": now,
    }
    match write.by:
        case None:
            return SEND, message
        case StepWrite() as step:
            return SEND_STEP, message | step_row(step)
        case sender:
            owner = {"workflow_id": sender.workflow_id, "owner": sender.owner}
            return SEND_WITHIN_STEP, message | owner
