"""Claims from a line in which stands what this process cannot run.

Refused workflows keep their places. A claim that walked past all of them would read the whole line
each time, so it looks at a part, and the next claim of the process goes on after it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from dboshub.queues.engine.ports import Claim
from dboshub.queues.storage.claim import ClaimRequest, claim_among, claim_partitions
from dboshub.queues.storage.fragments import RUNNABLE
from dboshub.workflows.engine.records import ClaimedWorkflow
from dboshub.workflows.storage.fragments import ENQUEUED
from dboshub.workflows.storage.sql import Session, Statement

ROWS_AT_ONCE = 500
# What is enqueued again, or with a higher priority, may stand before the part that is looked at.
FROM_FIRST_EVERY_S = 2.0
_FIRST = -(2**31)

_LOOK = f"""
    WITH seen AS MATERIALIZED (
        SELECT workflow_uuid, priority, created_at, ({RUNNABLE}) AS is_runnable
        FROM {{workflow_status}}
        WHERE queue_name = :queue
            AND {ENQUEUED}
            AND (priority, created_at) >= (
                CAST(:priority AS integer), CAST(:created_at AS bigint)
            )
            {{partition}}
        ORDER BY priority, created_at
        LIMIT :most OFFSET :skipped
    ),
    last AS (
        SELECT priority, created_at
        FROM seen
        ORDER BY priority DESC, created_at DESC
        LIMIT 1
    )
    SELECT
        -- SQLite's JSON holds no bytes, and may find some here.
        (SELECT CAST(json_agg(CAST(workflow_uuid AS text)) AS text) FROM seen WHERE is_runnable),
        (SELECT count(*) FROM seen),
        last.priority,
        last.created_at,
        (
            SELECT count(*)
            FROM seen
            WHERE seen.priority = last.priority
                AND seen.created_at = last.created_at
                AND NOT COALESCE(is_runnable, FALSE)
        )
    FROM last
"""
LOOK = Statement(_LOOK.replace("{partition}", ""))
LOOK_IN_PARTITION = Statement(_LOOK.replace("{partition}", "AND queue_partition_key = :key"))


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a line: after `skipped` refused workflows with this priority and time."""

    priority: int = _FIRST
    created_at: int = 0
    skipped: int = 0


FIRST = Place()


@dataclass(slots=True)
class LineCursor:
    """Where a claimer's next look at a line begins; times are monotonic seconds."""

    place: Place = FIRST
    began_at: float = float("-inf")
    at_once: int = ROWS_AT_ONCE

    def begin(self, now: float) -> None:
        """Go back to the head of the line, if it was looked at long enough ago."""
        if now >= self.began_at + FROM_FIRST_EVERY_S:
            self.place, self.began_at = FIRST, now


def claim_past_refused(
    session: Session,
    request: ClaimRequest,
    cursor: LineCursor,
    now: float,
    partition: str | None = None,
) -> Claim:
    """Claim the next workflows among those that one look sees; `now` is in monotonic seconds.

    The line is that of the queue, or of one partition. It reads at most `cursor.at_once` rows of
    it; `has_more` says that it goes on.
    """
    cursor.begin(now)
    here = cursor.place
    row = session.one(
        LOOK if partition is None else LOOK_IN_PARTITION,
        key=partition,
        priority=here.priority,
        created_at=here.created_at,
        skipped=here.skipped,
        most=cursor.at_once,
        refused=session.ids(request.refused),
        **request.parameters,
    )
    if row is None:
        return Claim()
    found, count, priority, created_at, ties = row
    runnable = json.loads(found or "[]")
    taken = claim_among(session, request, runnable) if runnable else []
    asked = len(request.tokens)
    has_more = count == cursor.at_once and len(taken) < asked
    if has_more:
        is_same = (priority, created_at) == (here.priority, here.created_at)
        cursor.place = Place(priority, created_at, ties + here.skipped if is_same else ties)
    return Claim(workflows=taken, has_more=has_more)


def claim_partitions_past_refused(
    session: Session,
    request: ClaimRequest,
    shares: Mapping[str, int],
    cursors: dict[str, LineCursor],
    now: float,
) -> Claim:
    """Do the same for each partition, at most its share of the tokens.

    `cursors` keeps those of partitions whose next look does not begin with the first.
    """
    taken: list[ClaimedWorkflow] = []
    has_more = False
    for key, share in shares.items():
        left = request.tokens[len(taken) :]
        if not left:
            break
        cursor = cursors.pop(key, None) or LineCursor()
        own = replace(request, tokens=left[:share])
        claim = claim_past_refused(session, own, cursor, now, key)
        if cursor.place != FIRST:
            cursors[key] = cursor
        taken += claim.workflows
        has_more = has_more or claim.has_more
    return Claim(workflows=taken, has_more=has_more)


class LinePastRefused:
    """How one queue is claimed from past what is for others; one thread at a time uses it."""

    def __init__(self) -> None:
        # Each partition costs a look of its own, which is worth it where much is for others.
        self.has_many = False
        self._cursor = LineCursor()
        self._of_partitions: dict[str, LineCursor] = {}

    def claim(self, session: Session, request: ClaimRequest) -> Claim:
        return claim_past_refused(session, request, self._cursor, time.monotonic())

    def claim_partitions(
        self, session: Session, request: ClaimRequest, shares: Mapping[str, int]
    ) -> Claim:
        if not self.has_many:
            return Claim(workflows=claim_partitions(session, request, shares))
        now = time.monotonic()
        return claim_partitions_past_refused(session, request, shares, self._of_partitions, now)
