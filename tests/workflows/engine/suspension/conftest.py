"""A launched engine whose workflows leave memory after a short time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dboshub.workflows.engine import current_engine
from dboshub.workflows.storage.database import Database
from dboshub.workflows.storage.sql import Statement
from tests.support.eventually import eventually
from tests.support.launched import config, launch

__all__ = ["config", "launch"]

ROW = Statement(
    """
    SELECT status, queue_name, owner_xid, started_at_epoch_ms, recovery_attempts,
        delay_until_epoch_ms
    FROM {workflow_status}
    WHERE workflow_uuid = :id
    """
)
COLUMNS = ("status", "queue", "owner", "started_at", "attempts", "until")
# As if the time had come: the sleep's checkpoint and the row say that it is over.
END_SLEEP = Statement(
    "UPDATE {operation_outputs} SET output = '1.0'"
    " WHERE workflow_uuid = :id AND function_name = 'DBOS.sleep'"
)
MAKE_DUE = Statement(
    "UPDATE {workflow_status} SET delay_until_epoch_ms = 1"
    " WHERE workflow_uuid = :id AND status = 'DELAYED'"
)


class Rows:
    """The rows of workflows in the database of the test."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def of(self, workflow_id: str) -> dict[str, Any]:
        with self.database.reading() as session:
            row = session.one(ROW, id=workflow_id)
        return dict(zip(COLUMNS, row or ("missing",) * len(COLUMNS), strict=True))

    def await_suspended(self, workflow_id: str) -> dict[str, Any]:
        """Wait until a workflow has left memory; return its row."""
        engine = current_engine.engine()
        eventually(
            lambda: (
                self.of(workflow_id)["status"] == "DELAYED"
                and engine.executions.find(workflow_id) is None
            )
        )
        return self.of(workflow_id)

    def end_sleep(self, *ids: str) -> None:
        """Let the time come that suspended workflows sleep until."""
        with self.database.writing() as session:
            for each in ids:
                session.run(END_SLEEP, id=each)
                session.run(MAKE_DUE, id=each)


@pytest.fixture
def suspending(launch: Callable[..., None]) -> None:
    launch(suspend_after_sec=0.05)


@pytest.fixture
def rows(database: Database) -> Rows:
    return Rows(database)
