"""Plain SQL on the system tables, as another library's process would run it."""

from __future__ import annotations

import time
from typing import Any

from dboshub.workflows.storage.database import Database
from dboshub.workflows.storage.sql import Statement


class ForeignWriter:
    def __init__(self, database: Database) -> None:
        self.database = database

    def run(self, sql: str, **params: Any) -> None:
        with self.database.writing() as session:
            session.run(Statement(sql), **params)

    def add(self, workflow_id: str, **columns: Any) -> None:
        """Insert a workflow that is running, unless the columns say otherwise."""
        now = int(time.time() * 1000)
        row = {
            "workflow_uuid": workflow_id,
            "status": "PENDING",
            "name": "order",
            "created_at": now,
            "updated_at": now,
            "recovery_attempts": 1,
            "executor_id": "local",
        } | columns
        self.insert("workflow_status", **row)

    def insert(self, table: str, **row: Any) -> None:
        names = ", ".join(f'"{name}"' for name in row)
        values = ", ".join(f":{name}" for name in row)
        self.run(f"INSERT INTO {{{table}}} ({names}) VALUES ({values})", **row)

    def change(self, workflow_id: str, **columns: Any) -> None:
        changes = ", ".join(f"{name} = :{name}" for name in columns)
        self.run(
            f"UPDATE {{workflow_status}} SET {changes} WHERE workflow_uuid = :id",
            id=workflow_id,
            **columns,
        )

    def delete(self, workflow_id: str) -> None:
        self.run("DELETE FROM {workflow_status} WHERE workflow_uuid = :id", id=workflow_id)
