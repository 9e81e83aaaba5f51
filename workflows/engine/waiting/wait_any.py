"""Wait for the first of several workflows, or for several awaitables of this process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from dboshub.workflows.engine.context import frame
from dboshub.workflows.engine.observability.spans import spanned
from dboshub.workflows.engine.programs import Call, Program, run_async
from dboshub.workflows.engine.runtime.activity import CurrentActivity
from dboshub.workflows.engine.runtime.engine import Engine
from dboshub.workflows.engine.runtime.execution import Execution
from dboshub.workflows.engine.runtime.step_results import run_as_step
from dboshub.workflows.engine.waiting.waits import KNOWN, Key

WAIT_FIRST = "DBOS.waitFirst"
WAIT_TASKS = "DBOS.asyncio_wait"

Tasks = set["asyncio.Future[Any]"]
Waiting = Coroutine[Any, Any, tuple[Tasks, Tasks]]


class HasId(Protocol):
    workflow_id: str
    must_exist: bool


H = TypeVar("H", bound=HasId)


def wait_first(engine: Engine, handles: Sequence[H]) -> Program[H]:
    """The first handle, in the given order, whose workflow has ended or was deleted.

    Raises ValueError for no handles, or for two of one workflow.
    """
    if not handles:
        raise ValueError("handles must not be empty")
    known = {each.workflow_id: each for each in handles}
    if len(known) < len(handles):
        raise ValueError("handles must not contain duplicate workflow IDs")
    current = frame()
    if current is None or current.step is not None:
        return _chosen(known, _first_ended(engine, known, None))
    execution = current.execution
    first = _first_ended(engine, known, execution)
    return _chosen(known, run_as_step(execution, execution.next_id(), WAIT_FIRST, first))


def _chosen(known: dict[str, H], first: Program[str]) -> Program[H]:
    return known[(yield from first)]


def _first_ended(
    engine: Engine, handles: Mapping[str, HasId], execution: Execution | None
) -> Program[str]:
    keys: list[Key] = [("result", each) for each in handles]
    if execution is not None:
        keys.append(execution.wake_key)
    seen = {each for each, handle in handles.items() if handle.must_exist}
    with engine.waits.register(*keys) as waiter:
        waiter.also(*((KNOWN, each) for each in seen))
        while True:
            settled: dict[str, bool] = dict(
                (yield engine.query(lambda: engine.store.settled_among(handles)))
            )
            for each in handles:
                if settled.get(each) or (each in settled and each in seen):
                    return each
            new = handles.keys() - settled.keys() - seen
            seen |= new
            waiter.also(*((KNOWN, each) for each in new))
            if execution is not None:
                yield from execution.wait(waiter, None, CurrentActivity("first", str(len(handles))))
            else:
                yield engine.pause(waiter, None)


def asyncio_wait(
    fs: Sequence[Awaitable[Any]], *, timeout: float | None, return_when: str
) -> Waiting:
    """Wait as ``asyncio.wait`` does; in a workflow body, record which tasks are done."""
    tasks: list[asyncio.Future[Any]] = [*dict.fromkeys(asyncio.ensure_future(each) for each in fs)]
    current = frame()
    if current is None or current.step is not None:
        return asyncio.wait(tasks, timeout=timeout, return_when=return_when)
    execution = current.execution
    how = {"timeout": timeout, "return_when": return_when}
    return run_async(spanned(execution, "asyncio_wait", _wait_as_step(execution, tasks, how)))


def _wait_as_step(
    execution: Execution, tasks: list[asyncio.Future[Any]], how: dict[str, Any]
) -> Program[tuple[Tasks, Tasks]]:
    step_id = execution.next_id()
    checkpoint = yield from execution.checkpoint_of(step_id, WAIT_TASKS)
    if checkpoint is None:
        done = yield from _wait_and_record(execution, step_id, tasks, how)
    else:
        execution.raise_if_stopped()
        done = {tasks[index] for index in execution.replay(checkpoint)}
        if done:
            (yield Call(asyncio.wait, (done,), {})).unwrap()
    return done, {*tasks} - done


def _wait_and_record(
    execution: Execution, step_id: int, tasks: list[asyncio.Future[Any]], how: dict[str, Any]
) -> Program[Tasks]:
    yield from execution.verify_can_continue()
    started_at = execution.now_ms()
    done: Tasks
    done, _ = (yield Call(asyncio.wait, (tasks,), how)).unwrap()
    indices = [index for index, task in enumerate(tasks) if task in done]
    write, _ = execution.value_write(step_id, WAIT_TASKS, indices, started_at=started_at)
    yield from execution.commit(write)
    return done
