"""Maintenance of the rollups by the lease holder.

It counts closed minutes, samples queues, downsamples old minutes and backfills gaps. A minute is
closed CLOSING_DELAY_MS after its end. The last RECOUNTED_MINUTES are counted again each time,
because commits come late and an ended workflow can be resumed. Gaps are filled from the newest on;
after each piece of work the maintainer is idle for IDLE_FACTOR times as long.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from dboshub.workflows.models import QueueSample, RolledSpan
from dboshub.workflows.models.rollups import HOUR, MINUTE
from dboshub.workflows.rollups.downsampling import MINUTES_KEPT_MS, downsample_hour
from dboshub.workflows.rollups.lease import LeaseHandle
from dboshub.workflows.rollups.store import Reading, recount_spans, sample
from dboshub.workflows.storage.database_clock import database_now
from dboshub.workflows.storage.sql import Session, Statement

CLOSING_DELAY_MS = 15_000
RECOUNTED_MINUTES = 10
FOLLOWER_POLL_S = 15.0
IDLE_FACTOR = 4.0
# Gaps are filled in for this long; older hours come only from minutes.
BACKFILL_MS = 30 * 24 * HOUR
SLOW_S, FAST_S = 1.0, 0.2
MAX_SPANS_AT_ONCE = 60

FIRST = Statement("SELECT MIN(created_at) FROM {workflow_status}")

Sampler = Callable[[Session, int], Iterable[QueueSample]]


@dataclass(slots=True)
class RollupMaintainer:
    """Does one piece of work per `run_once`; the caller provides thread and timing."""

    lease: LeaseHandle
    reading: Reading
    sampler: Sampler
    clock: Callable[[], float] = time.monotonic
    _closed_to: int = field(default=0, init=False)
    _at_once: int = field(default=10, init=False)
    is_filled: bool = field(default=False, init=False)

    def run_once(self) -> float:
        """Do what is due if this process holds the lease; return the seconds to wait.

        Raises LeaseLostError if another process took the lease during the work.
        """
        with self.reading() as session:
            now = database_now(session)
        if not self.lease.take(now):
            self._closed_to = 0
            return FOLLOWER_POLL_S
        edge = (now - CLOSING_DELAY_MS) // MINUTE * MINUTE
        begun = self.clock()
        if edge > self._closed_to:
            self._close(edge, now)
        elif self.is_filled or not self._fill(edge):
            self.is_filled = True
            return (edge + MINUTE + CLOSING_DELAY_MS - now) / 1_000
        return IDLE_FACTOR * (self.clock() - begun)

    def _close(self, edge: int, now: int) -> None:
        """Count the minutes up to `edge`, sample the queues, and downsample old minutes."""
        recount_spans(
            self.lease, self.reading, edge - (RECOUNTED_MINUTES + 1) * MINUTE, edge, width=MINUTE
        )
        with self.reading() as session:
            seen = [*self.sampler(session, now)]
        sample(self.lease, seen)
        while downsample_hour(self.lease, edge):
            pass
        # If no process held the lease for a while, there may be a new gap.
        self.is_filled, self._closed_to = False, edge

    def _fill(self, edge: int) -> bool:
        """Count the newest gap; False if there is none."""
        with self.reading() as session:
            found = session.one(FIRST)
        if found is None or found[0] is None:
            return False
        first, folded = found[0], (edge - MINUTES_KEPT_MS) // HOUR * HOUR
        gap, width = newest_gap(MINUTE, max(folded, first), edge, self._at_once), MINUTE
        if gap is None:
            gap, width = newest_gap(HOUR, max(edge - BACKFILL_MS, first), folded, 1), HOUR
        if gap is None:
            return False
        begun = self.clock()
        recount_spans(self.lease, self.reading, *gap, width=width)
        took = self.clock() - begun
        if took > SLOW_S:
            self._at_once = max(1, self._at_once // 2)
        elif took < FAST_S:
            self._at_once = min(MAX_SPANS_AT_ONCE, self._at_once * 2)
        return True


def newest_gap(width: int, since: int, until: int, most: int) -> tuple[int, int] | None:
    """The start and end of the newest uncounted time, of at most `most` spans; None if none."""
    first = since // width * width
    known = {*RolledSpan.objects.filter(width=width, at__gte=first).values_list("at", flat=True)}
    end = until // width * width
    while end > first and end - width in known:
        end -= width
    start = end
    while start > first and start - width not in known and end - start < most * width:
        start -= width
    return (start, end) if start < end else None
