"""One write at a time, in simple statements that both databases run.

SQLite applies whole groups this way. On PostgreSQL it is the side lane's way: it waits for a
locked row, and it tells exactly why a write was refused. The caller owns the transaction.
"""

from __future__ import annotations

from dataclasses import replace

from workflows.engine.records import Started
from workflows.engine.writes import (
    CONFLICT,
    DONE,
    NOTHING,
    REFUSED,
    Answer,
    ConsumeWrite,
    EventWrite,
    OutcomeWrite,
    SendWrite,
    StartWrite,
    StepWrite,
    StreamWrite,
    Verdict,
    Write,
)
from workflows.storage.messages import NULL_TOPIC, send
from workflows.storage.sql import Session, Statement
from workflows.storage.start import start

# The lock every checkpoint takes; SQLite's transaction is the only writer already.
FENCE = Statement(
    postgres="""
        SELECT status
        FROM {workflow_status}
        WHERE workflow_uuid = :workflow_id AND owner_xid = :owner
        FOR NO KEY UPDATE
    """,
    sqlite="""
        SELECT status
        FROM {workflow_status}
        WHERE workflow_uuid = :workflow_id AND owner_xid = :owner
    """,
)

INSERT_STEP = Statement(
    """
    INSERT INTO {operation_outputs} (
        workflow_uuid, function_id, function_name, output, error, child_workflow_id,
        started_at_epoch_ms, completed_at_epoch_ms, serialization, application_name,
        retention_timestamp
    )
    VALUES (
        :workflow_id, :function_id, :name, :output, :error, :child_id,
        :started_at, :completed_at, :serialization, :application_name, :now
    )
    ON CONFLICT (workflow_uuid, function_id) DO NOTHING
    """
)

RECORDED_STEP = Statement(
    """
    SELECT function_name, completed_at_epoch_ms, child_workflow_id
    FROM {operation_outputs}
    WHERE workflow_uuid = :workflow_id AND function_id = :function_id
    """
)

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

# A statement of its own after FENCE: on PostgreSQL its snapshot must be newer than the lock.
APPEND = Statement(
    """
    INSERT INTO {streams} (workflow_uuid, key, value, "offset", function_id, serialization)
    SELECT :workflow_id, :key, :value, COALESCE(MAX("offset") + 1, 0), :function_id, :serialization
    FROM {streams}
    WHERE workflow_uuid = :workflow_id AND key = :key
    """
)

END = Statement(
    """
    UPDATE {workflow_status}
    SET status = :status,
        deduplication_id = NULL,
        owner_xid = NULL,
        updated_at = :now,
        completed_at = :now
    WHERE workflow_uuid = :workflow_id AND owner_xid = :owner AND status = 'PENDING'
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


def apply_single(session: Session, write: Write, *, now: int) -> Answer:
    """Apply one write under its fence; the same write again gives the same answer."""
    match write:
        case StepWrite():
            return _step(session, write, now)
        case StartWrite():
            return _start(session, write, now)
        case OutcomeWrite():
            return _outcome(session, write)
        case EventWrite():
            return _event(session, write, now)
        case StreamWrite():
            return _stream(session, write, now)
        case SendWrite():
            return _send(session, write, now)
        case ConsumeWrite():
            return _consume(session, write, now)


def _owns(session: Session, workflow_id: str, owner: str) -> bool:
    return session.one(FENCE, workflow_id=workflow_id, owner=owner) is not None


def _step(session: Session, write: StepWrite, now: int) -> Answer:
    if not _owns(session, write.workflow_id, write.owner):
        return REFUSED
    return DONE if _record(session, write, now) else _recorded_before(session, write)


def _record(session: Session, write: StepWrite, now: int) -> bool:
    """Insert the checkpoint; False when there is one already."""
    return bool(
        session.run(
            INSERT_STEP,
            workflow_id=write.workflow_id,
            function_id=write.function_id,
            name=write.name,
            output=write.output,
            error=write.error,
            child_id=write.child_id,
            started_at=write.started_at,
            completed_at=write.completed_at,
            serialization=write.serialization,
            application_name=write.application_name,
            now=now,
        )
    )


def _recorded_before(session: Session, write: StepWrite) -> Answer:
    """Tell a repetition of this write from another outcome for the same step."""
    recorded = session.one(
        RECORDED_STEP, workflow_id=write.workflow_id, function_id=write.function_id
    )
    mine = recorded == (write.name, write.completed_at, write.child_id)
    return DONE if mine else CONFLICT


def _start(session: Session, write: StartWrite, now: int) -> Answer:
    parent = write.parent
    if parent is not None and not _owns(session, parent.workflow_id, parent.owner):
        return REFUSED
    started = start(session, write.row, write.inputs)
    answer = Answer(Verdict.DONE, started)
    if parent is None or not _is_attachable(write, started):
        return answer
    if not _record(session, parent, now) and _recorded_before(session, parent) is CONFLICT:
        return CONFLICT
    return answer


def _is_attachable(write: StartWrite, started: Started) -> bool:
    """Whether the parent's checkpoint may name this workflow as its child."""
    if started.created:
        return True
    row = write.row
    same = (started.name, started.class_name, started.config_name)
    return not write.reject_existing and same == (row.name, row.class_name, row.config_name)


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


def _event(session: Session, write: EventWrite, now: int) -> Answer:
    if not _owns(session, write.workflow_id, write.owner):
        return REFUSED
    if write.step is not None and not _record(session, write.step, now):
        return _recorded_before(session, write.step)
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
    if not _owns(session, write.workflow_id, write.owner):
        return REFUSED
    if write.step is not None and not _record(session, write.step, now):
        return _recorded_before(session, write.step)
    session.run(
        APPEND,
        workflow_id=write.workflow_id,
        key=write.key,
        value=write.value,
        function_id=write.function_id,
        serialization=write.serialization,
    )
    return DONE


def _send(session: Session, write: SendWrite, now: int) -> Answer:
    step = write.step
    if step is not None and not _owns(session, step.workflow_id, step.owner):
        return REFUSED
    if not send(
        session,
        write.destination,
        message_uuid=write.message_uuid,
        topic=write.topic,
        message=write.message,
        serialization=write.serialization,
        now=now,
    ):
        return NOTHING
    if step is not None and not _record(session, step, now):
        return _recorded_before(session, step)
    return DONE


def _consume(session: Session, write: ConsumeWrite, now: int) -> Answer:
    """Look for the checkpoint first: after a lost reply the message is already consumed."""
    step = write.step
    at = {"workflow_id": step.workflow_id, "function_id": step.function_id}
    if not _owns(session, step.workflow_id, step.owner):
        return REFUSED
    recorded = session.one(RECORDED_OUTPUT, **at)
    if recorded is not None:
        return Answer(Verdict.DONE, received=(recorded[0], recorded[1]))
    topic = NULL_TOPIC if write.topic is None else write.topic
    message = session.one(OLDEST_MESSAGE, workflow_id=step.workflow_id, topic=topic)
    if message is None:
        if write.give_up:
            _record(session, step, now)
        return NOTHING
    uuid, text, serialization = message
    session.run(CONSUME, message_uuid=uuid, function_id=step.function_id)
    _record(session, replace(step, output=text, serialization=serialization), now)
    return Answer(Verdict.DONE, received=(text, serialization))
