"""The depths of queues, within a fixed budget of rows, whatever the backlog.

Every queue costs a few searches in the index of workflows in flight. A count that stops at its
limit is marked "at least".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from dboshub.workflows.selectors.counts import Count
from dboshub.workflows.selectors.scope import Viewer
from dboshub.workflows.storage.fragments import ENQUEUED, PENDING
from dboshub.workflows.storage.sql import Session, Statement
from dboshub.workflows.storage.translation import sqlite_text

# Budgets of counted rows for one page, which its queues share.
MAX_WAITING, MAX_RUNNING, MAX_DELAYED, MAX_STARTED = 9_000, 5_000, 3_000, 2_000
# The search for a queue's oldest workflow reads at most this many priorities.
MAX_PRIORITIES = 20
# The oldest is the one that waits longest among so many of a priority that were created first.
MAX_OLDEST = 3

NONE = Count(0)


@dataclass(frozen=True, slots=True)
class Depth:
    """One queue's workflows. `head_id` is the next one, `started` what a rate limit counts."""

    waiting: Count = NONE
    running: Count = NONE
    delayed: Count = NONE
    started: Count = NONE
    head_id: str | None = None
    oldest_at: int | None = None
    is_oldest_sure: bool = True
    next_due_at: int | None = None

    @property
    def is_idle(self) -> bool:
        return not (self.waiting.number or self.running.number or self.delayed.number)


def _of_names(sql: str) -> Statement:
    """A statement in which NAMES stands for the queues' names, as the table `asked`."""
    return Statement(
        postgres=sql.replace("NAMES", "unnest(CAST(:names AS text[])) AS asked (name)"),
        sqlite=sqlite_text(
            sql.replace("NAMES", "(SELECT value AS name FROM json_each(:names)) AS asked")
        ),
    )


# Since when an enqueued workflow waits.
ENQUEUED_AT = """CASE WHEN delay_until_epoch_ms > created_at THEN delay_until_epoch_ms
        ELSE created_at END"""
# The oldest workflow of each priority, because the index is ordered by priority first. What was
# created first may have been delayed or suspended, so the first few are read. On SQLite a row may
# hold text for a number: results are read as numbers by the names of their columns.
OLDEST = _of_names(f"""
    WITH RECURSIVE levels (name, priority, place) AS (
        SELECT name, (
            SELECT MIN(priority) FROM {{workflow_status}}
            WHERE queue_name = asked.name AND {ENQUEUED} AND SCOPE
        ), 1
        FROM NAMES
        UNION ALL
        SELECT name, (
            SELECT MIN(priority) FROM {{workflow_status}}
            WHERE queue_name = levels.name AND {ENQUEUED} AND SCOPE AND priority > levels.priority
        ), place + 1
        FROM levels
        WHERE priority IS NOT NULL AND place <= {MAX_PRIORITIES}
    )
    SELECT name, MIN((
        SELECT MIN(enqueued_at) FROM (
            SELECT {ENQUEUED_AT} AS enqueued_at FROM {{workflow_status}}
            WHERE queue_name = levels.name AND {ENQUEUED} AND SCOPE AND priority = levels.priority
            ORDER BY created_at
            LIMIT {MAX_OLDEST}
        ) AS earliest
    )) AS created_at, COUNT(*)
    FROM levels
    WHERE priority IS NOT NULL
    GROUP BY name
""")
COUNTED = _of_names(f"""
    SELECT asked.name, (
        SELECT COUNT(*) FROM (
            SELECT 1 AS one FROM {{workflow_status}}
            WHERE queue_name = asked.name AND {ENQUEUED} AND SCOPE
            LIMIT :most_waiting
        ) AS waiting
    ), (
        SELECT COUNT(*) FROM (
            SELECT 1 AS one FROM {{workflow_status}}
            WHERE queue_name = asked.name AND {PENDING} AND SCOPE
            LIMIT :most_running
        ) AS running
    ), (
        SELECT workflow_uuid FROM {{workflow_status}}
        WHERE queue_name = asked.name AND {ENQUEUED} AND SCOPE
        ORDER BY priority, created_at
        LIMIT 1
    )
    FROM NAMES
""")
# A whole number, or no index serves the comparison; whatever period a row holds, no overflow.
RATE_SINCE = """
    CASE WHEN ABS(queue.rate_limit_period_sec) < 1e9
        THEN CAST(:now - queue.rate_limit_period_sec * 1000 AS bigint)
        WHEN queue.rate_limit_period_sec IS NOT NULL THEN 0
    END
"""
STARTS = _of_names(f"""
    SELECT queue.name, (
        SELECT COUNT(*) FROM (
            SELECT 1 AS one FROM {{workflow_status}}
            WHERE queue_name = queue.name
                AND rate_limited = TRUE
                AND started_at_epoch_ms > {RATE_SINCE}
                AND status NOT IN ('ENQUEUED', 'DELAYED')
            LIMIT :most
        ) AS started
    )
    FROM NAMES
    JOIN {{queues}} AS queue ON queue.name = asked.name
    WHERE queue.rate_limit_max IS NOT NULL
""")
# The index is ordered by due time only, so the next due workflows of all queues are read.
DUE = Statement("""
    SELECT queue_name, COUNT(*), MIN(delay_until_epoch_ms) FROM (
        SELECT queue_name, delay_until_epoch_ms FROM {workflow_status}
        WHERE status = 'DELAYED' AND SCOPE
        ORDER BY delay_until_epoch_ms
        LIMIT :most
    ) AS due
    GROUP BY queue_name
""")


