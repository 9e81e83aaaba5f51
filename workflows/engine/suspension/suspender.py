"""Write the rows of workflows that leave memory: all that gather meanwhile in one transaction.

An execution stays in the table of executions until its row is written, so that nobody takes the
workflow for one that this process has lost.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from dboshub.workflows.engine.background import BackgroundLoop
from dboshub.workflows.engine.ports import StorageUnavailableError
from dboshub.workflows.engine.runtime.engine import Engine
from dboshub.workflows.engine.runtime.execution import Execution
from dboshub.workflows.engine.suspension.records import SuspensionStore, WaitRow

MAX_ROWS = 1_000  # in one transaction
IDLE_S = 60.0
LOCKED_PAUSE_S = 0.1  # until a row that somebody else has locked is tried again


class Suspender:
    """One thread. `written` is called with the wait rows of each batch, after its commit."""

    def __init__(
        self,
        engine: Engine,
        store: SuspensionStore,
        written: Callable[[Sequence[WaitRow]], None],
    ) -> None:
        self._engine = engine
        self._store = store
        self._written = written
        self._lock = threading.Lock()
        self._leaving: dict[str, Execution] = {}  # by owner token
        self._loop = BackgroundLoop("suspend", "Suspending workflows", self._turn)

    def start(self) -> None:
        self._loop.start()

    def stop(self, timeout: float | None = None) -> bool:
        """Stop and wait up to `timeout` seconds; what is not written stays PENDING."""
        return self._loop.stop(timeout)

    def add(self, execution: Execution) -> None:
        """Write an execution's departure soon. Does not wait."""
        with self._lock:
            self._leaving[execution.owner] = execution
        self._loop.wake()

    def _turn(self) -> float:
        """Write one batch; return the seconds until the next."""
        with self._lock:
            batch = [*self._leaving.values()][:MAX_ROWS]
        if not batch:
            return IDLE_S
        written = self._write(batch)
        return 0.0 if written else LOCKED_PAUSE_S

    def _write(self, batch: Sequence[Execution]) -> int:
        """Write a batch; return how many of its executions are done with."""
        departures = [each.departure for each in batch if each.departure is not None]
        try:
            suspended = self._store.suspend(departures, now=self._engine.clock.now_ms())
        except StorageUnavailableError:
            raise
        except Exception as refused:
            return self._write_apart(batch, refused)
        done = [each for each in batch if each.workflow_id not in suspended.locked]
        self._forget(done)
        if suspended.waits:
            self._written(suspended.waits)
        return len(done)

    def _write_apart(self, batch: Sequence[Execution], refused: Exception) -> int:
        """One row that the database refuses keeps no other one in memory."""
        if len(batch) > 1:
            middle = len(batch) // 2
            return self._write(batch[:middle]) + self._write(batch[middle:])
        self._engine.logger.error(
            "Workflow %s is not suspended, and will be enqueued again",
            batch[0].workflow_id,
            exc_info=refused,
        )
        self._forget(batch)
        return 1

    def _forget(self, done: Sequence[Execution]) -> None:
        with self._lock:
            for each in done:
                self._leaving.pop(each.owner, None)
        for each in done:
            self._engine.executions.remove(each)
