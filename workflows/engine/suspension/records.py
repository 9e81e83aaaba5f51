"""What is written of a workflow that leaves memory, and the port that writes and wakes it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

# Kinds of what wakes a suspended workflow.
MESSAGE, EVENT, RESULT = "message", "event", "result"
# The name of a RESULT whose workflow must not be missing: its deletion ends the wait.
MUST_EXIST = "must exist"


class WakeKey(NamedTuple):
    """A message of (workflow, topic), an event of (workflow, key), or the end of a workflow."""

    kind: str
    target: str
    name: str = ""


class WaitRow(NamedTuple):
    """A suspended workflow waits for a key; `created_at` tells its row from others of its id."""

    kind: str
    target: str
    name: str
    workflow_id: str
    created_at: int

    @property
    def key(self) -> WakeKey:
        return WakeKey(self.kind, self.target, self.name)


@dataclass(frozen=True, slots=True)
class Departure:
    """A workflow that leaves memory until `until` (epoch ms), or until one of its keys is met."""

    workflow_id: str
    owner: str
    until: int | None
    keys: tuple[WakeKey, ...] = ()


@dataclass(frozen=True, slots=True)
class Suspended:
    """The wait rows that were written, and the ids of rows that somebody else had locked."""

    waits: Sequence[WaitRow]
    locked: Collection[str]


class SuspensionStore(Protocol):
    """The rows of suspended workflows. Each call is a transaction.

    Every call raises StorageUnavailableError for what may succeed later.
    """

    def suspend(self, departures: Sequence[Departure], *, now: int) -> Suspended:
        """Suspend the PENDING workflows that still have their owners, with their wait rows."""

    def waits_for(self, keys: Sequence[WakeKey], *, most: int) -> list[WaitRow]:
        """At most so many wait rows with one of these keys."""

    def waits_after(self, last: WaitRow | None, *, most: int) -> list[WaitRow]:
        """The next wait rows in the order of the primary key; None begins with the first."""

    def forget_stale(self, waits: Sequence[WaitRow]) -> int:
        """Delete those of these wait rows whose workflow is not suspended any more."""

    def ready(self, waits: Sequence[WaitRow]) -> list[WaitRow]:
        """Those of these wait rows whose message, event or outcome is there."""

    def wake(self, waits: Sequence[WaitRow], *, now: int) -> list[str]:
        """Enqueue these workflows, if they are still suspended; return the names of their queues.

        Rows that somebody else has locked are skipped.
        """
