"""Re-enqueue PENDING workflows that no live executor runs, by compare-and-set on `owner_xid`.

A workflow that has ended or has another owner in the meantime has another token, so a repeated or
concurrent call changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from dboshub.workflows.engine.membership.incarnations import ProcessIdentity, token_prefix
from dboshub.workflows.engine.records import INTERNAL_QUEUE
from dboshub.workflows.storage.fragments import IN_SCOPE, REENQUEUE, is_still
from dboshub.workflows.storage.membership import executors
from dboshub.workflows.storage.sql import Row, Session, Statement

MAX_ROWS = 1_000  # in one statement
# A younger row may belong to a claim that has not reached its executor yet.
SETTLED_MS = 10_000
_MAX_TIME_MS = 2**63 - 1

Owned = tuple[str, str | None]  # workflow id, owner token

# A token of the hub is `hub:<incarnation>:<n>`; an incarnation has 32 characters.
_IS_FOREIGN = "(owner_xid IS NULL OR owner_xid NOT LIKE 'hub:%')"
_OWNER_IS_LIVE = f"""EXISTS (
            SELECT 1
            FROM {{dboshub_executor}}
            WHERE incarnation = substr(owner_xid, 5, 32) AND {executors.LIVE}
        )"""


def _pending(*conditions: str) -> Statement:
    """A statement that reads PENDING rows, oldest first: the order of their partial index."""
    return Statement(f"""
        SELECT workflow_uuid, owner_xid
        FROM {{workflow_status}}
        WHERE status = 'PENDING'
            AND {" AND ".join(conditions)}
        ORDER BY created_at
        LIMIT :most
    """)


def _reenqueue_statement(attempts: str) -> Statement:
    """A statement that re-enqueues ``:owned``, which sets `recovery_attempts` to `attempts`."""
    assignments = f"""{REENQUEUE},
        queue_name = COALESCE(queue_name, '{INTERNAL_QUEUE}'),
        recovery_attempts = {attempts}"""
    # Rows that another transaction has locked are skipped; a later call finds them again.
    return Statement(
        postgres=f"""
            UPDATE {{workflow_status}}
            SET {assignments}
            WHERE workflow_uuid IN (
                SELECT held.workflow_uuid
                FROM {{workflow_status}} AS held
                JOIN json_array_elements(CAST(:owned AS json)) AS pair
                    ON held.workflow_uuid = pair ->> 0
                        AND held.owner_xid IS NOT DISTINCT FROM pair ->> 1
                WHERE {is_still("PENDING", "held.")}
                ORDER BY held.workflow_uuid
                FOR NO KEY UPDATE OF held SKIP LOCKED
            )
        """,
        sqlite=f"""
            UPDATE {{workflow_status}}
            SET {assignments}
            FROM json_each(:owned) AS pair
            WHERE workflow_uuid = json_extract(pair.value, '$[0]')
                AND owner_xid IS json_extract(pair.value, '$[1]')
                AND {is_still("PENDING")}
        """,
    )


ORPHANS = _pending("owner_xid LIKE 'hub:%'", IN_SCOPE, f"NOT {_OWNER_IS_LIVE}")
SAME_EXECUTOR_ID = _pending(
    "executor_id = :executor_id", "application_version = :version", IN_SCOPE, _IS_FOREIGN
)
_IS_CLAIMED = "(application_name IS NOT NULL OR :with_unclaimed = 1)"
ADOPTABLE = _pending(
    "executor_id = :executor_id", IN_SCOPE, _IS_CLAIMED, f"({_IS_FOREIGN} OR NOT {_OWNER_IS_LIVE})"
)
FOREIGN = _pending("executor_id = :executor_id", IN_SCOPE, _IS_CLAIMED, _IS_FOREIGN)
OWNED_BY_INCARNATION = Statement(
    """
    SELECT workflow_uuid, owner_xid
    FROM {workflow_status}
    WHERE status = 'PENDING'
        AND substr(owner_xid, 1, 37) = :prefix
        AND updated_at <= :before
    """
)
KEEP_ATTEMPTS = _reenqueue_statement("recovery_attempts")
SUBTRACT_ATTEMPT = _reenqueue_statement(
    "CASE WHEN recovery_attempts > 0 THEN recovery_attempts - 1 ELSE recovery_attempts END"
)


def orphans(session: Session, *, application: str | None, most: int = MAX_ROWS) -> list[Owned]:
    """Workflows of the hub whose incarnation is not live. Other programs use other tokens."""
    return _owned(session.all(ORPHANS, application=application, most=most))


def same_executor_id(
    session: Session,
    *,
    executor_id: str,
    version: str | None,
    application: str | None,
    most: int = MAX_ROWS,
) -> list[Owned]:
    """Workflows that another program left under this executor id and version.

    DBOS recovers the same ones. Those of the hub's processes are not among them: see `orphans`.
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
    session: Session,
    executor_id: str,
    *,
    application: str | None,
    with_unclaimed: bool = True,
    has_hub_tables: bool = True,
) -> list[Owned]:
    """Workflows that an executor id of any program owns, except those of live hub processes.

    Without the hub's tables no process is known to be dead, so all workflows of the hub are
    excepted. `with_unclaimed` includes those without an application.
    """
    statement = ADOPTABLE if has_hub_tables else FOREIGN
    return _owned(
        session.all(
            statement,
            executor_id=executor_id,
            application=application,
            with_unclaimed=int(with_unclaimed),
            most=MAX_ROWS,
        )
    )


