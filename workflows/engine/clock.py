"""The engine's clock: the local monotonic clock plus the measured offset to the database."""

from __future__ import annotations

import time
from typing import Protocol

MAX_STANDSTILL_S = 1.0  # more than a measurement may be wrong by


class Clock(Protocol):
    """The time of the engine. Tests pass a clock of their own."""

    def now_ms(self) -> int:
        """Current time of the database, in epoch milliseconds."""

    def monotonic(self) -> float:
        """Seconds of a clock that never goes back, for durations and leases."""


class DatabaseClock:
    """Monotonic time anchored to the database's. Setting the local clock does not change it.

    What one process writes in turn has times in that order: a measurement that is a little earlier
    than what was told before lets the clock stand still instead of going back.
    """

    def __init__(self) -> None:
        self._anchor = time.time() - time.monotonic()
        self._told = 0.0  # epoch seconds

    def now_ms(self) -> int:
        return int(max(self._anchor + time.monotonic(), self._told) * 1000)

    def monotonic(self) -> float:
        return time.monotonic()

    def adjust(self, database_now_ms: int, measured_at: float) -> None:
        """Anchor to the time that the database had when ``monotonic()`` was `measured_at`.

        A clock that is more than MAX_STANDSTILL_S ahead goes back.
        """
        told = max(self._anchor + time.monotonic(), self._told)
        anchor = database_now_ms / 1000 - measured_at
        ahead_s = told - (anchor + time.monotonic())
        # First, because other threads ask meanwhile.
        self._told = told if ahead_s <= MAX_STANDSTILL_S else 0.0
        self._anchor = anchor
