"""Change a workflow's attributes and delay; its run continues."""

from __future__ import annotations

import json
from typing import Any

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
    """Replace all attributes or, if `merge`, the given top-level keys. Ignores an unknown id."""
    if merge:
        # The row stays locked until the transaction ends, so concurrent merges lose no keys.
        row = session.one(ATTRIBUTES, workflow_id=workflow_id)
        found = None if row is None else row[0]
        known = json.loads(found) if isinstance(found, str) else found
        attributes = {**(known or {}), **(attributes or {})}
    text = None if attributes is None else json.dumps(attributes)
    session.run(SET_ATTRIBUTES, workflow_id=workflow_id, attributes=text, now=now)


def set_delay(session: Session, workflow_id: str, *, until: int, now: int) -> None:
    """Change when a DELAYED workflow is due, in epoch milliseconds; ignore any other status."""
    session.run(SET_DELAY, workflow_id=workflow_id, until=until, now=now)
