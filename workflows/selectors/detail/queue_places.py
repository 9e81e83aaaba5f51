"""When a queue had no free place for workflows that waited on it, as far as its rows tell.

A place is held from start to end. The limit is the present one. Of MAX_HOLDERS ended workflows that
are read, those that left memory in between are left out: they gave their place away. So a queue
may have been full for longer than is said, and never for less.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from dboshub.workflows.selectors.rows import WorkflowRow
from dboshub.workflows.storage.fragments import PENDING
from dboshub.workflows.storage.sql import Row, Session, Statement

Interval = tuple[int, int]
MAX_QUEUES, MAX_HOLDERS = 5, 2_000

LIMITS = Statement(
    "SELECT name, concurrency FROM {queues} WHERE name = ANY(:names) AND concurrency IS NOT NULL"
)
_COLUMNS = "queue_name, application_name, started_at_epoch_ms, completed_at, delay_until_epoch_ms"
ENDED = Statement(f"""
    SELECT {_COLUMNS} FROM (
        SELECT {_COLUMNS} FROM {{workflow_status}}
        WHERE completed_at IS NOT NULL AND completed_at > :since
        ORDER BY completed_at LIMIT :most
    ) AS ended
    WHERE queue_name = ANY(:names)
""")
RUNNING = Statement(f"""
    SELECT {_COLUMNS} FROM {{workflow_status}}
    WHERE queue_name = ANY(:names) AND {PENDING} LIMIT :most
""")


def times_without_a_place(
    session: Session, rows: Iterable[WorkflowRow], now: int
) -> dict[str, list[Interval]]:
    """The times (epoch ms) in which the queue was full, by the id of each row that waited on it."""
    waited = [row for row in rows if row.queue_name and _waited_until(row, now) > row.enqueued_at]
    names = [*dict.fromkeys(row.queue_name for row in waited)][:MAX_QUEUES]
    if not names:
        return {}
    limits: dict[str, int] = dict(session.all(LIMITS, names=session.ids(names)))
    waited = [row for row in waited if row.queue_name in limits]
    if not waited:
        return {}
    holders = _holders(session, [*limits], min(row.enqueued_at for row in waited))
    full: dict[tuple[str | None, str | None], list[Interval]] = {}
    for row in waited:
        key = row.queue_name, row.application_name
        if key not in full:
            full[key] = [*_full(limits[row.queue_name or ""], _of(holders, *key), now)]
    return {row.pk: full[row.queue_name, row.application_name] for row in waited}


def _waited_until(row: WorkflowRow, now: int) -> int:
    if row.began_at is not None:
        return row.began_at
    return now if row.is_waiting else row.created_at


def _holders(session: Session, names: Sequence[str], since: int) -> list[Row]:
    asked = {"names": session.ids(names), "most": MAX_HOLDERS}
    return [*session.all(ENDED, **asked, since=since), *session.all(RUNNING, **asked)]


def _of(rows: Iterable[Row], queue: str | None, application: str | None) -> Iterator[Row]:
    """The rows that count for an application: its own, and those of none."""
    return (row for row in rows if row[0] == queue and row[1] in (application, None))


def _full(limit: int, holders: Iterable[Row], now: int) -> Iterator[Interval]:
    """The times in which at least `limit` of these held a place."""
    changes: list[tuple[int, int]] = []
    for _, _, started, ended, due in holders:
        if started is not None and (due is None or due <= started):
            changes += [(started, 1), (max(started, ended or now), -1)]
    held, since = 0, 0
    for at, change in sorted(changes):
        before, held = held, held + change
        if before < limit <= held:
            since = at
        elif held < limit <= before and at > since:
            yield since, at
