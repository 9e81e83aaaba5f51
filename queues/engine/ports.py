"""The ports of queues: the tables they read and write, and the host of the dispatcher."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from dboshub.queues.engine.settings import QueueSettings
from dboshub.workflows.engine.records import ClaimedWorkflow, NewWorkflow

OnConflict = Literal["update_if_latest_version", "always_update", "never_update"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What the survey of an application's queues found about one queue."""

    queue: QueueSettings
    ready: bool  # a workflow that this process can run is enqueued, or may be
    paused: bool = False
    begins_with_others: bool = False  # it is not known what stands after those for other processes


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The result of one claim; workflows are in the order of priority and creation."""

    workflows: Sequence[ClaimedWorkflow] = ()
    limited: bool = False  # a limit, not an empty queue, kept it from claiming more
    contended: bool = False  # another process is claiming from this queue at the moment
    has_more: bool = False  # there are partitions, or workflows, that it did not look at


@dataclass(frozen=True, slots=True, kw_only=True)
class Postponement:
    """A new delay and new arguments for the debounced workflow of a deduplication id."""

    workflow_name: str
    queue_name: str
    deduplication_id: str
    period_ms: int
    inputs: str
    serialization: str
    application_name: str | None = None


class ClaimStore(Protocol):
    """The queues of one application in the database."""

    def survey(self) -> list[Survey]:
        """Read every queue of this application, the internal one first, in one statement."""

    def claim(
        self,
        queue: QueueSettings,
        tokens: Sequence[str],
        running_here: Callable[[str], int],
        *,
        with_inputs: bool,
    ) -> Claim:
        """Claim at most one workflow per token; each token becomes one workflow's owner token.

        `running_here` returns how many workflows of a partition run in this process. Without
        `with_inputs` the arguments are left to be read.
        """

    def read_back(self, queue: QueueSettings, tokens: Sequence[str]) -> list[ClaimedWorkflow]:
        """The workflows that a claim with these tokens has taken, if its reply was lost.

        Their arguments are left to be read.
        """

    def hand_back(self, workflows: Sequence[ClaimedWorkflow], now: int) -> None:
        """Enqueue claimed workflows again, as if never claimed, for a process that can run them."""


class DispatcherHost(Protocol):
    """The process that runs claimed workflows. The dispatcher's thread calls it."""

    def free_slots(self) -> int:
        """How many more workflows may run here now."""

    def running_on(self, queue: str, partition: str | None = None) -> int:
        """How many workflows of a queue or partition this process owns, waiting ones included."""

    def accepts(self, workflow: ClaimedWorkflow) -> bool:
        """Whether this process can run a workflow; claims leave out what it has refused."""

    def prepare(self, workflows: Sequence[ClaimedWorkflow]) -> None:
        """Read what the replays of these workflows need, before any is started."""

    def run_claimed(self, workflow: ClaimedWorkflow) -> None:
        """Start the workflow without waiting for it."""


class MaintenanceStore(Protocol):
    """Delays that end, and deadlines that pass."""

    def release_due(self, now: int) -> list[str]:
        """Enqueue delayed workflows that are due; return the names of their queues."""

    def cancel_overdue(self, now: int) -> list[str]:
        """Cancel workflows whose deadline has passed; return their ids."""


class QueueTable(Protocol):
    """The table ``queues``, written as one application and version."""

    def register(
        self, settings: QueueSettings, on_conflict: OnConflict, application: str | None = None
    ) -> None:
        """Insert a queue, or update an existing row as `on_conflict` says."""

    def declare(self, settings: QueueSettings) -> None:
        """Register a queue that code declares, and keep a person's later change of it."""

    def retrieve(self, name: str) -> QueueSettings | None: ...
    def list_queues(self, applications: Sequence[str] | None) -> list[QueueSettings]: ...
    def update(self, settings: QueueSettings) -> bool:
        """Change the settings of a queue; return False if it does not exist."""

    def delete(self, name: str) -> None: ...
    def postpone_debounced(self, wanted: Postponement) -> str | None:
        """Postpone the delayed workflow and return its id; None if there is none."""


class EnqueueStore(Protocol):
    """Inserts enqueued workflows."""

    def put(self, rows: Sequence[tuple[NewWorkflow, str]]) -> None:
        """Enqueue workflows with their inputs, all or none; existing ones stay unchanged."""
