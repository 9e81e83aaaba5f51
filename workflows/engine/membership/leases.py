"""Leases: when a process may declare another one dead.

An observer uses only its own monotonic clock and its own heartbeats. It compares no timestamps of
two machines, so neither a wrong clock nor an outage of the database makes live processes look
dead. This module starts no thread and uses no database.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dboshub.workflows.engine.errors import DBOSInitializationError
from dboshub.workflows.engine.membership.incarnations import ProcessIdentity

LEASE_KEY = "executor_lease_sec"
HEARTBEAT_KEY = "executor_heartbeat_sec"


@dataclass(frozen=True, slots=True)
class Lease:
    """Interval of the heartbeats, and the silence after which others take over."""

    lease_ms: int = 30_000
    beat_ms: int = 5_000

    def __post_init__(self) -> None:
        if not 0 < self.beat_ms * 3 <= self.lease_ms:
            raise DBOSInitializationError(
                f"{LEASE_KEY} ({self.lease_ms / 1000:g} s) must be at least three times "
                f"{HEARTBEAT_KEY} ({self.beat_ms / 1000:g} s), and both must be positive"
            )

    @classmethod
    def of_seconds(cls, lease: float | None, beat: float | None) -> Lease:
        """A lease of the configured seconds; the beat is by default a sixth of it, at most 5 s."""
        lease_ms = 30_000 if lease is None else round(lease * 1000)
        beat_ms = min(5_000, lease_ms // 6) if beat is None else round(beat * 1000)
        return cls(lease_ms, beat_ms)


@dataclass(frozen=True, slots=True)
class ObservedExecutor:
    """Another process as one heartbeat of ours observed it."""

    incarnation: str
    beat: int
    lease_ms: int
    process: ProcessIdentity


@dataclass(frozen=True, slots=True)
class _UnchangedBeat:
    beat: int
    since: float


class LeaseMonitor:
    """Decides which other processes are dead, from the observations of our heartbeats."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease
        self._last_beat: float | None = None
        self._seen: dict[str, _UnchangedBeat] = {}

    def observe(
        self, started: float, finished: float, others: Iterable[ObservedExecutor]
    ) -> list[ObservedExecutor]:
        """Record one successful heartbeat of ours; return the processes that it proves dead.

        `started` and `finished` are this process's monotonic clock before and after the
        heartbeat that observed `others`.
        """
        gap = float("inf") if self._last_beat is None else finished - self._last_beat
        self._last_beat = finished
        before, self._seen = self._seen, {}
        dead = []
        for other in others:
            seen = before.get(other.incarnation)
            lease_s = max(other.lease_ms, self._lease.lease_ms) / 1000
            # After a gap between our own beats the observation starts again: the same outage
            # may have stopped the other's counter. Half a lease remains for its next beat.
            if seen is None or seen.beat != other.beat or gap > lease_s / 2:
                seen = _UnchangedBeat(other.beat, finished)
            # This beat was observed first by `since` at the latest, and again after `started`.
            elif started - seen.since >= lease_s:
                dead.append(other)
            self._seen[other.incarnation] = seen
        return dead

    def forget(self) -> None:
        """Discard all observations: a heartbeat failed, or this process was declared dead."""
        self._last_beat = None
        self._seen.clear()
