"""On PostgreSQL an action tells those who wait for it as it commits; nobody polls first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction

from dboshub.workflows.actions import workflow_actions
from dboshub.workflows.actions.audit import Actor
from dboshub.workflows.models import Workflow

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif("connection.vendor == 'sqlite'", reason="SQLite has no NOTIFY"),
]


def test_cancelling_and_resuming_are_heard_when_they_commit(
    make_user: Callable[..., Any],
) -> None:
    names = ["dboshub_workflows.cancel_workflow", "dboshub_workflows.resume_workflow"]
    operator = Actor(make_user("grace", *names))
    Workflow.objects.create(workflow_uuid="w", status="PENDING")
    given = connection.get_connection_params() | {"cursor_factory": psycopg.Cursor}
    with psycopg.connect(**given, autocommit=True) as listener:
        listener.execute("LISTEN dboshub_status")
        listener.execute("LISTEN dboshub_queue")

        with transaction.atomic():
            workflow_actions.cancel(operator, "w")
            assert [*listener.notifies(timeout=0)] == []
        workflow_actions.resume(operator, "w")

        heard = [
            (each.channel, each.payload) for each in listener.notifies(timeout=20, stop_after=3)
        ]
    assert heard[0] == ("dboshub_status", "w")
    assert sorted(heard[1:]) == [
        ("dboshub_queue", "_dbos_internal_queue"),
        ("dboshub_status", "w"),
    ]
