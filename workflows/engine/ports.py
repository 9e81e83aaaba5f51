"""The engine's ports: storage, transactions of the caller, and hooks of the host process.

`dboshub.workflows.storage` implements storage. All times are epoch milliseconds.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, Unpack

from dboshub.workflows.engine.journal.writes import Answer, StepWrite, Write
from dboshub.workflows.engine.observability.tracing import Tracer
from dboshub.workflows.engine.programs import Program
from dboshub.workflows.engine.records import (
    Checkpoint,
    ForkOptions,
    VersionInfo,
    WorkflowOutcome,
)


class StorageUnavailableError(Exception):
    """The database did not answer. The same call may succeed later."""


class StorageExhaustedError(StorageUnavailableError):
    """The database had no memory for a call, or the connection ended.

    Later, or with smaller values, it may succeed. If the database answers other calls, the value
    may be why: who repeats this one without end would never be answered.
    """


class JournalConnection(Protocol):
    """A database connection of the journal; one thread uses it at a time.

    Its methods raise StorageUnavailableError if the same writes may succeed later. A group may be
    applied again after a commit that was not confirmed: nothing is recorded twice.
    """

    def apply(self, writes: Sequence[Write], *, now: int) -> list[Answer]:
        """Commit a group without waiting for row locks; LOCKED writes need ``apply_isolated``."""

    def apply_isolated(self, write: Write, *, now: int) -> Answer:
        """Commit one write. LOCKED, within milliseconds, if another transaction holds its row."""

    def largest(self, writes: Sequence[Write]) -> int:
        """The size of the largest value that these writes move, in characters.

        It asks the database in any case, and so tells whether that answers.
        """

    def close(self) -> None: ...


class Store(Protocol):
    """Reads, and the writes of operators. Each call is one transaction."""

    def history(self, workflow_id: str, *, after: int, limit: int) -> list[Checkpoint]:
        """Recorded steps with an id above `after`, by id."""

    def outline(self, workflow_id: str, *, after: int, limit: int) -> list[Checkpoint]:
        """The same without their payloads."""

    def histories(self, ids: Sequence[str], *, most: int) -> dict[str, list[Checkpoint]]:
        """The first recorded steps of each of these workflows, at most so many, by id."""

    def owners(self, ids: Iterable[str]) -> dict[str, tuple[str, str | None]]:
        """Status and owner token of each of these workflows that exists."""

    def arguments(self, workflow_id: str) -> str | None:
        """The serialized arguments of a workflow; None if there are none, or no such workflow."""

    def outcome(self, workflow_id: str) -> WorkflowOutcome | None:
        """Status and outcome of a workflow; None if it does not exist."""

    def settled_among(self, ids: Iterable[str]) -> list[tuple[str, bool]]:
        """Those of these workflows that have ended (True) or do not exist (False)."""

    def terminal_among(self, ids: Iterable[str]) -> list[str]:
        """Those of these workflows that have a terminal status."""

    def messages_among(self, keys: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """Those of these (workflow, topic) pairs that have an unconsumed message."""

    def event(self, workflow_id: str, key: str) -> tuple[str, str | None] | None:
        """Value and serialization of an event, or None."""

    def events(self, workflow_id: str) -> list[tuple[str, str, str | None]]:
        """Key, value and serialization of each event of a workflow."""

    def events_among(self, keys: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """Those of these (workflow, key) pairs that are set."""

    def stream(
        self, workflow_id: str, key: str, *, offset: int, limit: int
    ) -> list[tuple[int, str, str | None]]:
        """Offset, value and serialization of up to `limit` values from `offset` on."""

    def stream_end(self, workflow_id: str, key: str) -> tuple[str, str | None] | None:
        """Value and serialization of the last value of a stream, or None."""

    def streams_among(self, keys: Iterable[tuple[str, str, int]]) -> list[tuple[str, str, int]]:
        """Those of these (workflow, key, offset) triples that are written."""

    def retire(self, workflow_id: str, owner: str, *, status: str, now: int) -> bool:
        """End a workflow without an outcome; False if `owner` no longer owns the row."""

    def hand_back(self, owned: Iterable[tuple[str, str]], *, now: int) -> int:
        """Enqueue PENDING workflows again that still have these owners, as if never claimed."""

    def reenqueue(self, owned: Iterable[tuple[str, str | None]], *, now: int) -> int:
        """Enqueue PENDING workflows again that still have these owners; return how many."""

    def record_failed_attempt(
        self,
        workflow_id: str,
        function_id: int,
        *,
        attempt: int,
        error: str | None,
        message: str,
        failed_at: int,
        next_at: int | None,
    ) -> None:
        """Record a failed attempt of a step, for operators."""

    def cancel(self, ids: Sequence[str], *, children: bool, now: int) -> list[str]: ...
    def resume(self, ids: Sequence[str], *, queue: str | None, now: int) -> list[str]: ...
    def delete(self, ids: Sequence[str], *, children: bool) -> list[str]: ...
    def fork(
        self, source: str, *, new_id: str, start_step: int, **options: Unpack[ForkOptions]
    ) -> None: ...
    def fork_from_failure(
        self,
        forks: Mapping[str, str],
        start: Mapping[str, Any],
        **options: Unpack[ForkOptions],
    ) -> None:
        """Fork all or none. Raises KeyError for an unknown id, LookupError for an unknown step."""

    def rewind(
        self,
        workflow_id: str,
        *,
        start_step: int,
        application_version: str | None = None,
        queue: str | None = None,
        partition_key: str | None = None,
        now: int,
    ) -> None: ...
    def rename_application(self, old: str | None, new: str, **how: Any) -> dict[str, int]:
        """Give all rows of an application another name. Returns the rows of each kind."""

    def export_workflow(self, workflow_id: str, *, children: bool) -> str:
        """All rows of a workflow, as text. Raises KeyError for an unknown id."""

    def import_workflow(self, text: str) -> list[dict[str, Any]]:
        """Insert all workflows of an export, or none. Returns their rows."""

    def set_delay(self, workflow_id: str, *, until: int, now: int) -> None:
        """Change the time at which a DELAYED workflow is due; other statuses stay unchanged."""

    def update_attributes(
        self, workflow_id: str, attributes: dict[str, Any] | None, *, merge: bool, now: int
    ) -> None: ...
    def versions(self, application: str | None, *, most: int) -> list[VersionInfo]:
        """Versions of the application and those without one, latest first."""

    def set_latest_version(self, name: str, *, application: str | None, now: int) -> bool: ...
    def forks(self, ids: Iterable[str]) -> list[tuple[str, str]]:
        """Pairs of each of these workflows with each of its forks, and forks of forks."""

    def workflows(self, **filters: Any) -> list[dict[str, Any]]:
        """Rows that match the filters of the public API."""

    def workflow_aggregates(self, filters: Mapping[str, Any], **shape: Any) -> list[Any]:
        """Counts, extremes and durations over the workflows that match, one dict per group."""

    def step_aggregates(self, filters: Mapping[str, Any], **shape: Any) -> list[Any]:
        """Counts and durations over the steps that match, one dict per group."""

    def steps(
        self, workflow_id: str, *, load_output: bool, limit: int | None, offset: int | None
    ) -> list[Checkpoint]: ...


@dataclass(frozen=True, slots=True)
class Storage:
    """A system database as the engine uses it."""

    store: Store
    open_journal_connection: Callable[[], JournalConnection]
    isolated_connections: int  # how many connections commit isolated writes


class JoinedTransaction(Protocol):
    """An open transaction of the caller; the engine's writes become part of it."""

    def apply(self, write: Write, *, now: int) -> Answer:
        """Write in the transaction. The write is durable once the caller commits."""

    def on_commit(self, callback: Callable[[], None]) -> None:
        """Call `callback` after the transaction committed."""


