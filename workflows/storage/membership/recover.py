"""Enqueue again what nobody runs any more, by compare-and-set on the ownership token.

A row that was finished, taken over or handed back in the meantime has another token, so
running any of these twice, or from two processes at once, changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from dboshub.workflows.engine.membership.incarnations import ProcessIdentity, token_prefix
from dboshub.workflows.storage.membership import executors
from dboshub.workflows.storage.sql import Row, Session, Statement

BATCH = 1_000
# A row younger than this may be one whose claim has not reached its executor yet.
SETTLED_MS = 10_000
_FOR_EVER = 2**63 - 1

Owned = tuple[str, str | None]  # workflow id, ownership token

# What conditions here write as IN_SCOPE and OWNER_LIVES. A token is `hub:<incarnation>:<n>`,
# with 32 characters in the middle.
_WORDS = {
    "IN_SCOPE": """(
            CAST(:application AS text) IS NULL
            OR application_name = :application
            OR application_name IS NULL
        )""",
    "OWNER_LIVES": """EXISTS (
            SELECT 1
            FROM {dboshub_executor}
            WHERE incarnation = substr(owner_xid, 5, 32) AND LIVE
        )""",
    "LIVE": executors.LIVE,
}
# Oldest first, which is the order of the index on PENDING rows.
_PENDING = """
    SELECT workflow_uuid, owner_xid
    FROM {workflow_status}
    WHERE status = 'PENDING'
        AND CONDITION
    ORDER BY created_at
    LIMIT :most
"""
_REENQUEUE_ASSIGNMENTS = """
        status = 'ENQUEUED',
        queue_name = COALESCE(queue_name, '_dbos_internal_queue'),
        recovery_attempts = ATTEMPTS,
        owner_xid = NULL,
        started_at_epoch_ms = NULL,
        updated_at = :now
"""
# Rows that somebody else has locked right now are left for the next time.
_POSTGRES_REENQUEUE = """
    UPDATE {workflow_status}
    SET ASSIGNMENTS
    WHERE workflow_uuid IN (
        SELECT held.workflow_uuid
        FROM {workflow_status} AS held
        JOIN json_array_elements(CAST(:owned AS json)) AS pair
            ON held.workflow_uuid = pair ->> 0
                AND held.owner_xid IS NOT DISTINCT FROM pair ->> 1
        WHERE held.status = 'PENDING'
        ORDER BY held.workflow_uuid
        FOR NO KEY UPDATE OF held SKIP LOCKED
    )
"""
_SQLITE_REENQUEUE = """
    UPDATE {workflow_status}
    SET ASSIGNMENTS
    FROM json_each(:owned) AS pair
    WHERE workflow_uuid = json_extract(pair.value, '$[0]')
        AND owner_xid IS json_extract(pair.value, '$[1]')
        AND status = 'PENDING'
