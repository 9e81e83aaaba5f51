"""The engine's clock: the local monotonic clock plus the measured offset to the database."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """The time of the engine. Tests pass a clock of their own."""

    def now_ms(self) -> int:
        """Current time of the database, in epoch milliseconds."""

    def monotonic(self) -> float:
        """Seconds of a clock that never goes back, for durations and leases."""


class DatabaseClock:
    """Monotonic time anchored to the database's. Setting the local clock does not change it."""

    def __init__(self) -> None:
        self._anchor = time.time() - time.monotonic()

    def now_ms(self) -> int:
        return int((self._anchor + time.monotonic()) * 1000)

    def monotonic(self) -> float:
        return time.monotonic()

    def adjust(self, database_now_ms: int, measured_at: float) -> None:
        """Anchor to the time that the database had when ``monotonic()`` was `measured_at`."""
        self._anchor = database_now_ms / 1000 - measured_at
