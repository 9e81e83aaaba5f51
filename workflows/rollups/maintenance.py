"""The work of whoever leads: close minutes, look at queues, fold, and fill in what is missing.

A minute is closed LATE_MS after its end, and again while it is among the last AGAIN: commits
come late, and a resumed workflow has not ended after all. What is missing is counted newest
first, in what is left of the time: for each second of work four are left to others.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from dboshub.workflows.models import QueueSample, RolledSpan
from dboshub.workflows.models.rollups import HOUR, MINUTE
from dboshub.workflows.rollups.downsampling import MINUTES_KEPT, downsample_hour
from dboshub.workflows.rollups.lease import LeaseHandle
from dboshub.workflows.rollups.store import Reading, recount_spans, sample
from dboshub.workflows.storage.database_clock import database_now
from dboshub.workflows.storage.sql import Session, Statement

LATE_MS = 15_000
AGAIN = 10
FOLLOWER_POLL_S = 15.0
REST = 4.0
# Hours are filled in for so long; older ones come only from minutes.
FILLED = 30 * 24 * HOUR
LONG_S, SHORT_S = 1.0, 0.2
MOST_AT_ONCE = 60

FIRST = Statement("SELECT MIN(created_at) FROM {workflow_status}")

Sampler = Callable[[Session, int], Iterable[QueueSample]]


@dataclass(slots=True)
class RollupMaintainer:
    """`run_once` does one piece of work, so that whoever calls decides about time and threads."""

    lease: LeaseHandle
    reading: Reading
    sampler: Sampler
    clock: Callable[[], float] = time.monotonic
    _closed_to: int = field(default=0, init=False)
    _at_once: int = field(default=10, init=False)
    is_filled: bool = field(default=False, init=False)

    def run_once(self) -> float:
        """Do what is due, if this process leads; how many seconds to leave it at that.

        Raises LeaseLostError if it led and does not any more.
        """
        with self.reading() as session:
            now = database_now(session)
        if not self.lease.take(now):
            self._closed_to = 0
            return FOLLOWER_POLL_S
        edge = (now - LATE_MS) // MINUTE * MINUTE
        begun = self.clock()
        if edge > self._closed_to:
            self._close(edge, now)
        elif self.is_filled or not self._fill(edge):
            self.is_filled = True
            return (edge + MINUTE + LATE_MS - now) / 1_000
        return REST * (self.clock() - begun)

    def _close(self, edge: int, now: int) -> None:
        """The minute that has just ended, the last ones again, and how queues stand now."""
        recount_spans(self.lease, self.reading, edge - (AGAIN + 1) * MINUTE, edge, width=MINUTE)
        with self.reading() as session:
            seen = [*self.sampler(session, now)]
        sample(self.lease, seen)
        while downsample_hour(self.lease, edge):
            pass
        # Where nobody led for a while, there is something to fill in again.
        self.is_filled, self._closed_to = False, edge

    def _fill(self, edge: int) -> bool:
        """Count the newest stretch that nobody has counted; False if there is none."""
        with self.reading() as session:
            found = session.one(FIRST)
        if found is None or found[0] is None:
            return False
        first, folded = found[0], (edge - MINUTES_KEPT) // HOUR * HOUR
        gap, width = newest_gap(MINUTE, max(folded, first), edge, self._at_once), MINUTE
        if gap is None:
            gap, width = newest_gap(HOUR, max(edge - FILLED, first), folded, 1), HOUR
        if gap is None:
            return False
        begun = self.clock()
        recount_spans(self.lease, self.reading, *gap, width=width)
        took = self.clock() - begun
        if took > LONG_S:
            self._at_once = max(1, self._at_once // 2)
        elif took < SHORT_S:
            self._at_once = min(MOST_AT_ONCE, self._at_once * 2)
        return True


def newest_gap(width: int, since: int, until: int, most: int) -> tuple[int, int] | None:
    """The ends of the newest stretch of at most so many spans that were not counted."""
    first = since // width * width
    known = {*RolledSpan.objects.filter(width=width, at__gte=first).values_list("at", flat=True)}
    end = until // width * width
    while end > first and end - width in known:
        end -= width
    start = end
    while start > first and start - width not in known and end - start < most * width:
        start -= width
    return (start, end) if start < end else None
