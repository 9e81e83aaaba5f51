"""Once a second: enqueue delayed workflows that are due, cancel those past their deadline."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable

from dboshub.queues.engine.ports import MaintenanceStore
from dboshub.workflows.engine.clock import Clock

logger = logging.getLogger("dboshub.queues")

INTERVAL_S = 1.0
MAX_PAUSE_S = 30.0


class Maintenance:
    """One thread. Any number of processes may run it at once, because locked rows are skipped.

    `enqueued` is called with the queue of released workflows, `cancelled` with the id of each
    workflow whose deadline passed. `interval` is in seconds.
    """

    def __init__(
        self,
        store: MaintenanceStore,
        *,
        clock: Clock,
        enqueued: Callable[[str], None],
        cancelled: Callable[[str], None],
        interval: float = INTERVAL_S,
    ) -> None:
        self._store = store
        self._clock = clock
        self._enqueued = enqueued
        self._cancelled = cancelled
        self._interval = interval
        self._failures = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="dboshub-maintenance", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float | None = 10) -> bool:
        """Stop and wait up to `timeout` seconds; return whether the thread has ended."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def run_once(self) -> None:
        """Process everything that is due now."""
        for queue in self._store.release_due(self._clock.now_ms()):
            self._enqueued(queue)
        for workflow_id in self._store.cancel_overdue(self._clock.now_ms()):
            self._cancelled(workflow_id)

    def _loop(self) -> None:
        # Random pauses, so that processes do not synchronise.
        while not self._stopping.wait(self._pause() * random.uniform(0.9, 1.1)):
            try:
                self.run_once()
            except Exception as error:
                if not self._failures:
                    logger.warning(
                        "Delays and deadlines cannot be processed and are retried: %s", error
                    )
                self._failures += 1
            else:
                if self._failures:
                    logger.warning("Delays and deadlines are processed again")
                self._failures = 0

    def _pause(self) -> float:
        return min(MAX_PAUSE_S, self._interval * float(2 ** min(self._failures, 10)))
