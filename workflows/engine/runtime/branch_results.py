"""Results of durable calls, in the order of the branches that make them; see ``BranchOrder``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from dboshub.workflows.engine.journal.recorded_steps import steps_of
from dboshub.workflows.engine.journal.writes import Answer, StepWrite, Write
from dboshub.workflows.engine.programs import Program
from dboshub.workflows.engine.records import Checkpoint
from dboshub.workflows.engine.runtime.activity import CurrentActivity
from dboshub.workflows.engine.runtime.branch_effects import EarlierLateIds
from dboshub.workflows.engine.runtime.branch_order import BranchOrder
from dboshub.workflows.engine.runtime.branch_record import SLEEP, Key, key_of
from dboshub.workflows.engine.runtime.late_ids import LateIds
from dboshub.workflows.engine.suspension.branches import is_counted

if TYPE_CHECKING:
    from dboshub.workflows.engine.runtime.execution import Execution


def order_of_branches(execution: Execution) -> BranchOrder | None:
    """The order of results if branches of the workflow may run beside this code, else None."""
    loop = asyncio._get_running_loop()
    if loop is None or loop is not execution.loop:
        return None
    is_alone = not execution.tasks and execution.body is asyncio.current_task(loop)
    if is_alone and is_counted(loop):
        return None
    if execution.order is None:
        execution.order = BranchOrder(execution, execution.body, execution.tasks)
    return execution.order


def taken_in_order(
    execution: Execution, step_id: int, name: str, timer_id: int | None
) -> Program[Checkpoint | None]:
    """Take a checkpoint from the history once all that was there before it is given out."""
    if execution.order is not None:
        execution.raise_if_stopped()  # the results that led here may have come in another order
    try:
        found = yield from execution.history.take(step_id, name)
        if found is not None and timer_id is not None:
            yield from execution.history.take(timer_id, SLEEP)
    except BaseException:
        if execution.order is not None:
            execution.order.withdraw_step(step_id)
        raise
    if found is not None:
        if (order := order_of_branches(execution)) is not None:
            yield from order.place(key_of(found), found)
        elif execution.order is not None:
            execution.order.forget_soon(key_of(found))
    return found


def late_in_order(
    execution: Execution, found: Checkpoint, activity: CurrentActivity
) -> Program[None]:
    """Wait for the place of a recorded result whose id was drawn when it was there."""
    if (order := order_of_branches(execution)) is not None:
        yield from order.place(key_of(found), found)
        return
    yield from execution.late_ids.draw_after(found.function_id - 1, activity)
    if execution.order is not None:
        execution.order.forget_soon(key_of(found))


def recorded_in_order(
    execution: Execution, write: Write, committing: Program[Answer]
) -> Program[Answer]:
    """Give the answer of a commit once all that was recorded before is given out."""
    steps = steps_of(write)
    if not steps:
        return committing
    order = order_of_branches(execution)
    if execution.order is None:
        return committing
    key: Key | None = None
    for step in steps:
        step.started_at = execution.order.start_of(step.function_id) or step.started_at
        if step.name == SLEEP or step.completed_at is None:
            continue
        place = execution.order.later((step.completed_at, step.function_id))
        step.completed_at, key = place[0], key or place
    if order is None:
        return committing
    recording = _after_late_ids(execution.late_ids, steps[0].function_id, committing)
    return recording if key is None else _in_order(order, key, recording)


def _after_late_ids(
    late_ids: LateIds, step_id: int, committing: Program[Answer]
) -> Program[Answer]:
    yield EarlierLateIds(late_ids, step_id)
    try:
        return (yield from committing)
    finally:
        late_ids.recorded(step_id)


def _in_order(order: BranchOrder, key: Key, committing: Program[Answer]) -> Program[Answer]:
    order.expect(key)
    try:
        answer = yield from committing
    except BaseException:
        order.withdraw(key)
        raise
    yield from order.place(key)
    return answer


def asleep(
    execution: Execution,
    step_id: int,
    finding: Program[tuple[int, StepWrite | None]],
    sleeping: Callable[[int, StepWrite | None], Program[None]],
) -> Program[None]:
    """Find the end of a sleep, sleep, and go on after the results that were there before."""
    order = order_of_branches(execution)
    if order is None:
        yield from sleeping(*(yield from finding))
        return
    order.hold()
    try:
        wake_ms, write = yield from finding
        key = wake_ms, step_id
        order.expect(key)
    finally:
        order.release()
    try:
        yield from sleeping(wake_ms, write)
    except BaseException:
        order.withdraw(key)
        raise
    yield from order.place(key)
