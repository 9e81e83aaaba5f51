"""Change a workflow's attributes and delay; its run continues."""

from __future__ import annotations

import json
from typing import Any

from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.engine.stored_json import UnreadableJsonError, stored_json
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
