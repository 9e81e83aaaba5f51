"""The lease: who may declare another process dead, and when.

An observer trusts only its own monotonic clock and its own heartbeats. It never compares
timestamps of two machines, so neither a wrong clock nor an outage of the database can make
a whole fleet look dead. Pure: no thread, no database.
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
    """How often a process beats, and how long it may be silent before others take over."""

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
        """Read the configured seconds; a lease given alone brings its own heartbeat."""
        lease_ms = 30_000 if lease is None else round(lease * 1000)
        beat_ms = min(5_000, lease_ms // 6) if beat is None else round(beat * 1000)
        return cls(lease_ms, beat_ms)


@dataclass(frozen=True, slots=True)
class ObservedExecutor:
    """What one heartbeat saw of another process."""

    incarnation: str
    beat: int
    lease_ms: int
    process: ProcessIdentity


@dataclass(frozen=True, slots=True)
class _UnchangedBeat:
    beat: int
    since: float


class LeaseMonitor:
    """Judges other processes by what this one saw between its own successful heartbeats."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease
        self._last_beat: float | None = None
        self._seen: dict[str, _UnchangedBeat] = {}

    def observe(
        self, started: float, finished: float, others: Iterable[ObservedExecutor]
    ) -> list[ObservedExecutor]:
        """Note one successful heartbeat of ours; return whom it proves dead.

        `started` and `finished` are readings of this process's monotonic clock around the
        heartbeat that saw `others`.
        """
        gap = float("inf") if self._last_beat is None else finished - self._last_beat
        self._last_beat = finished
        before, self._seen = self._seen, {}
        dead = []
        for other in others:
            seen = before.get(other.incarnation)
            lease_s = max(other.lease_ms, self._lease.lease_ms) / 1000
            # After a gap of ours nothing is known: the same outage may have stopped the
            # other's counter. Half a lease is left to it to show that it lives.
            if seen is None or seen.beat != other.beat or gap > lease_s / 2:
                seen = _UnchangedBeat(other.beat, finished)
            # It was seen first no later than `since`, and last no earlier than `started`.
            elif started - seen.since >= lease_s:
                dead.append(other)
            self._seen[other.incarnation] = seen
        return dead

    def forget(self) -> None:
        """A heartbeat failed, or this process was itself declared dead: begin again."""
        self._last_beat = None
        self._seen.clear()
