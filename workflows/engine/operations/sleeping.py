"""Durable sleep: the wake-up time is recorded, and a replay sleeps for the rest of the time."""

from __future__ import annotations

import json

from dboshub.workflows.engine import validation
from dboshub.workflows.engine.context import workflow_frame
from dboshub.workflows.engine.programs import Program
from dboshub.workflows.engine.runtime.activity import CurrentActivity
from dboshub.workflows.engine.runtime.execution import Execution
from dboshub.workflows.engine.serialization import PORTABLE

SLEEP = "DBOS.sleep"


def sleep(seconds: float) -> Program[None]:
    """Sleep as a step of the workflow. Zero or fewer seconds make no step."""
    validation.seconds("the time to sleep", seconds)
    if seconds <= 0:
        return _nothing()
    execution = workflow_frame("DBOS.sleep", refusal_in_step=AssertionError).execution
    return _sleep(execution, execution.next_id(), seconds)


def _sleep(execution: Execution, step_id: int, seconds: float) -> Program[None]:
    wake_ms = yield from deadline(execution, step_id, seconds)
    with execution.engine.waits.register(execution.wake_key) as waiter:
        while execution.engine.clock.now_ms() < wake_ms:
            yield from execution.wait(waiter, wake_ms, CurrentActivity("sleep"))


def deadline(execution: Execution, step_id: int, seconds: float) -> Program[int]:
    """The end of a wait in epoch ms: computed at the first execution, recorded for replays."""
    checkpoint = yield from execution.checkpoint_of(step_id, SLEEP)
    if checkpoint is not None:
        execution.raise_if_stopped()
        return int(json.loads(checkpoint.output or "0") * 1000)
    yield from execution.verify_can_continue()
    now = execution.engine.clock.now_ms()
    wake_ms = now + int(seconds * 1000)
    yield from execution.commit(
        execution.step_write(
            step_id,
            SLEEP,
            output=json.dumps(wake_ms / 1000),
            serialization=PORTABLE,
            started_at=now,
            completed_at=wake_ms,
        )
    )
    return wake_ms


def _nothing() -> Program[None]:
    return
    yield
