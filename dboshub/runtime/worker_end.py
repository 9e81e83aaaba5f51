"""How the process of a worker ends."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any

from dboshub.runtime.stop_budget import CLOSE_S


class WorkerEnd:
    """The end of a worker, on a thread that is there from the start: later none may be had.

    It destroys within the grace period and calls `ended`. CLOSE_S after the grace period it ends
    the process, whatever keeps that.
    """

    is_destroyed = False

    def __init__(self, dbos: Any, grace: float, ended: Callable[[], None]) -> None:
        self._dbos, self._grace, self._ended = dbos, grace, ended
        self._begun = threading.Event()
        self._ends_at = 0.0  # monotonic seconds
        threading.Thread(target=self._run, name="dboshub-destroy", daemon=True).start()

    def begin(self) -> None:
        self._ends_at = time.monotonic() + self._grace + CLOSE_S
        self._begun.set()

    def left(self) -> float:
        """Seconds until the process ends at the latest."""
        return max(0.0, self._ends_at - time.monotonic())

    def _run(self) -> None:
        self._begun.wait()
        try:
            self._dbos.destroy(grace_period_sec=self._grace)
            self.is_destroyed = True
        finally:
            self._ended()
        # User code can block its thread forever; nothing it does is recorded any more.
        time.sleep(self.left())
        os._exit(0)
