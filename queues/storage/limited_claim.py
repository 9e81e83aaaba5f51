"""Claiming from a queue whose limits are shared: one claimer at a time.

The lock on the queue's row orders claimers; counting happens in a later statement, whose
snapshot therefore sees every claim made before. A claimer that finds the lock taken leaves
at once instead of waiting for somebody else's transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dboshub.queues.engine.kafka import INTERNAL_QUEUES
from dboshub.queues.engine.limits import Usage, allowance, shares
from dboshub.queues.engine.ports import Claim
from dboshub.queues.engine.settings import QueueSettings
from dboshub.queues.storage.claim import Claimant, claim, claim_partitions
from dboshub.queues.storage.fragments import ENQUEUED, OURS, PENDING, statement
from dboshub.queues.storage.rows import QUEUE_COLUMNS, queue_settings
from dboshub.workflows.storage.sql import Session, Statement

LOCK_QUEUE = statement(f"""
    SELECT {QUEUE_COLUMNS}
    FROM {{queues}}
    WHERE name = :queue
    LOCKED
""")

# An internal queue has no row; SQLite's transaction is the only writer already.
LOCK_INTERNAL = Statement(
    postgres="SELECT pg_try_advisory_xact_lock(hashtextextended(:name, 0))",
    sqlite="SELECT :name IS NOT NULL",
)

_RUNNING = f"""
    FROM {{workflow_status}}
    WHERE queue_name = :queue
        AND {PENDING}
        AND {OURS}
"""
# A window over starts: cancelled and resumed rows leave it, for they lose their start time.
_RECENTLY_STARTED = f"""
    FROM {{workflow_status}}
    WHERE queue_name = :queue
        AND rate_limited = TRUE
        AND started_at_epoch_ms > NOW - CAST(:period AS bigint)
        AND status NOT IN ('ENQUEUED', 'DELAYED')
        AND {OURS}
"""

USAGE = statement(f"SELECT (SELECT count(*) {_RUNNING}), (SELECT count(*) {_RECENTLY_STARTED})")

# Each step of the recursion is one look into the index for the next key. Full partitions are
# left out here, so that many of them cannot hide the others.
PARTITIONS = statement(f"""
    WITH RECURSIVE lane (partition_key) AS (
        SELECT (
            SELECT queue_partition_key
            FROM {{workflow_status}}
            WHERE queue_name = :queue
                AND {ENQUEUED}
                AND queue_partition_key IS NOT NULL
            ORDER BY queue_partition_key
            LIMIT 1
        )
        UNION ALL
        SELECT (
            SELECT queue_partition_key
            FROM {{workflow_status}}
            WHERE queue_name = :queue
                AND {ENQUEUED}
                AND queue_partition_key > lane.partition_key
            ORDER BY queue_partition_key
            LIMIT 1
        )
        FROM lane
        WHERE lane.partition_key IS NOT NULL
    ),
    running AS MATERIALIZED (
        SELECT queue_partition_key, count(*) AS used {_RUNNING}
        GROUP BY queue_partition_key
    ),
    recent AS MATERIALIZED (
        SELECT queue_partition_key, count(*) AS used {_RECENTLY_STARTED}
        GROUP BY queue_partition_key
    )
    SELECT lane.partition_key, COALESCE(running.used, 0), COALESCE(recent.used, 0)
    FROM lane
    LEFT JOIN running ON running.queue_partition_key = lane.partition_key
    LEFT JOIN recent ON recent.queue_partition_key = lane.partition_key
    WHERE lane.partition_key IS NOT NULL
        AND COALESCE(running.used < CAST(:running_limit AS bigint), TRUE)
        AND COALESCE(recent.used < CAST(:recent_limit AS bigint), TRUE)
    LIMIT 8192
""")


def claim_within_limits(
    session: Session,
    claimant: Claimant,
    queue: str,
    tokens: Sequence[str],
    running_here: Callable[[str], int],
    *,
    now: int | None = None,
) -> Claim:
    """Take what all limits of the queue leave, by its settings of this moment.

    Needs a transaction of its own, READ COMMITTED on PostgreSQL.
    """
    settings = _locked(session, claimant, queue)
    if settings is None:
        return Claim(contended=True)
    most = allowance(settings, len(tokens), _usage(session, claimant, settings, now))
    if not most:
        return Claim(limited=True)
    if settings.partitioned:
        return _claim_partitions(session, claimant, settings, tokens[:most], running_here, now)
    taken = claim(
        session, claimant, queue, tokens[:most], rate_limited=settings.rate_limited, now=now
    )
    return Claim(workflows=taken, limited=len(taken) == most < len(tokens))


def _locked(session: Session, claimant: Claimant, queue: str) -> QueueSettings | None:
    """The settings of a queue that is ours until the transaction ends; None in other hands."""
    internal = INTERNAL_QUEUES.get(queue)
    if internal is None:
        row = session.one(LOCK_QUEUE, queue=queue)
        return None if row is None else queue_settings(row)
    found = session.one(LOCK_INTERNAL, name=f"{claimant.parameters['application']}:{queue}")
    return internal if found is not None and found[0] else None


def _claim_partitions(
    session: Session,
    claimant: Claimant,
    settings: QueueSettings,
    tokens: Sequence[str],
    running_here: Callable[[str], int],
    now: int | None,
) -> Claim:
    used = _partitions(session, claimant, settings, now)
    open_partitions = shares(settings, len(tokens), used, running_here)
    if not open_partitions:
        return Claim(limited=True)
    taken = claim_partitions(
        session,
        claimant,
        settings.name,
        tokens,
        open_partitions,
        rate_limited=settings.rate_limited,
        now=now,
    )
    # More may wait in partitions that are full now: only a limit can have kept it back.
    return Claim(workflows=taken, limited=len(taken) < len(tokens))


def _usage(session: Session, claimant: Claimant, settings: QueueSettings, now: int | None) -> Usage:
    if settings.concurrency is None and settings.limiter is None:
        return Usage()
    row = session.one(
        USAGE,
        queue=settings.name,
        period=settings.limiter.period_ms if settings.limiter else None,
        now=now,
        **claimant.parameters,
    )
    assert row is not None
    return Usage(*row)


def _partitions(
    session: Session, claimant: Claimant, settings: QueueSettings, now: int | None
) -> list[tuple[str, Usage]]:
    limiter = settings.partition_limiter
    rows = session.all(
        PARTITIONS,
        queue=settings.name,
        period=limiter.period_ms if limiter else None,
        running_limit=settings.partition_concurrency,
        recent_limit=limiter.limit if limiter else None,
        now=now,
        **claimant.parameters,
    )
    return [(key, Usage(running, recent)) for key, running, recent in rows]