def held_by(session: Session, incarnation: str, *, now: int) -> list[Owned]:
    """Workflows that an incarnation has owned for at least SETTLED_MS."""
    return _owned(
        session.all(OWNED_BY_INCARNATION, prefix=token_prefix(incarnation), before=now - SETTLED_MS)
    )


def adopt_executor(
    session: Session,
    executor_id: str,
    *,
    application: str | None,
    now: int,
    with_unclaimed: bool = True,
    has_hub_tables: bool = True,
) -> int:
    """Re-enqueue all that `adoptable` finds, on a person's request; return how many workflows.

    An empty `application` selects the workflows without an owner, None those of all applications.
    """
    total, moved = 0, -1
    while moved:
        owned = adoptable(
            session,
            executor_id,
            application=application,
            with_unclaimed=with_unclaimed,
            has_hub_tables=has_hub_tables,
        )
        moved = reenqueue(session, owned, now=now)
        total += moved
    return total


def reenqueue(session: Session, owned: Iterable[Owned], *, now: int) -> int:
    """Re-enqueue the workflows that still have their tokens; the next claim counts an attempt."""
    return _run(session, KEEP_ATTEMPTS, owned, now)


def hand_back(session: Session, owned: Iterable[Owned], *, now: int) -> int:
    """Re-enqueue workflows of a process that stops, without counting the attempt."""
    return _run(session, SUBTRACT_ATTEMPT, owned, now)


def release(session: Session, incarnation: str, *, now: int) -> int:
    """Hand back all workflows that an incarnation owns, also those that it has just claimed."""
    held = session.all(OWNED_BY_INCARNATION, prefix=token_prefix(incarnation), before=_MAX_TIME_MS)
    return hand_back(session, _owned(held), now=now)


def release_process(session: Session, process: ProcessIdentity, *, now: int) -> int:
    """Hand back all workflows of a process that ends, and record that it stopped."""
    held = executors.live_of(session, process)
    handed = sum(release(session, incarnation, now=now) for incarnation in held)
    executors.stop_process(session, process)
    return handed


def _run(session: Session, statement: Statement, owned: Iterable[Owned], now: int) -> int:
    # Rows are locked in the order of their ids: see `id_lists`.
    pairs = sorted(owned, key=lambda pair: pair[0])
    return sum(
        session.run(statement, owned=json.dumps(pairs[start : start + MAX_ROWS]), now=now)
        for start in range(0, len(pairs), MAX_ROWS)
    )


def _owned(rows: list[Row]) -> list[Owned]:
    # SQLite lets another program insert a row without an id. No statement can name it.
    return [(workflow_id, owner) for workflow_id, owner in rows if workflow_id is not None]
