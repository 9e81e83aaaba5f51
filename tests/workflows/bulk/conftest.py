"""Workflows to act on, somebody who may, and rounds run by hand instead of by a thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dboshub.workflows.actions.audit import Actor

VERBS = ("cancel_workflow", "resume_workflow", "fork_workflow", "delete_workflow")
Workflows = Callable[..., list[str]]


@pytest.fixture
def operator(make_user: Callable[..., Any]) -> Actor:
    names = [f"dboshub_workflows.{name}" for name in (*VERBS, "view_workflow")]
    return Actor(make_user("grace", *names), "10.0.0.7")


@pytest.fixture(autouse=True)
def unlimited_checks(db: None) -> Iterator[None]:
    """A test is one transaction, whose references are checked at its end: that may take long.

    What reads within a limit has set that limit for the rest of the transaction.
    """
    from django.db import connection

    yield
    if connection.vendor == "postgresql" and not connection.needs_rollback:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")


@pytest.fixture
def workflows(db: None) -> Workflows:
    """Make some: workflows(3, "ERROR", queue_name="mail"); the ids, oldest first."""
    from dboshub.workflows.connection import atomic
    from dboshub.workflows.storage.sql import Statement

    def make(count: int, status: str = "ERROR", prefix: str = "", **fields: Any) -> list[str]:
        given = {"name": "charge", "owner_xid": "o", "updated_at": 1_000, "status": status}
        given |= {"priority": 0, **fields}
        prefix = prefix or status.lower()
        # One statement: ten thousand rows are made in no time.
        insert = Statement(
            "WITH RECURSIVE numbers (at) AS"
            " (SELECT 0 UNION ALL SELECT at + 1 FROM numbers WHERE at + 1 < :count) "
            f"INSERT INTO {{workflow_status}} (workflow_uuid, created_at, {', '.join(given)}) "
            f"SELECT :prefix || SUBSTR(CAST(100000 + at AS text), 2), 1000 + at, "
            f"{', '.join(f':{name}' for name in given)} FROM numbers"
        )
        with atomic() as session:
            session.run(insert, count=count, prefix=f"{prefix}-", **given)
        return [f"{prefix}-{at:05}" for at in range(count)]

    return make


@pytest.fixture
def work(db: None) -> Callable[..., int]:
    """Let rounds go by until nothing is due, or as many as asked for; how many there were."""
    from dboshub.workflows.bulk.worker import run_round

    def rounds(most: int = 1_000, owner: str = "one") -> int:
        done = 0
        while done < most and run_round(owner) == 0:
            done += 1
        return done

    return rounds
