"""Which functions of this process asked the database slow questions: a bounded list."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock

SLOW_S = 0.02
MOST = 100
# Who runs a statement for others did not ask for it.
PASS_THROUGH_MODULES = (
    "dboshub.workflows.slow_queries",
    "dboshub.workflows.bounded_reading",
    "dboshub.workflows.connection",
    "dboshub.workflows.storage.sql",
    "contextlib",
)


@dataclass(frozen=True, slots=True)
class SlowFunction:
    """One function: how often it was slow, how long in all and at worst, and when last."""

    name: str
    times: int
    total_s: float
    worst_s: float
    last_at: float

    @property
    def mean_ms(self) -> int:
        return round(self.total_s / self.times * 1_000)

    @property
    def worst_ms(self) -> int:
        return round(self.worst_s * 1_000)

    @property
    def last_ms(self) -> int:
        return round(self.last_at * 1_000)


class SlowFunctions:
    """Safe to use from any thread. Quick statements cost two readings of a clock."""

    def __init__(self, slow_s: float = SLOW_S, most: int = MOST) -> None:
        self._slow_s = slow_s
        self._most = most
        self._lock = Lock()
        self._known: dict[str, SlowFunction] = {}

    @contextmanager
    def timing(self) -> Iterator[None]:
        """Time what runs inside; note who asked for it if it was slow, or failed after long."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            took = time.perf_counter() - begun
            if took >= self._slow_s:
                self.note(_calling_function(), took)

    def note(self, name: str, took: float) -> None:
        with self._lock:
            known = self._known.get(name) or SlowFunction(name, 0, 0.0, 0.0, 0.0)
            self._known[name] = SlowFunction(
                name,
                known.times + 1,
                known.total_s + took,
                max(known.worst_s, took),
                time.time(),
            )
            if len(self._known) > self._most:
                del self._known[min(self._known.values(), key=lambda each: each.worst_s).name]

    def worst(self, most: int) -> list[SlowFunction]:
        """The slowest first, by their worst."""
        with self._lock:
            known = [*self._known.values()]
        return sorted(known, key=lambda each: -each.worst_s)[:most]


def _calling_function() -> str:
    """The module and function that asked, past those that only pass statements on."""
    frame = sys._getframe(1)
    while frame.f_back and str(frame.f_globals.get("__name__")).startswith(PASS_THROUGH_MODULES):
        frame = frame.f_back
    return f"{frame.f_globals.get('__name__')}.{frame.f_code.co_name.strip('<>')}"


SLOW_QUERIES = SlowFunctions()
