"""Who owns a workflow, and how it ended."""

from __future__ import annotations

from collections.abc import Iterable

from dboshub.workflows.engine.records import Ended
from dboshub.workflows.storage.control.cancel import chunks
from dboshub.workflows.storage.sql import Row, Session, Statement

_IS_OVER = "status IN ('SUCCESS', 'ERROR', 'CANCELLED', 'MAX_RECOVERY_ATTEMPTS_EXCEEDED')"

OWNERS = Statement(
    postgres="""
        SELECT workflow_uuid, status, owner_xid
        FROM {workflow_status}
        WHERE workflow_uuid = ANY(:ids)
    """,
    sqlite="""
        SELECT workflow_uuid, status, owner_xid
        FROM {workflow_status}
        WHERE workflow_uuid IN (SELECT value FROM json_each(:ids))
    """,
)

TERMINAL = Statement(
    postgres=f"""
        SELECT workflow_uuid
        FROM {{workflow_status}}
        WHERE workflow_uuid = ANY(:ids) AND {_IS_OVER}
    """,
    sqlite=f"""
        SELECT workflow_uuid
        FROM {{workflow_status}}
        WHERE workflow_uuid IN (SELECT value FROM json_each(:ids)) AND {_IS_OVER}
    """,
)

# Outcomes lie in workflow_output; older libraries wrote them into the row itself.
ENDED = Statement(
    postgres=f"""
        SELECT s.workflow_uuid, s.status, COALESCE(o.output, s.output),
            COALESCE(o.error, s.error), s.serialization
        FROM {{workflow_status}} AS s
        LEFT JOIN {{workflow_output}} AS o ON o.workflow_uuid = s.workflow_uuid
        WHERE s.workflow_uuid = ANY(:ids) AND {_IS_OVER}
    """,
    sqlite=f"""
        SELECT s.workflow_uuid, s.status, COALESCE(o.output, s.output),
            COALESCE(o.error, s.error), s.serialization
        FROM {{workflow_status}} AS s
        LEFT JOIN {{workflow_output}} AS o ON o.workflow_uuid = s.workflow_uuid
        WHERE s.workflow_uuid IN (SELECT value FROM json_each(:ids)) AND {_IS_OVER}
    """,
)

# Only its present owner's run is closed, never one that was resumed since.
RETIRE = Statement(
    """
    UPDATE {workflow_status}
    SET status = :status,
        queue_name = NULL,
        deduplication_id = NULL,
        started_at_epoch_ms = NULL,
        owner_xid = NULL,
        updated_at = :now,
        completed_at = :now
    WHERE workflow_uuid = :id AND status = 'PENDING' AND owner_xid = :owner
    """
)
UNDO_ATTEMPT_COUNT = Statement(
    """
    UPDATE {workflow_status}
    SET recovery_attempts = recovery_attempts - 1
    WHERE workflow_uuid = :workflow_id
        AND owner_xid = :owner
        AND status = 'PENDING'
        AND recovery_attempts > 0
    """
)


def owners(session: Session, ids: Iterable[str]) -> dict[str, tuple[str, str | None]]:
    """Status and owner token of each workflow that exists."""
    return {row[0]: (row[1], row[2]) for row in _all(session, OWNERS, ids)}


def terminal_among(session: Session, ids: Iterable[str]) -> list[str]:
    """Those that reached a terminal status."""
    return [row[0] for row in _all(session, TERMINAL, ids)]


def ended(session: Session, ids: Iterable[str]) -> dict[str, Ended]:
    """How those that reached a terminal status ended."""
    return {row[0]: Ended(*row) for row in _all(session, ENDED, ids)}


def retire(session: Session, workflow_id: str, owner: str, *, status: str, now: int) -> bool:
    """End a run without an outcome: its deadline passed (CANCELLED), or it was started too often.

    False if `owner` no longer owns it.
    """
    return bool(session.run(RETIRE, id=workflow_id, owner=owner, status=status, now=now))


def _all(session: Session, statement: Statement, ids: Iterable[str]) -> list[Row]:
    return [
        row
        for chunk in chunks([*dict.fromkeys(ids)])
        for row in session.all(statement, ids=session.ids(chunk))
    ]


def undo_attempt_count(session: Session, workflow_id: str, owner: str) -> None:
    """Take back the attempt of a claim that ran nothing; the row stays with its owner."""
    session.run(UNDO_ATTEMPT_COUNT, workflow_id=workflow_id, owner=owner)
