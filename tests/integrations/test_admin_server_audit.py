"""In a Django project the audit log tells what was done through the admin server."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from typing import Any

import pytest
from django.db import connection

from dboshub import DBOS
from dboshub.workflows.models import AuditEvent, Workflow

pytestmark = pytest.mark.django_db(transaction=True)
TOKEN = "correct-horse-battery"


@pytest.fixture
def ask() -> Iterator[Callable[..., int]]:
    """Ask the admin server of an engine on Django's database; the status of its reply."""
    given = connection.settings_dict
    url = f"sqlite:///{given['NAME']}"
    if connection.vendor == "postgresql":
        url = f"postgresql://{given['USER']}@{given['HOST']}:{given['PORT']}/{given['NAME']}"
    DBOS(
        config={
            "name": "test-app",
            "system_database_url": url,
            "executor_id": "here",
            "admin_token": TOKEN,
            "admin_port": 0,
        }
    )
    DBOS.launch()

    def ask(method: str, path: str, body: Any = None, token: str = TOKEN) -> int:
        runtime: Any = DBOS._runtime
        http = HTTPConnection("127.0.0.1", runtime.admin_server.port, timeout=10)
        try:
            http.request(method, path, json.dumps(body), {"Authorization": f"Bearer {token}"})
            return http.getresponse().status
        finally:
            http.close()

    yield ask
    DBOS.destroy(grace_period_sec=2)


def test_each_action_leaves_a_row_and_no_look_or_refusal_does(ask: Callable[..., int]) -> None:
    Workflow.objects.create(workflow_uuid="w", status="SUCCESS", name="w", created_at=2)
    assert ask("POST", "/workflows", {}) == 200
    assert ask("GET", "/workflows/w") == 200
    assert ask("POST", "/workflows/w/cancel", token="x" * 20) == 401
    assert ask("POST", "/workflows/nobody/fork") == 404
    assert not AuditEvent.objects.exists()
    for path in ("cancel", "resume", "restart", "fork"):
        assert ask("POST", f"/workflows/w/{path}") in (200, 204)
    assert ask("POST", "/dbos-workflow-recovery", ["gone"]) == 200
    assert ask("POST", "/dbos-global-timeout", {"cutoff_epoch_timestamp_ms": 1}) == 204
    assert ask("POST", "/dbos-garbage-collect", {"rows_threshold": 1_000}) == 204
    assert ask("GET", "/deactivate") == 200
    rows = AuditEvent.objects.order_by("id")
    assert [(row.action, row.target_kind, row.target) for row in rows] == [
        ("cancel", "workflow", "w"),
        ("resume", "workflow", "w"),
        ("fork", "workflow", "w"),
        ("fork", "workflow", "w"),
        ("recover", "executor", "gone"),
        ("cancel", "workflows", "cutoff_epoch_timestamp_ms 1"),
        ("delete", "workflows", "rows_threshold 1000"),
        ("deactivate", "executor", "here"),
    ]
    assert {(row.username, row.address, row.outcome) for row in rows} == {
        ("admin server", "127.0.0.1", "done")
    }
