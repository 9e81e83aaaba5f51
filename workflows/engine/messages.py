"""Messages between workflows: sent once, consumed once, in order within a topic."""

from __future__ import annotations

import uuid
from typing import Any

from workflows.engine import checks
from workflows.engine.context import frame, workflow_frame
from workflows.engine.engine import Engine
from workflows.engine.errors import DBOSNonExistentWorkflowError
from workflows.engine.execution import Execution
from workflows.engine.journal import Commit
from workflows.engine.notices import NULL_TOPIC, message_key
from workflows.engine.programs import Program
from workflows.engine.serialization import WorkflowSerializationFormat
from workflows.engine.sleeping import deadline
from workflows.engine.waits import Key
from workflows.engine.writes import Answer, ConsumeWrite, SendWrite, Verdict

SEND = "DBOS.send"
RECV = "DBOS.recv"


def send(
    engine: Engine,
    destination: str,
    message: Any,
    topic: str | None,
    *,
    idempotency_key: str | None = None,
    serialization: WorkflowSerializationFormat | None = None,
) -> Program[None]:
    """Send from anywhere; from a workflow body it is a step."""
    current = frame()
    execution = current.execution if current is not None and current.step is None else None
    # The number is drawn whether or not the message can be sent, as for every durable call.
    step_id = execution.next_id() if execution is not None else 0
    checks.text("the destination of a message", destination)
    checks.optional_text("a topic", topic)
    checks.optional_text("an idempotency key", idempotency_key)
    inherited = current.execution.serialization if current is not None else None
    name = engine.codec.format_name(serialization, inherited)
    key = str(uuid.uuid4()) if idempotency_key is None else f"{idempotency_key}::{destination}"
    write = SendWrite(
        destination=destination,
        message_uuid=key,
        topic=topic,
        message=engine.codec.encode(message, name),
        serialization=name,
        step=None,
    )
    if execution is None:
        return _send(engine, write)
    return _send_as_step(execution, step_id, write)


def _send(engine: Engine, write: SendWrite) -> Program[None]:
    answer: Answer = yield Commit(engine.journal, write)
    if answer.verdict is Verdict.NOTHING:
        raise DBOSNonExistentWorkflowError("destination", write.destination)


def _send_as_step(execution: Execution, step_id: int, write: SendWrite) -> Program[None]:
    checkpoint = yield from execution.recorded(step_id, SEND)
    if checkpoint is not None:
        execution.check()
        execution.replay(checkpoint)
        return
    yield from execution.proceed()
    now = execution.engine.clock.now_ms()
    step = execution.step_write(step_id, SEND, started_at=now, completed_at=now)
    answer = yield from execution.commit(
        SendWrite(
            destination=write.destination,
            message_uuid=write.message_uuid,
            topic=write.topic,
            message=write.message,
            serialization=write.serialization,
            step=step,
        )
    )
    if answer.verdict is Verdict.NOTHING:
        error = DBOSNonExistentWorkflowError("destination", write.destination)
        yield from execution.commit(execution.error_write(step_id, SEND, error, started_at=now))
        raise error


def recv(topic: str | None, timeout_seconds: float) -> Program[Any]:
    """Consume the oldest message of a topic; None when none came in time. Two step ids."""
    execution = workflow_frame("DBOS.recv").execution
    step_id, timer_id = execution.next_id(), execution.next_id()
    checks.optional_text("a topic", topic)
    checks.seconds("timeout_seconds", timeout_seconds)
    return _recv(execution, step_id, timer_id, topic, timeout_seconds)


def _recv(
    execution: Execution, step_id: int, timer_id: int, topic: str | None, timeout_seconds: float
) -> Program[Any]:
    checkpoint = yield from execution.recorded(step_id, RECV)
    if checkpoint is not None:
        execution.check()
        yield from execution.recorded(timer_id, "DBOS.sleep")
        return execution.replay(checkpoint)
    yield from execution.proceed()
    engine, codec = execution.engine, execution.engine.codec
    started_at = engine.clock.now_ms()
    keys: list[Key] = [
        ("message", message_key(execution.workflow_id, topic)),
        ("message_sent", (execution.workflow_id, NULL_TOPIC if topic is None else topic)),
        execution.wake_key,
    ]
    with engine.waits.register(*keys) as waiter:
        until = yield from deadline(execution, timer_id, timeout_seconds)
        while True:
            is_late = engine.clock.now_ms() >= until
            nothing, _ = execution.value_write(step_id, RECV, None, started_at=started_at)
            answer = yield from execution.commit(
                ConsumeWrite(step=nothing, topic=topic, give_up=is_late)
            )
            if answer.received is not None:
                text, serialization = answer.received
                return codec.decode(text, serialization)
            if is_late:
                return None
            yield from execution.wait(waiter, until, f"message {topic or ''}".strip())
