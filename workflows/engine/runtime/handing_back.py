"""Give rows back that this process cannot run now: it has no thread or descriptor for them."""

from __future__ import annotations

from collections.abc import Callable

from dboshub.workflows.engine.errors import ResourcesExhausted
from dboshub.workflows.engine.runtime.execution import Execution


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
