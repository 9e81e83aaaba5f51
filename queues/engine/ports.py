"""What the dispatcher needs from storage and from the process it runs in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from dboshub.queues.engine.settings import QueueSettings
from dboshub.workflows.engine.records import ClaimedWorkflow


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """One queue as the last look found it."""

    queue: QueueSettings
    ready: bool  # something enqueued is for this application and version
    paused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What one claim took, most urgent first."""

    workflows: Sequence[ClaimedWorkflow] = ()
    limited: bool = False  # a limit, not an empty queue, kept it from taking more
    contended: bool = False  # another process is claiming from this queue right now


class ClaimStore(Protocol):
    """The queues of one application in the database."""

    def survey(self) -> list[Survey]:
        """Every queue of this application, the internal one first, in one statement."""

    def claim(
        self, queue: QueueSettings, tokens: Sequence[str], running_here: Callable[[str], int]
    ) -> Claim:
        """Take at most one workflow per token; each token becomes one workflow's owner.

        `running_here` says how many of a partition run in this process.
        """

    def read_back(self, queue: QueueSettings, tokens: Sequence[str]) -> list[ClaimedWorkflow]:
        """What a claim whose reply was lost took."""


class Host(Protocol):
    """The process that runs what is claimed. Called from the dispatcher's thread."""

    def free_slots(self) -> int:
        """How many more workflows may run here now."""

    def running_on(self, queue: str, partition: str | None = None) -> int:
        """How many of this queue (or of one partition) are held here, parked ones included."""

    def run_claimed(self, workflow: ClaimedWorkflow) -> None:
        """Start it without waiting for it."""


class MaintenanceStore(Protocol):
    """What time does to workflows: delays end, deadlines pass."""

    def release_due(self, now: int) -> list[str]:
        """Enqueue delayed workflows whose time has come; the queues they went to."""

    def cancel_overdue(self, now: int) -> list[str]:
        """Cancel workflows whose deadline has passed; their ids."""