class JoinedAsyncTransaction(Protocol):
    """An open transaction of the caller whose writes are awaited."""

    async def apply_async(self, write: Write, *, now: int) -> Answer: ...
    def on_commit(self, callback: Callable[[], None]) -> None: ...


class TransactionOptions(NamedTuple):
    """Step name and isolation level of a transaction; None is the connection's default level."""

    name: str
    isolation_level: str | None = None


class TransactionRunner(Protocol):
    """Runs a body and commits the checkpoint that it returns, in one transaction."""

    def run(
        self,
        body: Callable[[], tuple[StepWrite, Any]],
        *,
        now: int,
        isolation_level: str | None,
    ) -> tuple[Answer, Any]:
        """Commit the body's effects and its checkpoint. Raises what the body raises.

        The transaction is rolled back if the body raises or the checkpoint is refused.
        """

    def is_transient(self, error: Exception) -> bool:
        """Whether the same transaction may succeed later."""

    def is_of_this_call(self, error: Exception) -> bool:
        """Whether a value of the transaction may be why it fails, now and whenever it is tried."""


class Application(Protocol):
    """The database of ``@DBOS.transaction``."""

    def step(
        self,
        options: TransactionOptions,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Program[Any]:
        """Run a transaction as a step of the current workflow."""

    def run_without_step(self, isolation_level: str | None, call: Callable[[], Any]) -> Any:
        """Run a transaction that is no step. Within a transaction the call is part of it."""

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineHooks:
    """Hooks that the host process gives to the engine; a plain script gives none."""

    after_user_code: Callable[[], None] = lambda: None  # called after each sync step and task
    # Called before and after each step that is a coroutine.
    around_async_step: Callable[[], Awaitable[None]] | None = None
    # Calls back once what this thread has open on the system database is committed.
    after_commit: Callable[[Callable[[], None]], None] = lambda callback: callback()
    ambient: Callable[[], JoinedTransaction | None] = lambda: None
    ambient_async: Callable[[], JoinedAsyncTransaction | None] = lambda: None
    application: Application | None = None
    tracer: Tracer | None = None


NO_HOOKS = EngineHooks()
