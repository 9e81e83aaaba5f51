"""Apply one write at a time, in statements that both databases execute.

SQLite applies the writes of a group one after the other. PostgreSQL does so on an isolated
connection, which waits for a locked row and returns why a write was refused. The caller owns the
transaction.
"""

from __future__ import annotations

from dboshub.workflows.engine.journal.writes import (
    DONE,
    REFUSED,
    Answer,
    BulkSendWrite,
    BulkStartWrite,
    ConsumeWrite,
    EventWrite,
    OutcomeWrite,
    SendWrite,
    StartWrite,
    StepWrite,
    StreamWrite,
    Write,
)
from dboshub.workflows.storage.fragments import is_still
from dboshub.workflows.storage.journal.checkpoints import (
    compare_recorded,
    owns,
    record,
    record_step,
)
from dboshub.workflows.storage.journal.messages import consume_message, send_message, send_messages
from dboshub.workflows.storage.journal.starts import start_many, start_one
from dboshub.workflows.storage.sql import Session, Statement

SET_EVENT = Statement(
    """
    INSERT INTO {workflow_events} (workflow_uuid, key, value, serialization)
    VALUES (:workflow_id, :key, :value, :serialization)
    ON CONFLICT (workflow_uuid, key)
    DO UPDATE SET value = excluded.value, serialization = excluded.serialization
    """
)

SET_HISTORY = Statement(
    """
    INSERT INTO {workflow_events_history} (workflow_uuid, function_id, key, value, serialization)
    VALUES (:workflow_id, :function_id, :key, :value, :serialization)
    ON CONFLICT (workflow_uuid, function_id, key)
    DO UPDATE SET value = excluded.value, serialization = excluded.serialization
    """
)

# It runs after FENCE as a second statement: on PostgreSQL its snapshot must be newer than the lock.
APPEND = Statement(
    """
    INSERT INTO {streams} (workflow_uuid, key, value, "offset", function_id, serialization)
    SELECT :workflow_id, :key, :value, COALESCE(MAX("offset") + 1, 0), :function_id, :serialization
    FROM {streams}
    WHERE workflow_uuid = :workflow_id AND key = :key
    """
)

END = Statement(
    f"""
    UPDATE {{workflow_status}}
    SET status = :status,
        deduplication_id = NULL,
        owner_xid = NULL,
        updated_at = :now,
        completed_at = :now
    WHERE workflow_uuid = :workflow_id AND owner_xid = :owner AND {is_still("PENDING")}
    """
)

STORE_OUTPUT = Statement(
    """
    INSERT INTO {workflow_output} (workflow_uuid, output, error, retention_timestamp)
    VALUES (:workflow_id, :output, :error, :now)
    ON CONFLICT (workflow_uuid) DO UPDATE
    SET output = excluded.output,
        error = excluded.error,
        retention_timestamp = excluded.retention_timestamp
    """
)


def apply_single(session: Session, write: Write, *, now: int) -> Answer:
    """Apply one write if its execution owns the row; a repetition returns the same answer."""
    match write:
        case StepWrite():
            return record_step(session, write, now)
        case StartWrite():
            return start_one(session, write, now)
        case BulkStartWrite():
            return start_many(session, write, now)
        case OutcomeWrite():
            return _outcome(session, write)
        case EventWrite():
            return _event(session, write, now)
        case StreamWrite():
            return _stream(session, write, now)
        case SendWrite():
            return send_message(session, write, now)
        case BulkSendWrite():
            return send_messages(session, write, now)
        case ConsumeWrite():
            return consume_message(session, write, now)


def _outcome(session: Session, write: OutcomeWrite) -> Answer:
    ended = session.run(
        END,
        workflow_id=write.workflow_id,
        owner=write.owner,
        status=write.status,
        now=write.now,
    )
    if not ended:
        return REFUSED
    session.run(
        STORE_OUTPUT,
        workflow_id=write.workflow_id,
        output=write.output,
        error=write.error,
        now=write.now,
    )
    return DONE


def _not_written(session: Session, write: EventWrite | StreamWrite, now: int) -> Answer | None:
    """Check the owner and record the step; return an answer if the value must not be written."""
    if not owns(session, write.workflow_id, write.owner):
        return REFUSED
    if write.step is not None and not record(session, write.step, now):
        return compare_recorded(session, write.step)
    return None


def _event(session: Session, write: EventWrite, now: int) -> Answer:
    refusal = _not_written(session, write, now)
    if refusal is not None:
        return refusal
    value = {
        "workflow_id": write.workflow_id,
        "key": write.key,
        "value": write.value,
        "serialization": write.serialization,
    }
    session.run(SET_EVENT, **value)
    session.run(SET_HISTORY, **value, function_id=write.function_id)
    return DONE


def _stream(session: Session, write: StreamWrite, now: int) -> Answer:
    refusal = _not_written(session, write, now)
    if refusal is not None:
        return refusal
    session.run(
        APPEND,
        workflow_id=write.workflow_id,
        key=write.key,
        value=write.value,
        function_id=write.function_id,
        serialization=write.serialization,
    )
    return DONE
