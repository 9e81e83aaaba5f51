"""How long one request may take: what many stored values cost together is bounded, too.

Each value and each statement has limits of its own, but a page of two thousand errors that were
made to be slow would add up to a minute. Code that repeats such work asks `is_spent`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

# Seconds of a request. What it has not read by then, its page says it has not read.
REQUEST_S = 5.0
# Seconds for the topics of one kind in one tick of the live pages.
TICK_S = 1.0

_UNTIL: ContextVar[float | None] = ContextVar("dboshub_time_budget", default=None)


@contextmanager
def time_budget(seconds: float) -> Iterator[None]:
    """Let the block, in this context, take that long; an outer budget still counts."""
    until, outer = time.monotonic() + seconds, _UNTIL.get()
    token = _UNTIL.set(until if outer is None else min(until, outer))
    try:
        yield
    finally:
        _UNTIL.reset(token)


def is_spent() -> bool:
    """Whether the budget is used up; False without one."""
    until = _UNTIL.get()
    return until is not None and time.monotonic() > until
