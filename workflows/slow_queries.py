"""Functions of this process whose statements took at least 20 ms: a bounded table, worst first."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock

SLOW_S = 0.02
MAX_FUNCTIONS = 100
# Modules that run statements for their callers: the caller is recorded instead.
PASS_THROUGH_MODULES = (
    "dboshub.workflows.slow_queries",
    "dboshub.workflows.bounded_reading",
    "dboshub.workflows.connection",
    "dboshub.workflows.storage.sql",
    "contextlib",
)


@dataclass(frozen=True, slots=True)
class SlowFunction:
    """The slow statements of a function: their number, total and longest time, and the last one."""

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
    """A thread-safe table of at most `most` functions. A fast statement costs two clock reads."""

    def __init__(self, slow_s: float = SLOW_S, most: int = MAX_FUNCTIONS) -> None:
        self._slow_s = slow_s
        self._most = most
        self._lock = Lock()
        self._known: dict[str, SlowFunction] = {}

    @contextmanager
    def timing(self) -> Iterator[None]:
        """Time the block, also if it raises; if it was slow, record the function that called it."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            took = time.perf_counter() - begun
            if took >= self._slow_s:
                self.record(_calling_function(), took)

    def record(self, name: str, took_s: float) -> None:
        with self._lock:
            known = self._known.get(name) or SlowFunction(name, 0, 0.0, 0.0, 0.0)
            self._known[name] = SlowFunction(
                name,
                known.times + 1,
                known.total_s + took_s,
                max(known.worst_s, took_s),
                time.time(),
            )
            if len(self._known) > self._most:
                del self._known[min(self._known.values(), key=lambda each: each.worst_s).name]

    def worst(self, most: int) -> list[SlowFunction]:
        """At most `most` functions, those with the longest single statement first."""
        with self._lock:
            known = [*self._known.values()]
        return sorted(known, key=lambda each: -each.worst_s)[:most]


def _calling_function() -> str:
    """Module and name of the nearest calling function outside PASS_THROUGH_MODULES."""
    frame = sys._getframe(1)
    while frame.f_back and str(frame.f_globals.get("__name__")).startswith(PASS_THROUGH_MODULES):
        frame = frame.f_back
    return f"{frame.f_globals.get('__name__')}.{frame.f_code.co_name.strip('<>')}"


SLOW_QUERIES = SlowFunctions()
