"""What the engine asks of storage: `dboshub.workflows.storage` implements it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from dboshub.workflows.engine.journal.writes import Answer, StepWrite, Write
from dboshub.workflows.engine.observability.tracing import Tracer
from dboshub.workflows.engine.programs import Program
from dboshub.workflows.engine.records import Checkpoint, Ended, VersionInfo

if TYPE_CHECKING:
    from dboshub.workflows.engine.runtime.execution import Execution


class StorageUnavailableError(Exception):
    """The database did not answer; the same call may succeed a moment later."""


class Lane(Protocol):
    """One connection of the journal's, used by one thread at a time.

    Raises StorageUnavailableError when it is worth trying again; a repetition of a group whose
    commit was not confirmed is recognised.
    """

    def apply(self, writes: Sequence[Write], *, now: int) -> list[Answer]:
        """Make a group durable, never waiting for a lock; LOCKED asks for ``apply_isolated``."""

    def apply_isolated(self, write: Write, *, now: int) -> Answer:
        """Make one write durable, waiting for whoever holds its row."""

    def close(self) -> None: ...


class Store(Protocol):
    """Reads, and the writes that operators make. Each call is one transaction."""

    def history(self, workflow_id: str, *, after: int, limit: int) -> list[Checkpoint]:
        """Recorded steps beyond a step id, in order."""

    def owners(self, ids: Iterable[str]) -> dict[str, tuple[str, str | None]]:
        """Status and owner token of each workflow that exists."""

    def ended(self, ids: Iterable[str]) -> dict[str, Ended]:
        """Those that reached a terminal status, with their outcome."""

    def terminal_among(self, ids: Iterable[str]) -> list[str]: ...
    def messages_among(self, keys: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """Which of these (workflow, topic) have a message waiting."""

    def event(self, workflow_id: str, key: str) -> tuple[str, str | None] | None: ...
    def events(self, workflow_id: str) -> list[tuple[str, str, str | None]]:
        """Key, value and serialization of each event of a workflow."""

    def events_among(self, keys: Iterable[tuple[str, str]]) -> list[tuple[str, str]]: ...
    def stream(
        self, workflow_id: str, key: str, *, offset: int, limit: int
    ) -> list[tuple[int, str, str | None]]:
        """Offset, value and serialization from an offset on."""

    def stream_end(self, workflow_id: str, key: str) -> tuple[str, str | None] | None:
        """Value and serialization of the last entry of a stream."""

    def streams_among(self, keys: Iterable[tuple[str, str, int]]) -> list[tuple[str, str, int]]:
        """Which of these (workflow, key, offset) have been written."""

    def retire(self, workflow_id: str, owner: str, *, status: str, now: int) -> bool:
        """End a run without an outcome, if `owner` still owns it."""

    def undo_attempt_count(self, workflow_id: str, owner: str) -> None:
        """Take back the attempt of a claim that ran nothing, if `owner` still owns the row."""

    def record_failed_attempt(self, **attempt: Any) -> None:
        """Remember a failed attempt of a step."""

    def cancel(self, ids: Sequence[str], *, children: bool, now: int) -> list[str]: ...
    def resume(self, ids: Sequence[str], *, queue: str | None, now: int) -> list[str]: ...
    def delete(self, ids: Sequence[str], *, children: bool) -> list[str]: ...
    def fork(self, source: str, **how: Any) -> None: ...
    def fork_from_failure(
        self, forks: Mapping[str, str], start: Mapping[str, Any], **how: Any
    ) -> None:
        """Fork all or none. Raises KeyError for an unknown id, LookupError for an unknown step."""

    def rewind(self, workflow_id: str, **how: Any) -> None: ...
    def rename_application(self, old: str | None, new: str, **how: Any) -> dict[str, int]:
        """Give all rows of an application to another name; how many of each kind."""

    def export_workflow(self, workflow_id: str, *, children: bool) -> str:
        """All that is stored of a workflow, as text. Raises KeyError for an unknown one."""

    def import_workflow(self, text: str) -> list[dict[str, Any]]:
        """Take in all workflows of an export, or none; their rows."""

    def set_delay(self, workflow_id: str, *, until: int, now: int) -> None:
        """Change when a DELAYED workflow is due; any other stays as it is."""

    def update_attributes(
        self, workflow_id: str, attributes: dict[str, Any] | None, *, merge: bool, now: int
    ) -> None: ...
    def versions(self, application: str | None, *, most: int) -> list[VersionInfo]:
        """Own and unclaimed application versions, latest first."""

    def set_latest_version(self, name: str, *, application: str | None, now: int) -> None: ...
    def forks(self, ids: Iterable[str]) -> list[tuple[str, str]]:
        """Each of these workflows with each of its forks, and forks of forks."""

    def workflows(self, **filters: Any) -> list[dict[str, Any]]:
        """Rows by the filters of the public API."""

    def workflow_aggregates(self, filters: Mapping[str, Any], **shape: Any) -> list[Any]:
        """Figures over the workflows that match, one dict for each group."""

    def step_aggregates(self, filters: Mapping[str, Any], **shape: Any) -> list[Any]: ...
    def steps(
        self, workflow_id: str, *, load_output: bool, limit: int | None, offset: int | None
    ) -> list[Checkpoint]: ...


@dataclass(frozen=True, slots=True)
class Storage:
    """One system database as the engine uses it."""

    store: Store
    open_journal_connection: Callable[[], Lane]
    side_connections: int  # how many writes may wait for locked rows at once


class JoinedTransaction(Protocol):
    """The caller's transaction, as far as the engine uses it."""

    def apply(self, write: Write, *, now: int) -> Answer:
        """Write in the transaction: durable when it commits, gone if it rolls back."""

    def on_commit(self, callback: Callable[[], None]) -> None: ...


class JoinedAsyncTransaction(Protocol):
    """The same where writing is awaited."""

    async def apply_async(self, write: Write, *, now: int) -> Answer: ...
    def on_commit(self, callback: Callable[[], None]) -> None: ...


class TransactionRunner(Protocol):
    """Runs a body and the checkpoint it returns in one transaction on the system database.

    ``run`` raises what the body raises, after rolling back; ``is_transient`` tells failures of the
    database that may not happen again.
    """

    def run(
        self,
        body: Callable[[], tuple[StepWrite, Any]],
        *,
        now: int,
        isolation_level: str | None,
    ) -> tuple[Answer, Any]: ...
    def is_transient(self, error: Exception) -> bool: ...


class Application(Protocol):
    """The database that ``@DBOS.transaction`` is for. No isolation level means its default."""

    def step(
        self,
        execution: Execution,
        options: tuple[str, str | None],
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Program[Any]:
        """A transaction as a step, by name and isolation level; its id is drawn as it begins."""

    def run_without_step(self, isolation_level: str | None, call: Callable[[], Any]) -> Any:
        """A transaction that is no step; within one it is a part of it."""

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineHooks:
    """What the process around the engine wants of it; a plain script wants nothing."""

    tidy: Callable[[], None] = lambda: None  # after each sync step and task
    ambient: Callable[[], JoinedTransaction | None] = lambda: None
    ambient_async: Callable[[], JoinedAsyncTransaction | None] = lambda: None
    application: Application | None = None
    tracer: Tracer | None = None
