"""Events: a workflow publishes values by key; other code waits for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dboshub.workflows.engine import validation
from dboshub.workflows.engine.context import frame
from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.engine.journal.writes import EventWrite
from dboshub.workflows.engine.operations.sleeping import deadline
from dboshub.workflows.engine.programs import Program
from dboshub.workflows.engine.runtime.activity import CurrentActivity
from dboshub.workflows.engine.runtime.engine import Engine
from dboshub.workflows.engine.runtime.execution import Execution
from dboshub.workflows.engine.runtime.step_results import run_as_step
from dboshub.workflows.engine.serialization import WorkflowSerializationFormat
from dboshub.workflows.engine.unserializable import Subject
from dboshub.workflows.engine.waiting.waits import Key

SET_EVENT = "DBOS.setEvent"
GET_EVENT = "DBOS.getEvent"
GET_EVENTS = "DBOS.get_events"


def set_event(
    key: str, value: Any, serialization: WorkflowSerializationFormat | None = None
) -> Program[None]:
    """Publish a value. In a workflow body this is a step; within a step it is part of that step."""
    current = frame()
    if current is None:
        raise DBOSException("DBOS.set_event() must be called from within a workflow or step")
    execution, is_step = current.execution, current.step is None
    # Every durable call draws its id first, also if it then refuses its arguments.
    step_id = execution.next_id() if current.step is None else current.step.step_id
    validation.text("the key of an event", key)
    codec = execution.engine.codec
    name = codec.format_name(serialization, execution.serialization)
    text = codec.encode(value, name, Subject(f"event {key!r}"))
    return _set(execution, step_id, key, text, name, is_step=is_step)


def _set(
    execution: Execution, step_id: int, key: str, text: str, serialization: str, *, is_step: bool
) -> Program[None]:
    step = None
    if is_step:
        checkpoint = yield from execution.checkpoint_of(
            step_id, SET_EVENT, lambda: (text, serialization)
        )
        if checkpoint is not None:
            execution.raise_if_stopped()
            return
        yield from execution.verify_can_continue()
        now = execution.engine.clock.now_ms()
        step = execution.step_write(step_id, SET_EVENT, started_at=now, completed_at=now)
    yield from execution.commit(
        EventWrite(
            workflow_id=execution.workflow_id,
            owner=execution.owner,
            function_id=step_id,
            key=key,
            value=text,
            serialization=serialization,
            step=step,
        )
    )


@dataclass(frozen=True, slots=True)
class EventRead:
    """One call of ``get_event``; `execution` is None unless a workflow body calls."""

    engine: Engine
    workflow_id: str
    key: str
    timeout_s: float
    execution: Execution | None
    step_id: int = 0


def get_event(engine: Engine, workflow_id: str, key: str, timeout_seconds: float) -> Program[Any]:
    """Wait for an event of a workflow, which need not exist yet; None at the timeout.

    In a workflow body this is a step, and uses two step ids.
    """
    current = frame()
    execution = current.execution if current is not None and current.step is None else None
    step_id = execution.next_id() if execution is not None else 0
    timer_id = execution.next_id() if execution is not None else 0
    validation.text("a workflow id", workflow_id)
    validation.text("the key of an event", key)
    validation.seconds("timeout_seconds", timeout_seconds)
    read = EventRead(engine, workflow_id, key, timeout_seconds, execution, step_id)
    if execution is None:
        until = engine.clock.now_ms() + int(timeout_seconds * 1000)
        return _await_event(read, until)
    return _get_event_as_step(read, execution, step_id, timer_id)


def _get_event_as_step(
    read: EventRead, execution: Execution, step_id: int, timer_id: int
) -> Program[Any]:
    checkpoint = yield from execution.checkpoint_of(step_id, GET_EVENT, timer_id=timer_id)
    if checkpoint is not None:
        execution.raise_if_stopped()
        return execution.replay(checkpoint)
    yield from execution.verify_can_continue()
    engine = read.engine
    started_at = execution.now_ms()
    until = yield from deadline(execution, timer_id, read.timeout_s)
    found = yield from _await_event_text(read, until)
    if found is None:
        write, value = execution.value_write(step_id, GET_EVENT, None, started_at=started_at)
    else:
        text, serialization = found
        value = engine.codec.decode(text, serialization)
        write = execution.step_write(
            step_id,
            GET_EVENT,
            output=text,
            serialization=serialization,
            started_at=started_at,
            completed_at=engine.clock.now_ms(),
        )
    yield from execution.commit(write)
    return value


def _await_event(read: EventRead, until: int) -> Program[Any]:
    found = yield from _await_event_text(read, until)
    return None if found is None else read.engine.codec.decode(*found)


def _await_event_text(read: EventRead, until: int) -> Program[tuple[str, str | None] | None]:
    """Value and serialization of the event, or None at engine time `until`."""
    engine, execution, workflow_id, key = read.engine, read.execution, read.workflow_id, read.key
    keys: list[Key] = [("event", f"{workflow_id}::{key}"), ("event_set", (workflow_id, key))]
    if execution is not None:
        keys.append(execution.wake_key)
    with engine.waits.register(*keys) as waiter:
        while True:
            is_late = engine.clock.now_ms() >= until
            found: tuple[str, str | None] | None = yield engine.query(
                lambda: engine.store.event(workflow_id, key)
            )
            if found is not None or is_late:
                return found
            if execution is not None:
                waiting = CurrentActivity("event", key, workflow_id, step=read.step_id)
                yield from execution.wait(waiter, until, waiting)
            else:
                yield engine.pause(waiter, until)


def get_all_events(engine: Engine, workflow_id: str) -> Program[dict[str, Any]]:
    """The latest value of each key of a workflow."""
    current = frame()
    if current is None or current.step is not None:
        return _read_events(engine, workflow_id)
    execution = current.execution
    return _events_as_step(execution, execution.next_id(), workflow_id)


def _read_events(engine: Engine, workflow_id: str) -> Program[dict[str, Any]]:
    rows = yield engine.query(lambda: engine.store.events(workflow_id))
    return {key: engine.codec.decode(text, name) for key, text, name in rows}


def _events_as_step(
    execution: Execution, step_id: int, workflow_id: str
) -> Program[dict[str, Any]]:
    found: dict[str, Any] = yield from run_as_step(
        execution, step_id, GET_EVENTS, _read_events(execution.engine, workflow_id)
    )
    return found
