"""The engine's clock is the database's: a monotonic clock plus a measured offset."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Time as the engine sees it; tests own theirs."""

    def now_ms(self) -> int:
        """Epoch milliseconds, as the database would say."""

    def monotonic(self) -> float:
        """Seconds that never go back, for durations and leases."""


class DatabaseClock:
    """Monotonic time anchored to the database's: a step of the local clock changes nothing."""

    def __init__(self) -> None:
        self._anchor = time.time() - time.monotonic()

    def now_ms(self) -> int:
        return int((self._anchor + time.monotonic()) * 1000)

    def monotonic(self) -> float:
        return time.monotonic()

    def adjust(self, database_now_ms: int, measured_at: float) -> None:
        """Anchor to the database's time, read when ``monotonic()`` was ``measured_at``."""
        self._anchor = database_now_ms / 1000 - measured_at
