"""The partitions of a queue that have workflows in flight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from dboshub.queues.selectors.depths import ENQUEUED_AT
from dboshub.workflows.selectors.counts import Count
from dboshub.workflows.selectors.scope import Viewer
from dboshub.workflows.storage.sql import Row, Session, Statement

# Each partition costs a few index searches, so a page shows a limited number of them.
MAX_PARTITIONS = 50
MAX_COUNTED = 100  # workflows in each partition

_HELD = "status IN ('ENQUEUED', 'PENDING') AND queue_partition_key IS NOT NULL"
KEYS = Statement(f"""
    WITH RECURSIVE held (key, place) AS (
        SELECT LEAST_OF(:after), 1
        UNION ALL
        SELECT LEAST_OF(held.key), place + 1
        FROM held
        WHERE key IS NOT NULL AND place < :most
    )
    SELECT key, (
        SELECT COUNT(*) FROM (
            SELECT 1 AS one FROM {{workflow_status}}
            WHERE queue_name = :queue AND status = 'ENQUEUED' AND {_HELD} AND SCOPE
                AND queue_partition_key = held.key
            LIMIT :counted
        ) AS waiting
    ), (
        SELECT COUNT(*) FROM (
            SELECT 1 AS one FROM {{workflow_status}}
            WHERE queue_name = :queue AND status = 'PENDING' AND {_HELD} AND SCOPE
                AND queue_partition_key = held.key
            LIMIT :counted
        ) AS running
    ), (
        SELECT MIN(enqueued_at) FROM (
            SELECT {ENQUEUED_AT} AS enqueued_at FROM {{workflow_status}}
            WHERE queue_name = :queue AND status = 'ENQUEUED' AND {_HELD} AND SCOPE
                AND queue_partition_key = held.key
            LIMIT :counted
        ) AS oldest
    ) AS created_at
    FROM held
    WHERE key IS NOT NULL
""")
# The first key after a given one: one index search each for enqueued and running workflows.
_NEXT = f"""(
    SELECT MIN(found) FROM (
        SELECT (SELECT MIN(queue_partition_key) FROM {{workflow_status}}
            WHERE queue_name = :queue AND status = 'ENQUEUED' AND {_HELD} AND SCOPE
                AND queue_partition_key > BOUND) AS found
        UNION ALL
        SELECT (SELECT MIN(queue_partition_key) FROM {{workflow_status}}
            WHERE queue_name = :queue AND status = 'PENDING' AND {_HELD} AND SCOPE
                AND queue_partition_key > BOUND)
    ) AS either_of
)"""


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition. `oldest_at` is the minimum of the first MAX_COUNTED enqueued workflows."""

    key: str
    waiting: Count
    running: Count
    oldest_at: int | None


def partitions(
    session: Session, queue: str, viewer: Viewer, *, after: str = ""
) -> tuple[Sequence[Partition], bool]:
    """The first MAX_PARTITIONS partitions by key after a given one; whether there are more."""
    scope, values = viewer.scope()
    params = {
        "queue": queue,
        "after": after,
        "most": MAX_PARTITIONS + 1,
        "counted": MAX_COUNTED,
        **values,
    }
    found = [*map(_partition, session.all(_scoped(scope), **params))]
    return found[:MAX_PARTITIONS], len(found) > MAX_PARTITIONS


def _partition(row: Row) -> Partition:
    key, waiting, running, oldest_at = row
    return Partition(
        key,
        Count(waiting, waiting >= MAX_COUNTED),
        Count(running, running >= MAX_COUNTED),
        oldest_at,
    )


@lru_cache(maxsize=64)
def _scoped(narrow: str) -> Statement:
    """The statement for one scope, made once: dialects know statements by identity."""
    sql = KEYS.postgres
    for bound in (":after", "held.key"):
        sql = sql.replace(f"LEAST_OF({bound})", _NEXT.replace("BOUND", bound))
    return Statement(sql.replace("SCOPE", narrow))
