"""Owners and outcomes of workflows, and the end of a run without an outcome."""

from __future__ import annotations

from collections.abc import Iterable

from dboshub.workflows.engine.records import Ended
from dboshub.workflows.storage.fragments import RETIRE
from dboshub.workflows.storage.fragments import TERMINAL as IS_TERMINAL
from dboshub.workflows.storage.id_lists import all_by_ids
from dboshub.workflows.storage.sql import Session, Statement

OWNERS = Statement(
    """
    SELECT workflow_uuid, status, owner_xid
    FROM {workflow_status}
    WHERE workflow_uuid = ANY(:ids)
    """
)

TERMINAL = Statement(
    f"""
    SELECT workflow_uuid
    FROM {{workflow_status}}
    WHERE workflow_uuid = ANY(:ids) AND {IS_TERMINAL}
    """
)

# Outcomes are in workflow_output; older libraries wrote them into the workflow's row.
ENDED = Statement(
    f"""
    SELECT s.workflow_uuid, s.status, COALESCE(o.output, s.output),
        COALESCE(o.error, s.error), s.serialization
    FROM {{workflow_status}} AS s
    LEFT JOIN {{workflow_output}} AS o ON o.workflow_uuid = s.workflow_uuid
    WHERE s.workflow_uuid = ANY(:ids) AND {IS_TERMINAL}
    """
)

# The condition on the owner keeps a run that was resumed since then.
END_WITHOUT_OUTCOME = Statement(
    f"""
    UPDATE {{workflow_status}}
    SET status = :status, {RETIRE}
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
    return {row[0]: (row[1], row[2]) for row in all_by_ids(session, OWNERS, ids)}


def terminal_among(session: Session, ids: Iterable[str]) -> list[str]:
    """The workflows that reached a terminal status."""
    return [row[0] for row in all_by_ids(session, TERMINAL, ids)]


def ended(session: Session, ids: Iterable[str]) -> dict[str, Ended]:
    """Status and outcome of the workflows that reached a terminal status."""
    return {row[0]: Ended(*row) for row in all_by_ids(session, ENDED, ids)}


def retire(session: Session, workflow_id: str, owner: str, *, status: str, now: int) -> bool:
    """End a run without an outcome; return False if `owner` no longer owns it.

    `status` is CANCELLED for a passed deadline, MAX_RECOVERY_ATTEMPTS_EXCEEDED for too many
    attempts.
    """
    return bool(
        session.run(END_WITHOUT_OUTCOME, id=workflow_id, owner=owner, status=status, now=now)
    )


def undo_attempt_count(session: Session, workflow_id: str, owner: str) -> None:
    """Subtract the attempt of a claim that ran nothing; `owner` keeps the row."""
    session.run(UNDO_ATTEMPT_COUNT, workflow_id=workflow_id, owner=owner)
