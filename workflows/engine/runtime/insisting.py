"""Queries of workflows: an outage is no error of a workflow, so they are asked again.

One that the database fails each time, while it answers others, would be asked for ever: it is an
error. The value that it reads may be too large for the server, or for the way to it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from dboshub.workflows.engine.background import LoopFailures
from dboshub.workflows.engine.errors import ExecutionInterrupted, UnansweredQueryError
from dboshub.workflows.engine.ports import StorageExhaustedError, StorageUnavailableError

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 2.0
# The store repeats each of them for about six seconds.
ATTEMPTS = 3
R = TypeVar("R")


class Asking(Protocol):
    """The execution that asks."""

    workflow_id: str

    def raise_if_stopped(self) -> None: ...


class Insisting:
    """Asks until the database answers, for all executions of a process."""

    def __init__(
        self, ask_little: Callable[[list[str]], object], is_closed: Callable[[], bool]
    ) -> None:
        """`ask_little` reads little of the workflows with these ids; `is_closed` ends the wait."""
        self._ask_little = ask_little
        self._is_closed = is_closed
        self._failures = LoopFailures(
            "A query of a workflow", first_pause_s=FIRST_PAUSE_S, longest_pause_s=LONGEST_PAUSE_S
        )

    def ask(self, execution: Asking, ask: Callable[[], R]) -> R:
        """What `ask` returns once the database answers.

        Raises UnansweredQueryError if it fails ATTEMPTS times in a row while a small query is
        answered, what stopped the execution, or ExecutionInterrupted when the engine is closed.
        """
        failed = 0
        while True:
            try:
                answer = ask()
            except StorageUnavailableError as error:
                pause = self._failures.failed(error)
                self._raise_if_over(execution, error)
                failed = failed + 1 if self._is_at_fault(execution, error) else 0
                if failed >= ATTEMPTS:
                    self._failures.end()
                    raise UnansweredQueryError(str(error)) from error
                self._raise_if_over(execution, error)
            else:
                self._failures.recovered()
                return answer
            time.sleep(pause)

    def _raise_if_over(self, execution: Asking, error: Exception) -> None:
        execution.raise_if_stopped()
        if self._is_closed():
            self._failures.end()
            raise ExecutionInterrupted(execution.workflow_id) from error

    def _is_at_fault(self, execution: Asking, error: StorageUnavailableError) -> bool:
        """Whether the database fails for this query alone."""
        if not isinstance(error, StorageExhaustedError):
            return False
        try:
            self._ask_little([execution.workflow_id])
        except StorageUnavailableError:
            return False
        return True
