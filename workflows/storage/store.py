"""The engine's port on a system database: each call is one statement, or one transaction."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, ParamSpec, TypeVar

from dboshub.workflows.engine.ports import StorageUnavailableError
from dboshub.workflows.engine.records import Checkpoint, Ended, VersionInfo
from dboshub.workflows.storage.control import (
    adjust,
    cancel,
    delete,
    fork,
    rename,
    resume,
    rewind,
    transfer,
    versions,
)
from dboshub.workflows.storage.control.fork_points import fork_points
from dboshub.workflows.storage.database import Database
from dboshub.workflows.storage.journal import history
from dboshub.workflows.storage.listing import aggregates, workflow_rows
from dboshub.workflows.storage.sql import Session
from dboshub.workflows.storage.transient_errors import raising_unavailable
from dboshub.workflows.storage.waiting import awaited_values, outcomes

P = ParamSpec("P")
R = TypeVar("R")

ATTEMPTS = 8
FIRST_PAUSE_S = 0.05


def _retried(call: Callable[P, R]) -> Callable[P, R]:
    """Try again, with growing pauses, while the database does not answer; some six seconds."""

    @functools.wraps(call)
    def retried(*args: P.args, **kwargs: P.kwargs) -> R:
        store: Any = args[0]
        for attempt in range(store.attempts):
            try:
                with raising_unavailable():
                    return call(*args, **kwargs)
            except StorageUnavailableError:
                if attempt + 1 == store.attempts:
                    raise
                time.sleep(FIRST_PAUSE_S * 2**attempt)
        raise AssertionError("unreachable")

    return retried


class SqlStore:
    """Safe to use from any thread; nothing is held between calls.

    Listings and aggregates are given up after `patience` seconds, if it is not None or 0. A call
    is repeated while the database does not answer, unless `retries_unavailable` says no.
    """

    def __init__(
        self,
        database: Database,
        *,
        listing_timeout_s: float | None = None,
        retries_unavailable: bool = True,
    ) -> None:
        self._database = database
        self._listing_timeout_s = listing_timeout_s
        self.attempts = ATTEMPTS if retries_unavailable else 1

    def _reading_with_timeout(self, filters: Mapping[str, Any]) -> AbstractContextManager[Session]:
        """A session for a listing; one by ids takes no time that needs a limit."""
        if self._listing_timeout_s and filters.get("workflow_ids") is None:
            return self._database.reading_with_timeout(self._listing_timeout_s)
        return self._database.reading()

    # -- reads -----------------------------------------------------------------------------

    @_retried
    def history(self, workflow_id: str, *, after: int, limit: int) -> list[Checkpoint]:
        with self._database.reading() as session:
            return history.history(session, workflow_id, after=after, limit=limit)

    @_retried
    def steps(
        self, workflow_id: str, *, load_output: bool, limit: int | None, offset: int | None
    ) -> list[Checkpoint]:
        with self._database.reading() as session:
            found = history.history(
                session,
                workflow_id,
                after=history.BEFORE_FIRST_STEP,
                limit=(limit or 2**31 - 1) + (offset or 0),
                load_output=load_output,
            )
        return found[offset or 0 :]

    @_retried
    def owners(self, ids: Iterable[str]) -> dict[str, tuple[str, str | None]]:
        with self._database.reading() as session:
            return outcomes.owners(session, ids)

    @_retried
    def ended(self, ids: Iterable[str]) -> dict[str, Ended]:
        with self._database.reading() as session:
            return outcomes.ended(session, ids)

    @_retried
    def terminal_among(self, ids: Iterable[str]) -> list[str]:
        with self._database.reading() as session:
            return outcomes.terminal_among(session, ids)

    @_retried
    def messages_among(self, keys: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        with self._database.reading() as session:
            return awaited_values.among(session, awaited_values.MESSAGES, keys)

    @_retried
    def events_among(self, keys: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        with self._database.reading() as session:
            return awaited_values.among(session, awaited_values.EVENTS, keys)

    @_retried
    def streams_among(self, keys: Iterable[tuple[str, str, int]]) -> list[tuple[str, str, int]]:
        with self._database.reading() as session:
            return awaited_values.among(session, awaited_values.STREAMS, keys)

    @_retried
    def event(self, workflow_id: str, key: str) -> tuple[str, str | None] | None:
        with self._database.reading() as session:
            return awaited_values.event(session, workflow_id, key)

    @_retried
    def events(self, workflow_id: str) -> list[Any]:
        with self._database.reading() as session:
            return session.all(awaited_values.ALL_EVENTS, workflow_id=workflow_id)

    @_retried
    def stream(self, workflow_id: str, key: str, *, offset: int, limit: int) -> list[Any]:
        with self._database.reading() as session:
            return session.all(
                awaited_values.STREAM, workflow_id=workflow_id, key=key, offset=offset, limit=limit
            )

    @_retried
    def stream_end(self, workflow_id: str, key: str) -> Any:
        with self._database.reading() as session:
            return session.one(awaited_values.STREAM_END, workflow_id=workflow_id, key=key)

    @_retried
    def forks(self, ids: Iterable[str]) -> list[tuple[str, str]]:
        with self._database.reading() as session:
            return fork.forks(session, ids)

    @_retried
    def versions(self, application: str | None, *, most: int) -> list[VersionInfo]:
        with self._database.reading() as session:
            return versions.versions(session, application=application, most=most)

    @_retried
    def workflows(self, **filters: Any) -> list[dict[str, Any]]:
        with self._reading_with_timeout(filters) as session:
            return workflow_rows.workflows(session, filters)

    @_retried
    def workflow_aggregates(self, filters: Mapping[str, Any], **shape: Any) -> list[Any]:
        with self._reading_with_timeout(filters) as session:
            return aggregates.workflow_aggregates(session, filters, **shape)

    @_retried
    def step_aggregates(self, filters: Mapping[str, Any], **shape: Any) -> list[Any]:
        with self._reading_with_timeout(filters) as session:
            return aggregates.step_aggregates(session, filters, **shape)

    # -- what operators, deadlines and limits do -------------------------------------------

    @_retried
    def retire(self, workflow_id: str, owner: str, *, status: str, now: int) -> bool:
        with self._database.writing() as session:
            return outcomes.retire(session, workflow_id, owner, status=status, now=now)

    @_retried
    def undo_attempt_count(self, workflow_id: str, owner: str) -> None:
        with self._database.writing() as session:
            outcomes.undo_attempt_count(session, workflow_id, owner)

    @_retried
    def record_failed_attempt(self, **attempt: Any) -> None:
        with self._database.writing() as session:
            history.record_failed_attempt(session, **attempt)

    @_retried
    def cancel(self, ids: Sequence[str], *, children: bool, now: int) -> list[str]:
        with self._database.writing() as session:
            wanted = [*ids, *(cancel.descendants(session, ids) if children else ())]
            return cancel.cancel(session, wanted, now=now)

    @_retried
    def resume(self, ids: Sequence[str], *, queue: str | None, now: int) -> list[str]:
        """Resume all or none. Raises KeyError with the first id that does not exist."""
        with self._database.writing() as session:
            known = resume.statuses(session, ids)
            for workflow_id in ids:
                if workflow_id not in known:
                    raise KeyError(workflow_id)
            return resume.resume(session, ids, queue=queue, now=now)

    @_retried
    def delete(self, ids: Sequence[str], *, children: bool) -> list[str]:
        with self._database.writing() as session:
            wanted = [*ids, *(cancel.descendants(session, ids) if children else ())]
            delete.delete(session, wanted)
            return wanted

    @_retried
    def fork(self, source: str, **how: Any) -> None:
        with self._database.writing() as session:
            fork.fork(session, source, **how)

    @_retried
    def fork_from_failure(
        self, forks: Mapping[str, str], start: Mapping[str, Any], **how: Any
    ) -> None:
        """Fork all or none. Raises KeyError for an unknown id, LookupError for an unknown step."""
        with self._database.writing() as session:
            points = fork_points(session, forks, name=start["name"] or "")
            for source, new_id in forks.items():
                step = points[source].start(**start)
                if step is None:
                    raise LookupError(source)
                fork.fork(session, source, new_id=new_id, start_step=step, **how)

    @_retried
    def rewind(self, workflow_id: str, **how: Any) -> None:
        with self._database.writing() as session:
            rewind.rewind(session, workflow_id, **how)

    @_retried
    def rename_application(self, old: str | None, new: str, **how: Any) -> dict[str, int]:
        return rename.rename(self._database.writing, old, new, **how)

    @_retried
    def export_workflow(self, workflow_id: str, *, children: bool) -> str:
        with self._database.writing() as session:
            return transfer.export(session, workflow_id, children=children)

    @_retried
    def import_workflow(self, text: str) -> list[dict[str, Any]]:
        with self._database.writing() as session:
            return transfer.import_(session, text)

    @_retried
    def set_delay(self, workflow_id: str, *, until: int, now: int) -> None:
        with self._database.writing() as session:
            adjust.set_delay(session, workflow_id, until=until, now=now)

    @_retried
    def update_attributes(
        self, workflow_id: str, attributes: dict[str, Any] | None, *, merge: bool, now: int
    ) -> None:
        with self._database.writing() as session:
            adjust.update_attributes(session, workflow_id, attributes, merge=merge, now=now)

    @_retried
    def set_latest_version(self, name: str, *, application: str | None, now: int) -> None:
        with self._database.writing() as session:
            versions.set_latest(session, name, application=application, now=now)
