"""Workflows to act on, somebody who may, and rounds run by hand instead of by a thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from workflows.actions import Actor

VERBS = ("cancel_workflow", "resume_workflow", "fork_workflow", "delete_workflow")
Workflows = Callable[..., list[str]]


@pytest.fixture
def operator(make_user: Callable[..., Any]) -> Actor:
    names = [f"workflows.{name}" for name in (*VERBS, "view_workflow")]
    return Actor(make_user("grace", *names), "10.0.0.7")


@pytest.fixture
def workflows(db: None) -> Workflows:
    """Make some: workflows(3, "ERROR", queue_name="mail"); the ids, oldest first."""
    from workflows.models import Workflow

    def make(count: int, status: str = "ERROR", prefix: str = "", **fields: Any) -> list[str]:
        given = {"name": "charge", "owner_xid": "o", "updated_at": 1_000} | fields
        prefix = prefix or status.lower()
        rows = [
            Workflow(
                workflow_uuid=f"{prefix}-{at:05}",
                status=status,
                created_at=1_000 + at,
                completed_at=None if status in ("PENDING", "ENQUEUED", "DELAYED") else 2_000,
                **given,
            )
            for at in range(count)
        ]
        Workflow.objects.bulk_create(rows)
        return [row.pk for row in rows]

    return make


@pytest.fixture
def work(db: None) -> Callable[..., int]:
    """Let rounds go by until nothing is due, or as many as asked for; how many there were."""
    from workflows.bulk.rounds import one_round

    def rounds(most: int = 1_000, owner: str = "one") -> int:
        done = 0
        while done < most and one_round(owner) == 0:
            done += 1
        return done

    return rounds
