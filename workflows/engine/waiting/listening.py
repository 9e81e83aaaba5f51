"""When a process listens for notices. What it misses otherwise, its poll finds later."""

from __future__ import annotations

import threading
import time
from enum import Enum

from dboshub.workflows.engine.waiting.waits import Waits

KEPT_IDLE_S = 10.0


class Listening(Enum):
    """Whether a process has a connection that listens."""

    ALWAYS = "always"
    WHILE_WAITED = "while somebody waits"
    NEVER = "never"


class Demand:
    """Tells a listener when it is wanted: from the first wait until KEPT_IDLE_S after the last."""

    def __init__(self, waits: Waits) -> None:
        self._waits = waits
        self._wanted = threading.Event()
        self._wanted_at = 0.0  # monotonic seconds
        self._is_stopped = False
        waits.on_pending(self._wanted.set)

    def stop(self) -> None:
        """End the waits of the listener."""
        self._is_stopped = True
        self._wanted.set()

    def wait(self) -> bool:
        """Block until somebody waits; False once stopped."""
        while not self._is_stopped and not self._waits.pending():
            self._wanted.wait()
            self._wanted.clear()
        self._wanted_at = time.monotonic()
        return not self._is_stopped

    def has_ended(self) -> bool:
        """Whether nobody has waited for KEPT_IDLE_S."""
        now = time.monotonic()
        if self._waits.pending():
            self._wanted_at = now
        return self._is_stopped or now - self._wanted_at > KEPT_IDLE_S
