"""Change the attributes of a workflow, and version, priority and delay of those that wait."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.engine.stored_json import UnreadableJsonError, stored_json
from dboshub.workflows.storage.fragments import is_still, locked_ids
from dboshub.workflows.storage.id_lists import id_chunks
from dboshub.workflows.storage.sql import Session, Statement

ATTRIBUTES = Statement(
    """
    SELECT attributes
    FROM {workflow_status}
    WHERE workflow_uuid = :workflow_id
    FOR NO KEY UPDATE
    """
)
SET_ATTRIBUTES = Statement(
    """
    UPDATE {workflow_status}
    SET attributes = CAST(:attributes AS jsonb), updated_at = :now
    WHERE workflow_uuid = :workflow_id
    """
)
SET_DELAY = Statement(
    """
    UPDATE {workflow_status}
    SET delay_until_epoch_ms = :until, updated_at = :now
    WHERE workflow_uuid = :workflow_id AND status = 'DELAYED' AND started_at_epoch_ms IS NULL
    """
)


# As an expression, so that the planner finds the rows by their key: see fragments.is_still.
_WAITS = "COALESCE(status, '') IN ('ENQUEUED', 'DELAYED')"
_NOT_BEGUN = "started_at_epoch_ms IS NULL"


def _on_waiting(assignments: str, condition: str = _WAITS) -> Statement:
    return Statement(
        f"""
        UPDATE {{workflow_status}}
        SET {assignments}, updated_at = :now
        WHERE {locked_ids(condition)}
        """
    )


SET_VERSION = _on_waiting("application_version = :version")
SET_PRIORITY = _on_waiting("priority = :priority")
DELAY = _on_waiting(
    "status = 'DELAYED', delay_until_epoch_ms = :until", f"{_WAITS} AND {_NOT_BEGUN}"
)
# As at the end of a delay: a debounced workflow loses its deduplication id.
END_DELAY = _on_waiting(
    """
            status = 'ENQUEUED',
            delay_until_epoch_ms = :now,
            deduplication_id = CASE WHEN is_debounced THEN NULL ELSE deduplication_id END""",
    f"{is_still('DELAYED')} AND {_NOT_BEGUN}",
)


def update_attributes(
    session: Session,
    workflow_id: str,
    attributes: dict[str, Any] | None,
    *,
    merge: bool,
    now: int,
) -> None:
    """Replace all attributes or, if `merge`, the given top-level keys. Ignores an unknown id.

    Raises DBOSException for a merge into what another program stored and nobody can read.
    """
    if merge:
        # The row stays locked until the transaction ends, so concurrent merges lose no keys.
        row = session.one(ATTRIBUTES, workflow_id=workflow_id)
        known = _known(workflow_id, None if row is None else row[0])
        attributes = {**known, **(attributes or {})}
    text = None if attributes is None else json.dumps(attributes)
    session.run(SET_ATTRIBUTES, workflow_id=workflow_id, attributes=text, now=now)


def _known(workflow_id: str, stored: str | None) -> dict[str, Any]:
    if stored is None:
        return {}
    try:
        found = stored_json(stored)
    except UnreadableJsonError as error:
        raise DBOSException(
            f"the attributes of workflow {workflow_id} cannot be read ({error}), so nothing can be "
            "merged into them: replace them"
        ) from None
    return found if isinstance(found, dict) else {}


def set_delay(session: Session, workflow_id: str, *, until: int, now: int) -> None:
    """Change when a DELAYED workflow is due, in epoch milliseconds; ignore any other status.

    A workflow that has begun waits for something of its own, which no delay changes.
    """
    session.run(SET_DELAY, workflow_id=workflow_id, until=until, now=now)


def set_version(session: Session, ids: Iterable[str], version: str | None, *, now: int) -> None:
    """Let this version run those of the workflows that wait; None: the latest one."""
    _run(session, SET_VERSION, ids, version=version, now=now)


def set_priority(session: Session, ids: Iterable[str], priority: int, *, now: int) -> None:
    """Change the priority of those of the workflows that wait; a lower one runs first."""
    _run(session, SET_PRIORITY, ids, priority=priority, now=now)


def delay(session: Session, ids: Iterable[str], *, until: int, now: int) -> None:
    """Delay those of the workflows that wait and have not begun, until then (epoch ms)."""
    _run(session, DELAY, ids, until=until, now=now)


def end_delay(session: Session, ids: Iterable[str], *, now: int) -> None:
    """Enqueue those of the workflows that are delayed and have not begun."""
    _run(session, END_DELAY, ids, now=now)


def _run(session: Session, statement: Statement, ids: Iterable[str], **params: Any) -> None:
    for chunk in id_chunks(ids):
        session.run(statement, ids=session.ids(chunk), **params)
