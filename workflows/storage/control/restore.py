"""Put workflows back as they were before a change, if nothing else has changed them since."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dboshub.workflows.storage.fragments import locked_ids
from dboshub.workflows.storage.sql import Session, Statement

# The columns that a restored row gets, with their types.
_TYPES = {
    "status": "text",
    "queue_name": "text",
    "queue_partition_key": "text",
    "application_version": "text",
    "priority": "integer",
    "delay_until_epoch_ms": "bigint",
    "deduplication_id": "text",
    "workflow_deadline_epoch_ms": "bigint",
    "started_at_epoch_ms": "bigint",
    "completed_at": "bigint",
    "recovery_attempts": "bigint",
    "updated_at": "bigint",
}
COLUMNS = tuple(_TYPES)


def _for_each(text: str) -> Statement:
    """A statement that reads the changes as the table `given`."""
    types = {"id": "text", "changed_at": "bigint", **_TYPES}
    columns = ", ".join(f"{name} {type_}" for name, type_ in types.items())
    extracted = ", ".join(f"json_extract(value, '$.{name}') AS {name}" for name in types)
    given = "jsonb_to_recordset(CAST(:changes AS jsonb))"
    return Statement(
        postgres=f"WITH given AS (SELECT * FROM {given} AS change ({columns})) {text}",
        sqlite=f"WITH given AS (SELECT {extracted} FROM json_each(:changes)) {text}",
    )


TAKEN = _for_each(
    """
    SELECT given.id
    FROM given
    JOIN {workflow_status} AS other
        ON other.queue_name = given.queue_name
        AND other.deduplication_id = given.deduplication_id
        AND other.workflow_uuid <> given.id
    """
)
RESTORE = _for_each(
    f"""
    UPDATE {{workflow_status}}
    SET owner_xid = NULL, {", ".join(f"{name} = given.{name}" for name in COLUMNS)}
    FROM given
    WHERE workflow_uuid = given.id AND workflow_status.updated_at = given.changed_at
    RETURNING workflow_uuid
    """
)

_HAS_NO_FORK = """NOT EXISTS (
                    SELECT 1
                    FROM {workflow_status} AS fork
                    WHERE fork.forked_from = workflow_status.workflow_uuid
                )"""
UNMARK = Statement(
    f"""
    UPDATE {{workflow_status}}
    SET was_forked_from = FALSE
    WHERE {locked_ids(_HAS_NO_FORK)}
    """
)


def restore(session: Session, changes: Sequence[Mapping[str, Any]]) -> set[str]:
    """Give rows the values of COLUMNS; return the ids of those that were restored.

    A change names its row as `id`, and as `changed_at` (epoch ms) the `updated_at` that the row
    must still have. A row whose deduplication id another one holds now is left alone.
    """
    unique = [each for each in changes if each["deduplication_id"] is not None]
    taken: set[str] = set()
    if unique:
        taken = {row[0] for row in session.all(TAKEN, changes=json.dumps(unique))}
    free = [each for each in changes if each["id"] not in taken]
    return {row[0] for row in session.all(RESTORE, changes=json.dumps(free))}


def unmark_sources(session: Session, sources: Iterable[str]) -> None:
    """Mark workflows as not forked, if they have no fork any more."""
    session.run(UNMARK, ids=session.ids(sorted({*sources})))
