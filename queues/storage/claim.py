"""Claims of enqueued workflows: from ENQUEUED to PENDING, with an owner token for each workflow.

A claim skips locked rows, so claimers of a queue without shared limits never wait for each other.
`limited_claim` decides how many workflows a queue with shared limits allows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dboshub.queues.engine.settings import QueueSettings
from dboshub.queues.storage.fragments import NOW_MS, RUNNABLE, SKIP_LOCKED
from dboshub.queues.storage.rows import (
    HAS_STEPS,
    POSTGRES_TRACE,
    SQLITE_TRACE,
    claimed_columns,
    claimed_workflows,
)
from dboshub.workflows.engine.membership.incarnations import incarnation_of
from dboshub.workflows.engine.records import ClaimedWorkflow
from dboshub.workflows.storage.fragments import ENQUEUED, PENDING, is_still
from dboshub.workflows.storage.membership.executors import LIVE
from dboshub.workflows.storage.sql import Session, Statement
from dboshub.workflows.storage.translation import sqlite_text

_ENQUEUED = f"""
    SELECT workflow_uuid, priority, created_at, updated_at
    FROM {{workflow_status}}
    WHERE queue_name = :queue
        AND {ENQUEUED}
        AND {RUNNABLE}
        AND NOT EXISTS (SELECT 1 FROM {{dboshub_queue_pause}} WHERE queue_name = :queue)
        AND (
            CAST(:incarnation AS text) IS NULL
            OR EXISTS (
                SELECT 1
                FROM {{dboshub_executor}}
                WHERE incarnation = CAST(:incarnation AS text) AND {LIVE}
            )
        )
"""
_NEXT = f"""
    {_ENQUEUED}
    ORDER BY priority, created_at
    LIMIT :most
    {SKIP_LOCKED}
"""
# With `priority` alone the planner might walk along the line in search of the few that are named.
_NEXT_AMONG = f"""
    {_ENQUEUED}
        AND workflow_uuid = ANY(:found)
    ORDER BY priority + 0, created_at
    LIMIT :most
    {SKIP_LOCKED}
"""
_NEXT_OF_PARTITIONS = f"""
    SELECT next.workflow_uuid, next.priority, next.created_at, next.updated_at
    FROM unnest(CAST(:keys AS text[]), CAST(:allowed AS bigint[])) AS share (key, allowed)
    CROSS JOIN LATERAL (
        {_ENQUEUED}
            AND queue_partition_key = share.key
        ORDER BY priority, created_at
        LIMIT share.allowed
        {SKIP_LOCKED}
    ) AS next
    LIMIT :most
"""
_NEXT_OF_PARTITION = f"""
    {_ENQUEUED}
        AND queue_partition_key = :key
    ORDER BY priority, created_at
    LIMIT :most
