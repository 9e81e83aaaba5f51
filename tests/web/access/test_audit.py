"""The audit log as plain HTML: filtered, paged by place, at a bounded cost."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from dboshub.audit import selectors
from dboshub.audit.selectors import PAGE_SIZE
from dboshub.workflows.clock import now_ms
from dboshub.workflows.connection import atomic
from dboshub.workflows.models import AuditEvent
from dboshub.workflows.page_cache import page_cache
from tests.support.runs import add_workflow

pytestmark = pytest.mark.django_db

LOG = "/audit/"
KINDS = [
    "workflow",
    "queue",
    "schedule",
    "executor",
    "version",
    "bulk",
    "workflows",
    "audit",
    "export",
    "unheard-of",
]
HOSTILE = ["<script>alert(1)</script>", "../x", "~x", "a//b", "order/7 🐒", "\u202egnp", ""]


@pytest.fixture(autouse=True)
def fresh() -> None:
    page_cache().clear()


@pytest.fixture
def auditor(client: Client, make_user: Callable[..., Any]) -> Client:
    client.force_login(
        make_user("aud", "dboshub_workflows.view_auditevent", "dboshub_workflows.view_workflow")
    )
    return client


def add(target: str = "w-1", **columns: Any) -> AuditEvent:
    given: dict[str, Any] = {
        "at": now_ms(),
        "username": "olga",
        "address": "10.0.0.7",
        "action": "cancel",
        "target_kind": "workflow",
        "outcome": "done",
    }
    made: AuditEvent = AuditEvent.objects.create(target=target, **given | columns)
    return made


def page(client: Client, query: str = "") -> str:
    response = client.get(f"{LOG}{query}")
    assert response.status_code == 200, response.status_code
    return unescape(response.content.decode())


def targets(html: str) -> list[str]:
    return re.findall(r'<td data-label="Target"[^>]*>.*?<bdi[^>]*>(.*?)</bdi>', html)


def test_each_action_says_who_what_when_why_from_where_and_how_it_went(auditor: Client) -> None:
    refusal = {"refused": "It has ended.", "advice": "Fork it."}
    add("order/7", reason="wrong customer", outcome="refused", detail=refusal)
    add("order/7", action="fork", detail={"fork": "new-id", "start_step": 3})
    add("order/7", action="resume", outcome="started")
    html = page(auditor)
    told = re.sub(r"<[^>]+>", " ", html)
    for said in ("olga", "10.0.0.7", "wrong customer", "Refused", "It has ended. Fork it."):
        assert said in told
    assert '"start_step": 3' in told
    assert "Unfinished" in told
    assert f'href="{reverse("dboshub:workflows:detail", args=["order/7"])}"' in html
    assert re.search(r"just now|\d+ s ago", told)


def test_a_target_leads_to_its_page_and_an_export_to_the_list_it_was_made_of(
    auditor: Client,
) -> None:
    add("12", target_kind="bulk")
    add("status=ERROR&since=1h", target_kind="workflows", action="export")
    html = page(auditor)
    assert f'href="{reverse("dboshub:workflows:bulk", args=[12])}"' in html
    assert 'href="/workflows/?status=ERROR&since=1h"' in html


def test_what_the_hub_does_is_in_the_log_at_once(
    client: Client, make_user: Callable[..., Any]
) -> None:
    rights = ("view_workflow", "cancel_workflow", "view_auditevent")
    client.force_login(make_user("grace", *(f"dboshub_workflows.{each}" for each in rights)))
    with atomic() as session:
        add_workflow(session, "w", "PENDING")
    client.post(
        reverse("dboshub:workflows:do", args=["cancel", "w"]), {"reason": "stuck for hours"}
    )
    html = page(client)
    assert "stuck for hours" in html
    assert ">grace<" in html
    assert ">Audit</a>" in html


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?user=olga", ["b", "a"]),
        ("?user=Olga", []),
        ("?verb=fork", ["c"]),
        ("?kind=queue", ["c"]),
        ("?target=a", ["a"]),
        ("?target=%2A", []),
        ("?target=A%2A", []),
        ("?target=b%2A", ["b"]),
        ("?target=%25%2A", []),
        ("?outcome=refused", ["b"]),
        ("?since=2h", ["c", "b"]),
        ("?until=2h", ["a"]),
        ("?user=olga&outcome=refused&since=1d", ["b"]),
        ("?user=%00", []),
    ],
)
def test_every_filter_leaves_what_it_says(auditor: Client, query: str, found: list[str]) -> None:
    now = now_ms()
    add("a", at=now - 3 * 3_600_000)
    add("b", at=now - 3_600_000, outcome="refused")
    add("c", at=now, username="ada", action="fork", target_kind="queue")
    assert targets(page(auditor, query)) == found


def test_a_filter_that_makes_no_sense_is_named_and_left_out(auditor: Client) -> None:
    add()
    html = page(auditor, "?since=yesterday&after=nonsense&outcome=done")
    assert "'yesterday' is not a time" in html
    assert targets(html) == ["w-1"]
    for place in ("1", "-", "1-1-1", f"{'9' * 5_000}-1", "½-1"):
        page(auditor, f"?after={place}")


def test_empty_fields_of_the_form_leave_the_address(auditor: Client) -> None:
    response = auditor.get(f"{LOG}?user=olga&verb=&target=&since=")
    assert response["Location"] == f"{LOG}?user=olga"
    assert auditor.get(f"{LOG}?user=")["Location"] == LOG


def test_pages_follow_each_other_even_within_one_moment(auditor: Client) -> None:
    at = now_ms()
    for number in range(PAGE_SIZE + 7):
        add(f"t{number:03}", at=at)
    first = page(auditor, "?user=olga")
    assert len(targets(first)) == PAGE_SIZE
    (older,) = re.findall(r'rel="next" href="([^"]*)"', first)
    assert older.startswith("?user=olga&after=")
    AuditEvent.objects.filter(target=targets(first)[-1]).delete()
    second = page(auditor, older)
    assert targets(second) == [f"t{number:03}" for number in reversed(range(7))]
    assert 'rel="next"' not in second
    assert f'href="{LOG}?user=olga">Newest' in second


def test_a_rare_match_is_searched_for_part_by_part(
    auditor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selectors, "MAX_ROWS_SCANNED", 10)
    at = now_ms()
    add("needle", username="ada", at=at - 25)
    for number in range(25):
        add(f"t{number}", at=at - number)
    query, steps = "?user=ada", 0
    while "needle" not in targets(html := page(auditor, query)):
        assert "Nothing found yet" in html
        assert "Searched back to" in html
        (query,) = re.findall(r'rel="next" href="([^"]*)"', html)
        steps += 1
    assert steps == 2
    assert 'rel="next"' not in html


def test_a_page_costs_two_statements_and_a_cached_third(auditor: Client) -> None:
    for number in range(PAGE_SIZE + 5):
        add(f"t{number}")
    page(auditor)
    with CaptureQueriesContext(connection) as seen:
        page(auditor, "?user=olga&target=t%2A")
    ours = [each for each in seen.captured_queries if "dboshub_audit_event" in each["sql"]]
    assert len(ours) == 2


def test_every_page_reads_along_the_index_of_the_newest(
    auditor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selectors, "MAX_ROWS_SCANNED", 100)
    AuditEvent.objects.bulk_create(
        AuditEvent(username=f"u{number}", action="cancel", target_kind="workflow", target="w", at=9)
        for number in range(3_000)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE dboshub_audit_event")
    with CaptureQueriesContext(connection) as seen:
        page(auditor, "?user=absent&after=9-2000")
    asked = [each["sql"] for each in seen.captured_queries if "dboshub_audit_event" in each["sql"]]
    explain = "EXPLAIN QUERY PLAN" if connection.vendor == "sqlite" else "EXPLAIN"
    with connection.cursor() as cursor:
        for statement in asked[:2]:
            cursor.execute(f"{explain} {statement}")
            plan = " ".join(str(row) for row in cursor.fetchall())
            assert "audit_event_newest" in plan, plan


def test_there_is_a_page_for_having_none_and_for_finding_none(auditor: Client) -> None:
    assert "Nobody did anything yet" in page(auditor)
    assert "No action matches" in page(auditor, "?user=nobody")


def test_a_database_that_does_not_answer_is_said_to_be_so(auditor: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE dboshub_audit_event RENAME TO gone")
    response = auditor.get(LOG)
    assert response.status_code == 503
    assert "The database did not answer" in response.content.decode()


@pytest.mark.parametrize("text", HOSTILE)
def test_what_was_recorded_may_be_anything(auditor: Client, text: str) -> None:
    for kind in KINDS:
        add(text, target_kind=kind, username=text, reason=text, detail={"was": text})
    add(text, action="", outcome="", detail=["no", "object"])
    html = auditor.get(LOG).content.decode()
    assert "<script>alert" not in html
    assert not re.search(r'\sstyle="|\son\w+="|<script>|javascript:', html)


def test_the_log_is_for_those_who_may_see_it(client: Client, make_user: Callable[..., Any]) -> None:
    add()
    client.force_login(make_user("bob", "dboshub_workflows.view_workflow"))
    assert client.get(LOG).status_code == 403
    assert f'href="{LOG}"' not in client.get("/workflows/").content.decode()
    assert client.post(LOG).status_code == 405
