"""Durable sleep: the wake-up time is recorded, and a replay sleeps for the rest of the time."""

from __future__ import annotations

import json

from dboshub.workflows.engine import validation
from dboshub.workflows.engine.context import workflow_frame
from dboshub.workflows.engine.journal.writes import StepWrite
from dboshub.workflows.engine.programs import Program
from dboshub.workflows.engine.runtime.activity import CurrentActivity
from dboshub.workflows.engine.runtime.branch_record import SLEEP
from dboshub.workflows.engine.runtime.branch_results import asleep
from dboshub.workflows.engine.runtime.execution import Execution
from dboshub.workflows.engine.serialization import PORTABLE


def sleep(seconds: float) -> Program[None]:
    """Sleep as a step of the workflow. Zero or fewer seconds make no step."""
    validation.seconds("the time to sleep", seconds)
    if seconds <= 0:
        return _nothing()
    execution = workflow_frame("DBOS.sleep", refusal_in_step=AssertionError).execution
    return _sleep(execution, execution.next_id(), seconds)


def _sleep(execution: Execution, step_id: int, seconds: float) -> Program[None]:
    def sleeping(wake_ms: int, write: StepWrite | None) -> Program[None]:
        yield from _record(execution, write)
        with execution.engine.waits.register(execution.wake_key) as waiter:
            while execution.engine.clock.now_ms() < wake_ms:
                yield from execution.wait(waiter, wake_ms, CurrentActivity("sleep"))

    return asleep(execution, step_id, _end(execution, step_id, seconds), sleeping)


def deadline(execution: Execution, step_id: int, seconds: float) -> Program[int]:
    """The end of a wait in epoch ms: computed at the first execution, recorded for replays."""
    wake_ms, write = yield from _end(execution, step_id, seconds)
    yield from _record(execution, write)
    return wake_ms


def _end(
    execution: Execution, step_id: int, seconds: float
) -> Program[tuple[int, StepWrite | None]]:
    """The end of a wait, and the write of one that is not recorded."""
    checkpoint = yield from execution.history.take(step_id, SLEEP)
    if checkpoint is not None:
        execution.raise_if_stopped()
        return round(json.loads(checkpoint.output or "0") * 1000), None
    yield from execution.verify_can_continue()
    now = execution.now_ms()
    wake_ms = now + int(seconds * 1000)
    write = execution.step_write(
        step_id,
        SLEEP,
        output=json.dumps(wake_ms / 1000),
        serialization=PORTABLE,
        started_at=now,
        completed_at=wake_ms,
    )
    return wake_ms, write


def _record(execution: Execution, write: StepWrite | None) -> Program[None]:
    if write is not None:
        yield from execution.commit(write)


def _nothing() -> Program[None]:
    return
    yield
