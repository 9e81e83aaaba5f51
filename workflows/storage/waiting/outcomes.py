"""Owners, arguments and outcomes of workflows, and the end of a run without an outcome."""

from __future__ import annotations

from collections.abc import Iterable

from dboshub.workflows.engine.records import WorkflowOutcome
from dboshub.workflows.storage.fragments import INPUTS, RETIRE, is_still
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

_SETTLED = f"""
    SELECT wanted.value, s.workflow_uuid IS NOT NULL
    FROM {{list}} AS wanted (value)
    LEFT JOIN {{{{workflow_status}}}} AS s ON s.workflow_uuid = wanted.value
    WHERE s.workflow_uuid IS NULL OR s.{IS_TERMINAL}
"""
SETTLED = Statement(
    postgres=_SETTLED.format(list="unnest(CAST(:ids AS text[]))"),
    sqlite=_SETTLED.format(list="json_each(:ids)").replace("wanted (value)", "wanted"),
)

ARGUMENTS = Statement(f"SELECT {INPUTS} FROM {{workflow_status}} WHERE workflow_uuid = :id")

# Outcomes are in workflow_output; older libraries wrote them into the workflow's row.
OUTCOME = Statement(
    """
    SELECT s.workflow_uuid, s.status, COALESCE(o.output, s.output),
        COALESCE(o.error, s.error), s.serialization
    FROM {workflow_status} AS s
    LEFT JOIN {workflow_output} AS o ON o.workflow_uuid = s.workflow_uuid
    WHERE s.workflow_uuid = :id
    """
)

# The condition on the owner keeps a run that was resumed since then.
END_WITHOUT_OUTCOME = Statement(
    f"""
    UPDATE {{workflow_status}}
    SET status = :status, {RETIRE}
    WHERE workflow_uuid = :id AND owner_xid = :owner AND {is_still("PENDING")}
    """
)


def owners(session: Session, ids: Iterable[str]) -> dict[str, tuple[str, str | None]]:
    """Status and owner token of each workflow that exists."""
    return {row[0]: (row[1], row[2]) for row in all_by_ids(session, OWNERS, ids)}


def terminal_among(session: Session, ids: Iterable[str]) -> list[str]:
    """The workflows that reached a terminal status."""
    return [row[0] for row in all_by_ids(session, TERMINAL, ids)]


def settled_among(session: Session, ids: Iterable[str]) -> list[tuple[str, bool]]:
    """The workflows that ended (True) or do not exist (False)."""
    return [(row[0], bool(row[1])) for row in all_by_ids(session, SETTLED, ids)]


def arguments(session: Session, workflow_id: str) -> str | None:
    """The serialized arguments of a workflow; None if there are none, or no such workflow."""
    row = session.one(ARGUMENTS, id=workflow_id)
    return None if row is None else row[0]


def outcome(session: Session, workflow_id: str) -> WorkflowOutcome | None:
    """The status of a workflow, with its outcome if it has ended; None if it does not exist."""
    row = session.one(OUTCOME, id=workflow_id)
    return None if row is None else WorkflowOutcome(*row)


def retire(session: Session, workflow_id: str, owner: str, *, status: str, now: int) -> bool:
    """End a run without an outcome; return False if `owner` no longer owns it.

    `status` is CANCELLED for a passed deadline, MAX_RECOVERY_ATTEMPTS_EXCEEDED for too many
    attempts.
    """
    return bool(
        session.run(END_WITHOUT_OUTCOME, id=workflow_id, owner=owner, status=status, now=now)
    )
