"""The engine's `Store` on a system database. Each call is one statement or one transaction."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Concatenate, ParamSpec, TypeVar

from dboshub.workflows.engine.ports import StorageUnavailableError
from dboshub.workflows.storage.control import cancel as cancelling
from dboshub.workflows.storage.control import delete as deleting
from dboshub.workflows.storage.control import rename
from dboshub.workflows.storage.control.adjust import set_delay, update_attributes
from dboshub.workflows.storage.control.fork import fork, forks
from dboshub.workflows.storage.control.fork_points import fork_from_failure
from dboshub.workflows.storage.control.resume import resume_all
from dboshub.workflows.storage.control.rewind import rewind
from dboshub.workflows.storage.control.transfer import export, import_
from dboshub.workflows.storage.control.versions import set_latest_version, versions
from dboshub.workflows.storage.database import Sessions
from dboshub.workflows.storage.fence import lock_owner
from dboshub.workflows.storage.journal.history import (
    histories,
    history,
    outline,
    record_failed_attempt,
    steps,
)
from dboshub.workflows.storage.listing import aggregates, workflow_rows
from dboshub.workflows.storage.membership.recover import hand_back, reenqueue
from dboshub.workflows.storage.row_locks import brief_locks, is_locked
from dboshub.workflows.storage.sql import Session
from dboshub.workflows.storage.transient_errors import raising_unavailable
from dboshub.workflows.storage.waiting.awaited_values import (
    event,
    events,
    events_among,
    messages_among,
    stream,
    stream_end,
    streams_among,
)
from dboshub.workflows.storage.waiting.outcomes import (
    arguments,
    outcome,
    owners,
    retire,
    settled_among,
    terminal_among,
)

P = ParamSpec("P")
R = TypeVar("R")

ATTEMPTS = 8
FIRST_PAUSE_S = 0.05
LOCKED_S, MAX_LOCKED_PAUSE_S = 60.0, 1.0


def _retried(
    call: Callable[Concatenate[SqlStore, P], R],
) -> Callable[Concatenate[SqlStore, P], R]:
    """Repeat a call while the database is unavailable, with doubling pauses: about six seconds.

    A call that finds a row locked is repeated for LOCKED_S; meanwhile it keeps no connection.
    """

    @functools.wraps(call)
    def retried(store: SqlStore, /, *args: P.args, **kwargs: P.kwargs) -> R:
        attempt, pause, locked_until = 0, FIRST_PAUSE_S, time.monotonic() + LOCKED_S
        while True:
            try:
                with raising_unavailable():
                    return call(store, *args, **kwargs)
            except StorageUnavailableError as error:
                is_waiting = is_locked(error.__cause__) and time.monotonic() < locked_until
                attempt += not is_waiting
                if attempt == store.attempts:
                    raise
            time.sleep(pause)
            pause = min(2 * pause, MAX_LOCKED_PAUSE_S) if is_waiting else 2 * pause

    return retried


def _read(query: Callable[Concatenate[Session, P], R]) -> Callable[Concatenate[SqlStore, P], R]:
    """The method that executes a query on a session for reading."""

    def call(store: SqlStore, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with store.database.reading() as session:
            return query(session, *args, **kwargs)

    return _retried(call)


def _write(query: Callable[Concatenate[Session, P], R]) -> Callable[Concatenate[SqlStore, P], R]:
    """The method that executes a query in a transaction."""

    def call(store: SqlStore, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with brief_locks(), store.database.writing() as session:
            lock_owner(session)
            return query(session, *args, **kwargs)

    return _retried(call)


def _cancel(session: Session, ids: Sequence[str], *, children: bool, now: int) -> list[str]:
    wanted = cancelling.with_descendants(session, ids, children=children)
    return cancelling.cancel(session, wanted, now=now)


def _delete(session: Session, ids: Sequence[str], *, children: bool) -> list[str]:
    wanted = cancelling.with_descendants(session, ids, children=children)
    deleting.delete(session, wanted)
    return wanted


class SqlStore:
    """The calls of `engine.ports.Store`. Safe to use from any thread; it holds no connection.

    A listing or aggregate that takes longer than `listing_timeout_s` seconds raises
    DBOSQueryTimeoutError; None and 0 mean no limit. Calls are repeated while the database is
    unavailable; with `retries_unavailable=False` the first StorageUnavailableError propagates.
    """

    def __init__(
        self,
        database: Sessions,
        *,
        listing_timeout_s: float | None = None,
        retries_unavailable: bool = True,
    ) -> None:
        self.database = database
        self._listing_timeout_s = listing_timeout_s
        self.attempts = ATTEMPTS if retries_unavailable else 1

    history = _read(history)
    outline = _read(outline)
    histories = _read(histories)
    steps = _read(steps)
    owners = _read(owners)
    arguments = _read(arguments)
    outcome = _read(outcome)
    settled_among = _read(settled_among)
    terminal_among = _read(terminal_among)
    messages_among = _read(messages_among)
    events_among = _read(events_among)
    streams_among = _read(streams_among)
    event = _read(event)
    events = _read(events)
    stream = _read(stream)
    stream_end = _read(stream_end)
    forks = _read(forks)
    versions = _read(versions)

    retire = _write(retire)
    hand_back = _write(hand_back)
    reenqueue = _write(reenqueue)
    record_failed_attempt = _write(record_failed_attempt)
    cancel = _write(_cancel)
    resume = _write(resume_all)
    delete = _write(_delete)
    fork = _write(fork)
    fork_from_failure = _write(fork_from_failure)
    rewind = _write(rewind)
    export_workflow = _write(export)
    import_workflow = _write(import_)
    set_delay = _write(set_delay)
    update_attributes = _write(update_attributes)
    set_latest_version = _write(set_latest_version)

    @_retried
    def rename_application(self, /, old: str | None, new: str, **how: Any) -> dict[str, int]:
        return rename.rename(self.database.writing, old, new, **how)

    @_retried
    def workflows(self, /, **filters: Any) -> list[dict[str, Any]]:
        with self._listing(filters) as session:
            return workflow_rows.workflows(session, filters)

    @_retried
    def workflow_aggregates(self, /, filters: Mapping[str, Any], **shape: Any) -> list[Any]:
        with self._listing(filters) as session:
            return aggregates.workflow_aggregates(session, filters, **shape)

    @_retried
    def step_aggregates(self, /, filters: Mapping[str, Any], **shape: Any) -> list[Any]:
        with self._listing(filters) as session:
            return aggregates.step_aggregates(session, filters, **shape)

    def _listing(self, /, filters: Mapping[str, Any]) -> AbstractContextManager[Session]:
        """A session for a listing. One by workflow ids is fast and needs no time limit."""
        if self._listing_timeout_s and filters.get("workflow_ids") is None:
            return self.database.reading_with_timeout(self._listing_timeout_s)
        return self.database.reading()