def oldest(
    session: Session, names: Sequence[str], viewer: Viewer
) -> dict[str, tuple[int | None, bool]]:
    """Since when each queue's oldest workflow waits, and whether it is surely the oldest."""
    scope, params = viewer.scope()
    found = session.all(_scoped(OLDEST, scope), names=session.ids(names), **params)
    return {name: (at, priorities <= MAX_PRIORITIES) for name, at, priorities in found}


def depths(
    session: Session, names: Sequence[str], viewer: Viewer, *, now: int, rated: bool = True
) -> dict[str, Depth]:
    """The depth of each queue in the viewer's scope, in at most four statements."""
    if not names:
        return {}
    narrow, params = viewer.scope()
    params |= {"names": session.ids(names)}
    oldest_of = oldest(session, names, viewer)
    waits, runs = _share(MAX_WAITING, len(oldest_of)), _share(MAX_RUNNING, len(names))
    found = {
        name: Depth(_count(waiting, waits), _count(running, runs), head_id=head)
        for name, waiting, running, head in session.all(
            _scoped(COUNTED, narrow), most_waiting=waits, most_running=runs, **params
        )
    }
    for name, (at, is_sure) in oldest_of.items():
        found[name] = replace(found[name], oldest_at=at, is_oldest_sure=is_sure)
    _add_delayed(session, found, narrow, {**params, "most": MAX_DELAYED})
    if rated:
        most = _share(MAX_STARTED, len(names))
        for name, started in session.all(STARTS, names=params["names"], now=now, most=most):
            found[name] = replace(found[name], started=_count(started, most))
    return found


def _add_delayed(
    session: Session, found: dict[str, Depth], narrow: str, params: dict[str, object]
) -> None:
    given = {key: value for key, value in params.items() if key != "names"}
    rows = session.all(_scoped(DUE, narrow), **given)
    is_cut = sum(row[1] for row in rows) >= MAX_DELAYED
    due = {name: (number, at) for name, number, at in rows}
    for name in found:
        number, at = due.get(name, (0, None))
        found[name] = replace(found[name], delayed=Count(number, is_cut), next_due_at=at)


def _share(budget: int, sharers: int) -> int:
    """The rows that each queue may count, as a round number."""
    most = budget // max(1, sharers)
    return most // 100 * 100 if most >= 100 else most


def _count(number: int, most: int) -> Count:
    return Count(number, at_least=number >= most)


@lru_cache(maxsize=64)
def _scoped(base: Statement, narrow: str) -> Statement:
    """The statement for one scope, made once: dialects know statements by identity."""
    return Statement(
        postgres=base.postgres.replace("SCOPE", narrow),
        sqlite=base.sqlite.replace("SCOPE", narrow),
    )
