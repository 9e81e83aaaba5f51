"""Suspended workflows of one process: what leaves memory, and what wakes up again."""

from __future__ import annotations

import time

from dboshub.workflows.engine.runtime.engine import Engine
from dboshub.workflows.engine.suspension.departures import SuspendAfter
from dboshub.workflows.engine.suspension.records import SuspensionStore
from dboshub.workflows.engine.suspension.suspender import Suspender
from dboshub.workflows.engine.suspension.waker import Waker


class Suspending:
    """The threads that suspend and wake workflows of one engine.

    It wakes what others suspended also if nothing leaves this process.
    """

    def __init__(self, engine: Engine, store: SuspensionStore, *, after_s: float) -> None:
        """Waits longer than `after_s` leave memory, none if it is 0; see ``SuspendAfter``."""
        self._waker = Waker(engine, store)
        self._suspender = Suspender(engine, store, self._waker.written)
        engine.notices.on_awaited = self._waker.noticed
        if after_s:
            engine.suspension = SuspendAfter(after_s, engine, self._suspender.add)

    def start(self) -> None:
        self._suspender.start()
        self._waker.start()

    def stop(self, timeout: float) -> None:
        """End the threads; waits up to `timeout` seconds for both."""
        deadline = time.monotonic() + timeout
        self._suspender.stop(timeout)
        self._waker.stop(max(0.0, deadline - time.monotonic()))