"""


def _pending(*conditions: str) -> Statement:
    sql = _PENDING.replace("CONDITION", "\n        AND ".join(conditions))
    for word, meaning in _WORDS.items():
        sql = sql.replace(word, meaning)
    return Statement(sql)


def _again(attempts: str) -> Statement:
    assignments = _REENQUEUE_ASSIGNMENTS.replace("ATTEMPTS", attempts)
    return Statement(
        postgres=_POSTGRES_REENQUEUE.replace("ASSIGNMENTS", assignments),
        sqlite=_SQLITE_REENQUEUE.replace("ASSIGNMENTS", assignments),
    )


ORPHANS = _pending("owner_xid LIKE 'hub:%'", "IN_SCOPE", "NOT OWNER_LIVES")
SAME_EXECUTOR_ID = _pending(
    "executor_id = :executor_id",
    "application_version = :version",
    "IN_SCOPE",
    "(owner_xid IS NULL OR owner_xid NOT LIKE 'hub:%')",
)
ADOPTABLE = _pending(
    "executor_id = :executor_id",
    "IN_SCOPE",
    "(owner_xid IS NULL OR owner_xid NOT LIKE 'hub:%' OR NOT OWNER_LIVES)",
)
FOREIGN = _pending(
    "executor_id = :executor_id",
    "IN_SCOPE",
    "(owner_xid IS NULL OR owner_xid NOT LIKE 'hub:%')",
)
MINE = Statement(
    """
    SELECT workflow_uuid, owner_xid
    FROM {workflow_status}
    WHERE status = 'PENDING'
        AND substr(owner_xid, 1, 37) = :prefix
        AND updated_at <= :before
    """
)
REENQUEUE = _again("recovery_attempts")
HAND_BACK = _again(
    "CASE WHEN recovery_attempts > 0 THEN recovery_attempts - 1 ELSE recovery_attempts END"
)


def orphans(session: Session, *, application: str | None, most: int = BATCH) -> list[Owned]:
    """Rows whose incarnation is not live. Those of other programs have other tokens."""
    return _owned(session.all(ORPHANS, application=application, most=most))


def same_executor_id(
    session: Session,
    *,
    executor_id: str,
    version: str | None,
    application: str | None,
    most: int = BATCH,
) -> list[Owned]:
    """What another program left under this executor's id and version, as DBOS recovers it.

    Rows of the hub's own processes are never among them: the sweep knows who of those lives.
    """
    return _owned(
        session.all(
            SAME_EXECUTOR_ID,
            executor_id=executor_id,
            version=version,
            application=application,
            most=most,
        )
    )


def adoptable(
    session: Session, executor_id: str, *, application: str | None, has_hub_tables: bool = True
) -> list[Owned]:
    """What an executor of any program holds, live processes of the hub excepted.

    Without the hub's tables nobody knows which of those live, so all are.
    """
    asked = ADOPTABLE if has_hub_tables else FOREIGN
    return _owned(session.all(asked, executor_id=executor_id, application=application, most=BATCH))


def held_by(session: Session, incarnation: str, *, now: int) -> list[Owned]:
    """The rows that an incarnation owns, and has had time to start."""
    return _owned(session.all(MINE, prefix=token_prefix(incarnation), before=now - SETTLED_MS))


def adopt_executor(
    session: Session,
    executor_id: str,
    *,
    application: str | None,
    now: int,
    has_hub_tables: bool = True,
) -> int:
    """Re-enqueue, on purpose, all that an executor of any program holds; how many rows.

    An empty application stands for the rows that none has claimed, None for all.
    """
    total = 0
    while moved := reenqueue(
        session,
        adoptable(session, executor_id, application=application, has_hub_tables=has_hub_tables),
        now=now,
    ):
        total += moved
    return total


def reenqueue(session: Session, owned: Iterable[Owned], *, now: int) -> int:
    """Enqueue rows again that still have the given tokens; the next claim counts an attempt."""
    return _move(session, REENQUEUE, owned, now)


def hand_back(session: Session, owned: Iterable[Owned], *, now: int) -> int:
    """Give up rows without counting an attempt: being stopped is not failing."""
    return _move(session, HAND_BACK, owned, now)


def release(session: Session, incarnation: str, *, now: int) -> int:
    """Hand back all that an incarnation holds, however short a time it has held it."""
    held = session.all(MINE, prefix=token_prefix(incarnation), before=_FOR_EVER)
    return hand_back(session, _owned(held), now=now)


def give_up(session: Session, process: ProcessIdentity, *, now: int) -> int:
    """Hand back all that a process holds, and record its end: it will not do so itself."""
    held = executors.live_of(session, process)
    handed = sum(release(session, incarnation, now=now) for incarnation in held)
    executors.stop_process(session, process)
    return handed


def _move(session: Session, statement: Statement, owned: Iterable[Owned], now: int) -> int:
    # In id order, as every writer of several rows takes its locks.
    pairs = sorted(owned, key=lambda pair: pair[0])
    return sum(
        session.run(statement, owned=json.dumps(pairs[start : start + BATCH]), now=now)
        for start in range(0, len(pairs), BATCH)
    )


def _owned(rows: list[Row]) -> list[Owned]:
    return [(workflow_id, owner) for workflow_id, owner in rows]