"""

# A workflow that was suspended began earlier. A rate limit counts this claim as a start, too.
_STARTED_AT = f"""CASE
                WHEN started_at_epoch_ms IS NULL OR CAST(:rate_limited AS boolean) THEN {NOW_MS}
                ELSE started_at_epoch_ms
            END"""
# A concurrent claimer may have recorded steps and handed the row back. This statement's snapshot
# may be too old to contain the steps, but not the locked row, and whoever takes or gives back a row
# makes `updated_at` differ from `created_at`.
_POSTGRES = {
    "token": "(CAST(:tokens AS text[]))[candidate.place]",
    "has_history": f"(candidate.updated_at <> candidate.created_at OR {HAS_STEPS})",
    "trace": POSTGRES_TRACE,
}
_SQLITE = {
    "token": "json_extract(:tokens, '$[' || (candidate.place - 1) || ']')",
    "has_history": HAS_STEPS,
    "trace": SQLITE_TRACE,
}


def _claim(candidates: str, *, token: str, has_history: str, trace: str) -> str:
    return f"""
        WITH chosen AS MATERIALIZED ({candidates}),
        candidate AS (
            SELECT chosen.*, row_number() OVER (ORDER BY priority, created_at) AS place
            FROM chosen
        )
        UPDATE {{workflow_status}}
        SET status = 'PENDING',
            owner_xid = {token},
            executor_id = :executor,
            application_name = :application,
            application_version = :version,
            recovery_attempts = CASE
                WHEN recovery_attempts < 9223372036854775807 THEN recovery_attempts + 1
                ELSE recovery_attempts
            END,
            rate_limited = CAST(:rate_limited AS boolean),
            started_at_epoch_ms = {_STARTED_AT},
            updated_at = {NOW_MS},
            workflow_deadline_epoch_ms = CASE
                WHEN workflow_deadline_epoch_ms IS NOT NULL THEN workflow_deadline_epoch_ms
                WHEN workflow_timeout_ms > 9223372036854775807 - {NOW_MS} THEN 9223372036854775807
                ELSE workflow_timeout_ms + {NOW_MS}
            END
        FROM candidate
        WHERE workflow_status.workflow_uuid = candidate.workflow_uuid
            AND {is_still("ENQUEUED")}
        RETURNING {claimed_columns(has_history=has_history, trace=trace)}
    """


CLAIM = Statement(postgres=_claim(_NEXT, **_POSTGRES), sqlite=sqlite_text(_claim(_NEXT, **_SQLITE)))
CLAIM_AMONG = Statement(
    postgres=_claim(_NEXT_AMONG, **_POSTGRES), sqlite=sqlite_text(_claim(_NEXT_AMONG, **_SQLITE))
)
# SQLite has no LATERAL, and a statement costs no round trip: each partition has its own statement.
CLAIM_PARTITIONS = Statement(
    postgres=_claim(_NEXT_OF_PARTITIONS, **_POSTGRES),
    sqlite=sqlite_text(_claim(_NEXT_OF_PARTITION, **_SQLITE)),
)


def _read_back(trace: str) -> str:
    # No index holds tokens, but a queue has few running workflows.
    return f"""
        SELECT {claimed_columns(has_history=HAS_STEPS, trace=trace)}
        FROM {{workflow_status}}
        WHERE queue_name = :queue
            AND {PENDING}
            AND owner_xid = ANY(:tokens)
    """


READ_BACK = Statement(
    postgres=_read_back(POSTGRES_TRACE), sqlite=sqlite_text(_read_back(SQLITE_TRACE))
)


@dataclass(frozen=True, slots=True)
class Claimant:
    """Identity that is written to claimed rows."""

    application: str
    version: str
    executor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRequest:
    """A request for the next workflows of a queue, at most one for each owner token.

    `running_here` returns how many workflows of a partition run in this process. `refused` are
    the claim keys of what it cannot run. `with_inputs` asks for the arguments. `now` is in epoch
    milliseconds, None for the database's clock.
    """

    claimant: Claimant
    queue: QueueSettings
    tokens: Sequence[str]
    running_here: Callable[[str], int] = lambda partition: 0
    refused: Sequence[str] = ()
    with_inputs: bool = True
    now: int | None = None

    def limited_to(self, most: int) -> ClaimRequest:
        """The same request with the first `most` tokens only."""
        return replace(self, tokens=self.tokens[:most])

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of statements on the queue's workflows, tokens excepted."""
        return {
            "queue": self.queue.name,
            "rate_limited": self.queue.rate_limited,
            "with_inputs": self.with_inputs,
            "now": self.now,
            "application": self.claimant.application,
            "version": self.claimant.version,
            "executor": self.claimant.executor,
            # A process that was declared dead may not know it yet, even when its row is deleted:
            # it gets nothing.
            "incarnation": incarnation_of(self.tokens[0]) if self.tokens else None,
        }


def claim(session: Session, request: ClaimRequest) -> list[ClaimedWorkflow]:
    """Claim the next workflows of the queue, by priority and creation time."""
    tokens = request.tokens
    rows = session.all(
        CLAIM,
        most=len(tokens),
        tokens=session.ids(tokens),
        refused=session.ids(request.refused),
        **request.parameters,
    )
    return claimed_workflows(rows)


def claim_among(
    session: Session, request: ClaimRequest, found: Sequence[str]
) -> list[ClaimedWorkflow]:
    """Claim the next of these workflows, as far as they are still enqueued."""
    rows = session.all(
        CLAIM_AMONG,
        most=len(request.tokens),
        tokens=session.ids(request.tokens),
        found=session.ids(found),
        refused=session.ids(request.refused),
        **request.parameters,
    )
    return claimed_workflows(rows)


def claim_partitions(
    session: Session, request: ClaimRequest, shares: Mapping[str, int]
) -> list[ClaimedWorkflow]:
    """Claim the next workflows of each partition, at most its share of the tokens."""
    if session.vendor == "postgresql":
        rows = session.all(
            CLAIM_PARTITIONS,
            most=len(request.tokens),
            tokens=session.ids(request.tokens),
            keys=session.ids(shares.keys()),
            allowed=session.ids(shares.values()),
            refused=session.ids(request.refused),
            **request.parameters,
        )
        return claimed_workflows(rows)
    rows = []
    for key, share in shares.items():
        left = request.tokens[len(rows) :]
        if not left:
            break
        most = min(share, len(left))
        tokens = session.ids(left[:most])
        rows += session.all(
            CLAIM_PARTITIONS,
            key=key,
            most=most,
            tokens=tokens,
            refused=session.ids(request.refused),
            **request.parameters,
        )
    return claimed_workflows(rows)


def read_back(session: Session, queue: str, tokens: Sequence[str]) -> list[ClaimedWorkflow]:
    """The workflows that a claim with these tokens has taken, if its reply was lost."""
    given = {"queue": queue, "tokens": session.ids(tokens), "with_inputs": False}
    return claimed_workflows(session.all(READ_BACK, **given))
