"""Give the workflows of a bundle other ids, so that it can be imported beside what it came from."""

from __future__ import annotations

from dboshub.workflows.storage.control.export_format import Row, Tables

# Columns that name a workflow, by table.
IDS: dict[str, tuple[str, ...]] = {
    "workflow_status": ("workflow_uuid", "parent_workflow_id", "forked_from"),
    "workflow_input": ("workflow_uuid",),
    "workflow_output": ("workflow_uuid",),
    "operation_outputs": ("workflow_uuid", "child_workflow_id"),
    "workflow_events": ("workflow_uuid",),
    "workflow_events_history": ("workflow_uuid",),
    "streams": ("workflow_uuid",),
    "notifications": ("destination_uuid",),
}


def with_prefix(tables: Tables, prefix: str) -> Tables:
    """The tables with `prefix` before the ids of all workflows in them, and of their messages.

    References to workflows that are not among them stay, and so do ids inside payloads.
    """
    new_ids = {
        row["workflow_uuid"]: f"{prefix}{row['workflow_uuid']}" for row in tables["workflow_status"]
    }
    found = {
        table: [
            row | {column: new_ids.get(row[column], row[column]) for column in IDS[table]}
            for row in rows
        ]
        for table, rows in tables.items()
    }
    for row in found["notifications"]:
        row["message_uuid"] = f"{prefix}{_message_id(row, prefix)}"
    return found


def _message_id(row: Row, prefix: str) -> str:
    """The id of a message; one with an idempotency key ends with the id of its destination."""
    destination, given = str(row["destination_uuid"]), str(row["message_uuid"])
    key, ends, last = given.rpartition("::")
    return f"{key}::{destination}" if ends and f"{prefix}{last}" == destination else given
