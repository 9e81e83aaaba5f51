"""Insert a workflow with its input, or report the workflow that prevents it.

The insert comes first; the table is read only after a conflict.
"""

from __future__ import annotations

from dataclasses import fields
from operator import attrgetter

from dboshub.workflows.engine.records import NewWorkflow, Started
from dboshub.workflows.storage.sql import Row, Session, Statement

COLUMNS = tuple(field.name for field in fields(NewWorkflow))
values_of = attrgetter(*COLUMNS)  # of a row, in the order of COLUMNS
NAMES = ", ".join(COLUMNS)
VALUES = ", ".join(
    "CAST(:attributes AS jsonb)" if name == "attributes" else f":{name}" for name in COLUMNS
)

INSERT = Statement(
    f"""
    INSERT INTO {{workflow_status}} ({NAMES})
    VALUES ({VALUES})
    ON CONFLICT DO NOTHING
    """
)

INSERT_INPUT = Statement(
    """
    INSERT INTO {workflow_input} (workflow_uuid, inputs, retention_timestamp)
    VALUES (:workflow_uuid, :inputs, :now)
    ON CONFLICT (workflow_uuid) DO NOTHING
    """
)

FOUND = "status, name, class_name, config_name, queue_name, serialization, creator_xid"
EXISTING = Statement(
    f"SELECT {FOUND} FROM {{workflow_status}} WHERE workflow_uuid = :workflow_uuid"
)

DEDUPLICATED_BY = Statement(
    """
    SELECT workflow_uuid
    FROM {workflow_status}
    WHERE queue_name = :queue_name AND deduplication_id = :deduplication_id
    """
)


def start(session: Session, row: NewWorkflow, inputs: str) -> Started:
    """Insert one workflow. A repetition with the same ``creator_xid`` counts as created."""
    while True:
        if session.run(INSERT, **dict(zip(COLUMNS, values_of(row), strict=True))):
            session.run(
                INSERT_INPUT, workflow_uuid=row.workflow_uuid, inputs=inputs, now=row.created_at
            )
            return Started(created=True, status=row.status, serialization=row.serialization)
        found = _existing(session, row)
        if found is not None:
            return found
        # The workflow that caused the conflict was deleted between the two statements: try again.


def _existing(session: Session, row: NewWorkflow) -> Started | None:
    found = session.one(EXISTING, workflow_uuid=row.workflow_uuid)
    return _deduplicated(session, row) if found is None else existing(row, found)


def existing(row: NewWorkflow, found: Row) -> Started:
    """The workflow that has the id of a row, as EXISTING finds it."""
    status, name, class_name, config_name, queue_name, serialization, creator = found
    return Started(
        created=creator is not None and creator == row.creator_xid,
        status=status,
        name=name,
        class_name=class_name,
        config_name=config_name,
        queue_name=queue_name,
        serialization=serialization,
    )


def _deduplicated(session: Session, row: NewWorkflow) -> Started | None:
    if row.deduplication_id is None:
        return None
    holder = session.one(
        DEDUPLICATED_BY, queue_name=row.queue_name, deduplication_id=row.deduplication_id
    )
    return None if holder is None else Started(created=False, deduplicated_by=holder[0])
