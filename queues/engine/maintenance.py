"""Once a second: enqueue delayed workflows that are due, cancel those past their deadline.

While delays end at every turn, turns come four times as often.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from dboshub.queues.engine.ports import MaintenanceStore
from dboshub.workflows.engine.background import BackgroundLoop
from dboshub.workflows.engine.clock import Clock

INTERVAL_S = 1.0


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
        self._loop = BackgroundLoop(
            "maintenance", "Processing of delays and deadlines", self._turn, first_wait_s=interval
        )

    def start(self) -> None:
        self._loop.start()

    def stop(self, timeout: float | None = 10) -> bool:
        """Stop and wait up to `timeout` seconds; return whether the thread has ended."""
        return self._loop.stop(timeout)

    def run_once(self) -> bool:
        """Process everything that is due now; whether delays have ended."""
        released = self._store.release_due(self._clock.now_ms())
        for queue in released:
            self._enqueued(queue)
        for workflow_id in self._store.cancel_overdue(self._clock.now_ms()):
            self._cancelled(workflow_id)
        return bool(released)

    def _turn(self) -> float:
        pause = self._interval / 4 if self.run_once() else self._interval
        # Random pauses, so that processes do not synchronise.
        return pause * random.uniform(0.9, 1.1)
