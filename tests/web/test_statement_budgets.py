"""No page asks the database more often when there is more to show."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from dboshub.queues.models import Queue
from dboshub.workflows.clock import now_ms
from dboshub.workflows.connection import atomic
from dboshub.workflows.models import AuditEvent
from dboshub.workflows.page_cache import page_cache
from tests.support.runs import add_workflow

pytestmark = pytest.mark.django_db

# The most statements of each page; about a third of them are the session, the person and the
# time limit that every page has.
BUDGETS = {
    "dboshub:home": 30,
    "dboshub:incidents": 30,
    "dboshub:find": 10,
    "dboshub:workflows:list": 21,
    "dboshub:workflows:detail w0": 42,
    "dboshub:workflows:steps w0": 9,
    "dboshub:workflows:family w0": 13,
    "dboshub:workflows:start_list": 10,
    "dboshub:workflows:errors": 15,
    "dboshub:workflows:step_statistics": 10,
    "dboshub:workflows:bulk_list": 5,
    "dboshub:workflows:executors": 14,
    "dboshub:queues:list": 18,
    "dboshub:queues:detail q0": 22,
    "dboshub:schedules:list": 9,
    "dboshub:exports:list": 4,
    "dboshub:audit": 6,
    "dboshub:hub": 46,
}


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(get_user_model().objects.create_superuser("root", password=None))
    return client


def fill(first: int, last: int) -> None:
    with atomic() as session:
        for at in range(first, last):
            status = ("SUCCESS", "ERROR", "PENDING", "ENQUEUED")[at % 4]
            columns: dict[str, Any] = {"queue_name": f"q{at}"} if status == "ENQUEUED" else {}
            made = now_ms() - at * 1_000
            add_workflow(session, f"w{at}", status, created_at=made, name=f"n{at}", **columns)
            Queue.objects.create(queue_id=f"q{at}", name=f"q{at}")
            AuditEvent.objects.create(username="root", action="cancel", target=f"w{at}")


def statements(client: Client, page: str) -> int:
    name, *args = page.split()
    page_cache().clear()
    with CaptureQueriesContext(connection) as seen:
        assert client.get(reverse(name, args=args)).status_code == 200, page
    return len(seen)


def test_every_page_keeps_its_budget_of_statements_however_many_rows_it_shows(
    admin: Client,
) -> None:
    fill(0, 4)
    few = {page: statements(admin, page) for page in BUDGETS}
    assert not {page: asked for page, asked in few.items() if asked > BUDGETS[page]}
    fill(4, 44)
    many = {page: statements(admin, page) for page in BUDGETS}
    # A look at payloads is noted once; then it is only looked up.
    assert {page: asked for page, asked in many.items() if asked > few[page]} == {}
