"""Change what hangs on a workflow without touching its run: attributes and delay."""

from __future__ import annotations

import json
from typing import Any

from dboshub.workflows.storage.sql import Session, Statement

ATTRIBUTES = Statement(
    postgres="""
        SELECT attributes
        FROM {workflow_status}
        WHERE workflow_uuid = :workflow_id
        FOR NO KEY UPDATE
    """,
    sqlite="SELECT attributes FROM {workflow_status} WHERE workflow_uuid = :workflow_id",
)
SET_ATTRIBUTES = Statement(
    postgres="""
        UPDATE {workflow_status}
        SET attributes = CAST(:attributes AS jsonb), updated_at = :now
        WHERE workflow_uuid = :workflow_id
    """,
    sqlite="""
        UPDATE {workflow_status}
        SET attributes = :attributes, updated_at = :now
        WHERE workflow_uuid = :workflow_id
    """,
)
SET_DELAY = Statement(
    """
    UPDATE {workflow_status}
    SET delay_until_epoch_ms = :until, updated_at = :now
    WHERE workflow_uuid = :workflow_id AND status = 'DELAYED'
    """
)


def update_attributes(
    session: Session,
    workflow_id: str,
    attributes: dict[str, Any] | None,
    *,
    merge: bool,
    now: int,
) -> None:
    """Replace all attributes, or only the top-level keys given; an unknown id is ignored."""
    if merge:
        # The row stays locked until the end, so two merges keep each other's keys.
        row = session.one(ATTRIBUTES, workflow_id=workflow_id)
        found = None if row is None else row[0]
        known = json.loads(found) if isinstance(found, str) else found
        attributes = {**(known or {}), **(attributes or {})}
    text = None if attributes is None else json.dumps(attributes)
    session.run(SET_ATTRIBUTES, workflow_id=workflow_id, attributes=text, now=now)


def set_delay(session: Session, workflow_id: str, *, until: int, now: int) -> None:
    """Change when a DELAYED workflow is due; any other stays as it is."""
    session.run(SET_DELAY, workflow_id=workflow_id, until=until, now=now)
