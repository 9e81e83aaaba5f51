"""Transactions that hold only while the execution that makes them owns its workflow's row."""

from __future__ import annotations

from dboshub.workflows.engine.fence import NotOwnerError, current_owner
from dboshub.workflows.storage.sql import Session, Statement

OWNER_OF = Statement("""
    SELECT status, owner_xid
    FROM {workflow_status}
    WHERE workflow_uuid = :id
    FOR NO KEY UPDATE
""")


def lock_owner(session: Session) -> None:
    """Lock the row of the execution whose change this transaction is, if there is one.

    Raises NotOwnerError if another execution owns it: then nothing is changed.
    """
    owner = current_owner()
    if owner is None:
        return
    status, found = session.one(OWNER_OF, id=owner.workflow_id) or (None, None)
    if found != owner.owner:
        raise NotOwnerError(status)
