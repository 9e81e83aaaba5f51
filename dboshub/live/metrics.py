"""Metrics of the live updates of this process, for the page about the hub."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from statistics import median

REMEMBERED = 240


@dataclass(slots=True)
class LiveMetrics:
    """Written by the watcher's thread and the sockets. Durations are seconds."""

    ticks: int = 0
    failures: int = 0
    messages: int = 0
    frames: int = 0
    last_tick_at: float | None = None
    _took: deque[float] = field(default_factory=lambda: deque(maxlen=REMEMBERED))

    def ticked(self, took: float) -> None:
        self.ticks += 1
        self.last_tick_at = time.monotonic()
        self._took.append(took)

    def sent(self, frames: int) -> None:
        """Count one message with this number of frames."""
        self.messages += 1
        self.frames += frames

    def typical_s(self) -> float | None:
        """The median duration of the last ticks."""
        took = [*self._took]
        return median(took) if took else None

    def longest_s(self) -> float | None:
        return max([*self._took], default=None)

    def lag_s(self) -> float | None:
        """The time since the last tick ended."""
        return None if self.last_tick_at is None else time.monotonic() - self.last_tick_at
