"""Give rows back that nothing runs here: no thread is left for them, or their loop has ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from dboshub.workflows.engine.errors import LoopEnded, ResourcesExhausted, WorkflowSuspended
from dboshub.workflows.engine.records import INTERNAL_QUEUE
from dboshub.workflows.engine.runtime.engine import Engine
from dboshub.workflows.engine.runtime.execution import Execution
from dboshub.workflows.engine.waiting.notices import QUEUE


def begin(execution: Execution, start: Callable[[], object]) -> None:
    """Call `start`, which gives an execution a thread or a task; without one, hand its row back."""
    try:
        start()
    except (RuntimeError, ResourcesExhausted) as shortage:
        hand_back(execution, shortage)


def hand_back(execution: Execution, shortage: BaseException) -> None:
    """Enqueue the workflow of an execution again; this process claims nothing for a moment.

    It does not wait. If the database does not answer, reconciliation finds the row.
    """
    engine = execution.engine
    engine.pause_claims(shortage)
    engine.executions.remove(execution)
    owned = [(execution.workflow_id, execution.owner)]

    def enqueue() -> None:
        engine.store.hand_back(owned, now=engine.clock.now_ms())

    try:
        engine.queries.submit(enqueue)
    except RuntimeError as error:
        engine.logger.warning("Workflow %s is enqueued later: %s", execution.workflow_id, error)


def has_lost_its_loop(error: BaseException) -> bool:
    """Whether an error ended the current task from outside, as ``asyncio.run`` does at its end.

    A body that raises CancelledError itself would do so again at once.
    """
    if isinstance(error, LoopEnded):
        return True
    if not isinstance(error, asyncio.CancelledError) or asyncio._get_running_loop() is None:
        return False
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def run_again(engine: Engine, workflow_id: str, owner: str, queue_name: str | None) -> None:
    """Enqueue a workflow again that nobody continues; its next claim counts an attempt.

    It changes nothing if the row has another owner, or was never written. It does not wait. An
    engine that stops hands all its rows back.
    """
    if engine.is_draining:
        return

    def enqueue() -> None:
        owned = [(workflow_id, owner)]
        if engine.store.reenqueue(owned, now=engine.clock.now_ms()):
            engine.logger.info("Workflow %s runs again: its event loop ended", workflow_id)
            engine.notices.publish([(QUEUE, queue_name or INTERNAL_QUEUE)])

    try:
        engine.queries.submit(enqueue)
    except RuntimeError as error:
        engine.logger.warning("Workflow %s is enqueued later: %s", workflow_id, error)


def log_end(execution: Execution, error: BaseException) -> None:
    """Log what a background workflow raised; nobody else may ever ask for it."""
    logger = execution.engine.logger
    about = (execution.workflow_id, execution.name)
    if isinstance(error, ResourcesExhausted):
        hand_back(execution, error)
    elif isinstance(error, WorkflowSuspended):
        logger.debug("Background workflow %s (%s) leaves memory while it waits", *about)
    elif getattr(error, "workflow_id", None) == execution.workflow_id:
        logger.info("Background workflow %s (%s) was cancelled, deleted or taken over", *about)
    elif isinstance(error, Exception):
        logger.error("Background workflow %s (%s) failed", *about, exc_info=error)
    else:
        logger.debug("Background workflow %s (%s) is left PENDING: %r", *about, error)
