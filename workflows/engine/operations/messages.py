"""Receive messages: each is consumed once, in order within its topic."""

from __future__ import annotations

from typing import Any

from dboshub.workflows.engine import validation
from dboshub.workflows.engine.context import workflow_frame
from dboshub.workflows.engine.journal.writes import ConsumeWrite
from dboshub.workflows.engine.operations.sleeping import deadline
from dboshub.workflows.engine.programs import Program
from dboshub.workflows.engine.runtime.activity import CurrentActivity
from dboshub.workflows.engine.runtime.execution import Execution
from dboshub.workflows.engine.waiting.notices import NULL_TOPIC, message_key
from dboshub.workflows.engine.waiting.waits import Key

RECV = "DBOS.recv"


def recv(topic: str | None, timeout_seconds: float) -> Program[Any]:
    """Consume the oldest message of a topic; None at the timeout. Uses two step ids."""
    execution = workflow_frame("DBOS.recv").execution
    step_id, timer_id = execution.next_id(), execution.next_id()
    validation.optional_text("a topic", topic)
    validation.seconds("timeout_seconds", timeout_seconds)
    return _recv(execution, step_id, timer_id, topic, timeout_seconds)


def _recv(
    execution: Execution, step_id: int, timer_id: int, topic: str | None, timeout_seconds: float
) -> Program[Any]:
    checkpoint = yield from execution.checkpoint_of(step_id, RECV, timer_id=timer_id)
    if checkpoint is not None:
        execution.raise_if_stopped()
        return execution.replay(checkpoint)
    yield from execution.verify_can_continue()
    engine, codec = execution.engine, execution.engine.codec
    started_at = execution.now_ms()
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
                ConsumeWrite(step=nothing, topic=topic, is_last_try=is_late)
            )
            if answer.received is not None:
                text, serialization = answer.received
                return codec.decode(text, serialization)
            if is_late:
                return None
            waiting = CurrentActivity("message", topic or "", step=step_id)
            yield from execution.wait(waiter, until, waiting)
