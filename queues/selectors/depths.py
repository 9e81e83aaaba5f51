"""What waits and runs on queues, within a budget of rows that no backlog can exceed.

Every name costs a few looks into the index of what is in flight. Where counting stops at its
cap, the number says "at least".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from dboshub.workflows.selectors.counts import Count
from dboshub.workflows.selectors.queue_wait import RATE_SINCE
from dboshub.workflows.selectors.scope import Viewer
from dboshub.workflows.storage.fragments import ENQUEUED, PENDING
from dboshub.workflows.storage.sql import Session, Statement

# Rows that one page counts, shared among its queues; each kind has its own.
WAITING, RUNNING, DELAYED, STARTED = 9_000, 5_000, 3_000, 2_000
# More priorities than this of one queue are not looked through for its oldest.
PRIORITIES = 20

NONE = Count(0)


@dataclass(frozen=True, slots=True)
class Depth:
    """One queue's work. `head_id` is what is claimed next, `started` what a rate limit counts."""

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
    """NAMES stands for the queues asked for, as a table `asked` of one column."""
    return Statement(
        postgres=sql.replace("NAMES", "unnest(CAST(:names AS text[])) AS asked (name)"),
        sqlite=sql.replace("NAMES", "(SELECT value AS name FROM json_each(:names)) AS asked"),
    )


# The oldest of each priority, and of them all: their order in the index is by priority first.
OLDEST = _of_names(f"""
    WITH RECURSIVE line (name, priority, place) AS (
        SELECT name, (
            SELECT MIN(priority) FROM {{workflow_status}}
            WHERE queue_name = asked.name AND {ENQUEUED} AND SCOPE
        ), 1
        FROM NAMES
        UNION ALL
        SELECT name, (
            SELECT MIN(priority) FROM {{workflow_status}}
            WHERE queue_name = line.name AND {ENQUEUED} AND SCOPE AND priority > line.priority
        ), place + 1
        FROM line
        WHERE priority IS NOT NULL AND place <= {PRIORITIES}
    )
    SELECT name, MIN((
        SELECT MIN(created_at) FROM {{workflow_status}}
        WHERE queue_name = line.name AND {ENQUEUED} AND SCOPE AND priority = line.priority
    )), COUNT(*)
    FROM line
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
# Their index is by due time alone, so those of all queues are looked at, the next due first.
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
    """When the oldest of each queue was made; False if there may be an older one."""
    scope, params = viewer.scope()
    found = session.all(_scoped(OLDEST, scope), names=session.ids(names), **params)
    return {name: (at, priorities <= PRIORITIES) for name, at, priorities in found}


def depths(
    session: Session, names: Sequence[str], viewer: Viewer, *, now: int, rated: bool = True
) -> dict[str, Depth]:
    """The depth of each of these queues, in at most four statements."""
    if not names:
        return {}
    narrow, params = viewer.scope()
    params |= {"names": session.ids(names)}
    lines = oldest(session, names, viewer)
    waits, runs = _share(WAITING, len(lines)), _share(RUNNING, len(names))
    found = {
        name: Depth(_count(waiting, waits), _count(running, runs), head_id=head)
        for name, waiting, running, head in session.all(
            _scoped(COUNTED, narrow), most_waiting=waits, most_running=runs, **params
        )
    }
    for name, (at, is_sure) in lines.items():
        found[name] = replace(found[name], oldest_at=at, is_oldest_sure=is_sure)
    _add_delayed(session, found, narrow, {**params, "most": DELAYED})
    if rated:
        most = _share(STARTED, len(names))
        for name, started in session.all(STARTS, names=params["names"], now=now, most=most):
            found[name] = replace(found[name], started=_count(started, most))
    return found


def _add_delayed(
    session: Session, found: dict[str, Depth], narrow: str, params: dict[str, object]
) -> None:
    given = {key: value for key, value in params.items() if key != "names"}
    rows = session.all(_scoped(DUE, narrow), **given)
    is_cut = sum(row[1] for row in rows) >= DELAYED
    due = {name: (number, at) for name, number, at in rows}
    for name in found:
        number, at = due.get(name, (0, None))
        found[name] = replace(found[name], delayed=Count(number, is_cut), next_due_at=at)


def _share(budget: int, sharers: int) -> int:
    """What each may count, as a round number."""
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
