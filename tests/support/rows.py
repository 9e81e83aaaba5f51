"""Rows of `workflow_status` made directly, for tests of what only reads them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dboshub.workflows.storage.sql import Session, Statement

FIELDS = (
    "workflow_uuid",
    "status",
    "name",
    "class_name",
    "config_name",
    "queue_name",
    "queue_partition_key",
    "priority",
    "deduplication_id",
    "created_at",
    "updated_at",
    "started_at_epoch_ms",
    "completed_at",
    "delay_until_epoch_ms",
    "application_name",
    "application_version",
    "executor_id",
    "authenticated_user",
    "recovery_attempts",
    "parent_workflow_id",
    "forked_from",
    "schedule_name",
)
INSERT = Statement(
    f"INSERT INTO {{workflow_status}} ({', '.join(FIELDS)})"
    f" VALUES ({', '.join(f':{field}' for field in FIELDS)})"
)
DEFAULTS: dict[str, Any] = {"status": "SUCCESS", "name": "work", "priority": 0}


def insert(session: Session, **values: Any) -> str:
    """One row; what is not given is plain or NULL. Returns its id."""
    row = dict.fromkeys(FIELDS) | DEFAULTS | {"created_at": 1_000} | values
    row["updated_at"] = row["updated_at"] or row["created_at"]
    session.run(INSERT, **row)
    return str(row["workflow_uuid"])


def insert_all(session: Session, rows: Iterable[dict[str, Any]]) -> list[str]:
    return [insert(session, **row) for row in rows]
