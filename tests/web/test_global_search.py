"""The search box of every page: what it finds, with which reasons, and what it never tells."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from dboshub.global_search import workflow_matches
from dboshub.models import SavedView
from dboshub.queues.models import Queue
from dboshub.schedules.models import Schedule
from dboshub.workflows.connection import atomic
from dboshub.workflows.models import AuditEvent, ScopeRule
from dboshub.workflows.page_cache import page_cache
from dboshub.workflows.selectors import value_search
from tests.support.runs import T0, add_workflow

pytestmark = pytest.mark.django_db

VIEW, PAYLOAD = "dboshub_workflows.view_workflow", "dboshub_workflows.view_payload"
HTMX = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def fresh_cache() -> None:
    page_cache().clear()


def signed_in(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def reader(make_user: Callable[..., Any]) -> Client:
    return signed_in(make_user("rea", VIEW, PAYLOAD))


@pytest.fixture
def viewer(make_user: Callable[..., Any]) -> Client:
    return signed_in(make_user("viv", VIEW))


@pytest.fixture
def everything(make_user: Callable[..., Any]) -> Client:
    names = ("view_queue", "change_queue")
    more = [f"dboshub_queues.{each}" for each in names]
    return signed_in(
        make_user(
            "root",
            VIEW,
            PAYLOAD,
            *more,
            "dboshub_schedules.view_schedule",
            "dboshub_workflows.start_workflow",
        )
    )


def add(workflow_id: str, *args: Any, **columns: Any) -> None:
    with atomic() as session:
        add_workflow(session, workflow_id, *args, **columns)


def found(client: Client, text: str, part: str = "", **query: str) -> str:
    """The text of the page, or of a part of it, with the attributes that lead somewhere."""
    address = f"/find/{part}/" if part else "/find/"
    response = client.get(address, {"q": text, **query}, headers=HTMX if part else {})
    assert response.status_code == 200, response
    return response.content.decode()


def groups(html: str) -> dict[str, list[str]]:
    """The results by group, each as the words that it shows."""
    parts = re.findall(
        r'role="group" aria-label="([^"]*)">(.*?)(?=<div class="hits"|$)', html, re.DOTALL
    )
    return {
        unescape(title): [
            words(each) for each in re.findall(r"<a class=\"hit.*?</a>", inner, re.DOTALL)
        ]
        for title, inner in parts
    }


def words(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def test_without_a_text_it_offers_pages_with_their_keys_and_saved_views(viewer: Client) -> None:
    owner = viewer.session["_auth_user_id"]
    SavedView.objects.create(owner_id=owner, name="Broken", query="status=failed")
    shown = groups(found(viewer, "", "names"))
    assert "Home g h" in shown["Go to"]
    assert not any("Audit" in each or "Start a workflow" in each for each in shown["Go to"])
    assert shown["Saved views"] == ["Broken saved view of yours"]
    page = found(viewer, "")
    assert "<h1>Search</h1>" in page
    assert 'href="/workflows/errors/"' in page


def test_each_result_says_why_it_matched(everything: Client) -> None:
    Queue.objects.create(queue_id="q1", name="mail-9003")
    Schedule.objects.create(
        schedule_id="s1", schedule_name="nightly-9003", workflow_name="w", schedule="0 3 * * *"
    )
    add("9003-first", name="one")
    add(
        "order/9003/eu",
        name="two",
        created_at=T0 + 1,
        executor_id="pod-9003",
        application_version="v9003",
    )
    add("else", name="job_9003", application_name="app-9003", authenticated_user="u9003")
    SavedView.objects.create(
        owner_id=everything.session["_auth_user_id"], name="Only 9003", query="id=9003"
    )
    shown = groups(found(everything, "9003", "names"))
    ids = " | ".join(shown["Workflows by id"])
    assert "one 9003 -first id begins so" in ids
    assert "two order/ 9003 /eu id contains it" in ids
    for title, reason in (
        ("Workflows by name", "job_ 9003 name of workflows"),
        ("Queues", "mail- 9003 queue"),
        ("Schedules", "nightly- 9003 schedule"),
        ("Executors", "pod- 9003 workflows of this executor"),
        ("Versions", "v 9003 workflows of this version"),
        ("Applications", "app- 9003 workflows of this application"),
        ("Users", "u 9003 workflows started by"),
        ("Saved views", "Only 9003 saved view of yours"),
    ):
        assert shown[title][0] == reason
    assert [each.partition(" …")[0] for each in shown["Actions"]] == [
        "Start job_ 9003",
        "Pause mail- 9003",
    ]


def test_a_whole_id_leads_to_its_workflow(viewer: Client) -> None:
    add("order/9003")
    for typed in ("order/9003", " order/9003 ", "order/9003-4"):
        assert viewer.get("/find/", {"q": typed})["Location"] == "/workflows/run/order/9003"
    shown = groups(found(viewer, "order/9003", "names"))
    assert "this id" in shown["Workflows by id"][0]


@pytest.mark.parametrize("typed", ["!w", "w*", "*w*", "-", "=w", '"', "%", "_"])
def test_what_means_something_to_a_filter_means_nothing_here(viewer: Client, typed: str) -> None:
    add("another", name="x")
    assert "Workflows by id" not in groups(found(viewer, typed, "names"))


def test_a_workflow_found_by_its_id_can_be_acted_on(
    make_user: Callable[..., Any], viewer: Client
) -> None:
    add("runs", "PENDING")
    add("ended", "SUCCESS")
    verbs = ("cancel", "resume", "fork")
    may = (f"dboshub_workflows.{each}_workflow" for each in verbs)
    actor = signed_in(make_user("act", VIEW, *may))
    asks = "asks before it acts"
    shown = groups(found(actor, "runs", "names"))["What to do with it"]
    assert [each.removesuffix(f" {asks}") for each in shown] == [
        "Cancel runs …",
        "Resume runs …",
        "Fork runs …",
    ]
    shown = groups(found(actor, "ended", "names"))["What to do with it"]
    assert [each.removesuffix(f" {asks}") for each in shown] == ["Fork ended …"]
    assert "What to do with it" not in groups(found(actor, "run", "names"))
    assert "What to do with it" not in groups(found(viewer, "runs", "names"))


def test_values_are_found_where_they_are(reader: Client) -> None:
    add("by-input", inputs={"order": {"id": 9003}})
    add("by-output", output=["sent to 9003"], created_at=T0 + 1)
    add("by-error", "ERROR", error=ValueError("no box for 9003"), created_at=T0 + 2)
    add("by-attribute", attributes=json.dumps({"customer": "c-9003"}), created_at=T0 + 3)
    add("by-partition", queue_partition_key="tenant-9003", created_at=T0 + 4)
    add("not", inputs={"order": {"id": 9004}}, created_at=T0 + 5)
    html = found(reader, "9003", "values")
    shown = groups(html)["Values in workflows"]
    reasons = [re.search(r"by-(\w+) (.*?) ·", each).groups() for each in shown]  # type: ignore[union-attr]
    assert reasons == [
        ("partition", "tenant- 9003 partition"),
        ("attribute", "c- 9003 attr.customer"),
        ("error", "ValueError: no box for 9003 error"),
        ("output", "sent to 9003 output[0]"),
        ("input", "9003 input[0].order.id"),
    ]
    assert "Searched every one of 6 runs" in words(html)
    # Without scripts, the page shows the same.
    assert words(found(reader, "9003")).count("no box for 9003") == 1


def test_who_may_not_see_payloads_finds_none_and_is_told_so(viewer: Client) -> None:
    add("by-input", inputs={"order": {"id": 9003}}, attributes=json.dumps({"customer": "9003"}))
    add("by-user", authenticated_user="u-9003")
    for html in (found(viewer, "9003", "values"), found(viewer, "9003")):
        assert "by-user" in html
        assert "by-input" not in html
        assert "You may not see payloads, so values inside them are not searched." in words(html)
    assert not AuditEvent.objects.filter(action="view payload").exists()


def test_a_redacted_value_never_matches(reader: Client, settings: Any) -> None:
    settings.DBOSHUB_REDACT = ("*token*",)
    secret = {"api_token": "tok-9003"}
    add("w", inputs=secret, output=secret, attributes=json.dumps(secret))
    assert "Values in workflows" not in found(reader, "tok-9003")


def test_a_look_at_values_is_audited_and_not_stored_by_browsers(reader: Client) -> None:
    add("w", inputs="9003")
    for _ in range(2):
        response = reader.get("/find/", {"q": "9003"})
        assert response["Cache-Control"] == "no-store"
    assert "no-store" in reader.get("/find/values/", {"q": "9003"}, headers=HTMX)["Cache-Control"]
    event = AuditEvent.objects.get(action="view payload")
    assert (event.username, event.target_kind, event.target) == ("rea", "search", "")


def test_only_applications_in_scope_are_found(make_user: Callable[..., Any]) -> None:
    user = make_user("sue", VIEW, PAYLOAD)
    group = Group.objects.create(name="shop")
    ScopeRule.objects.create(group=group, application="shop")
    user.groups.add(group)
    client = signed_in(user)
    Queue.objects.create(queue_id="q1", name="q-9003", application_name="other")
    add("own-9003", inputs="9003")
    add("other-9003", inputs="9003", application_name="other", name="other-9003")
    page = found(client, "9003") + found(client, "9003", "names") + found(client, "9003", "values")
    assert "own-9003" in page
    assert "other-9003" not in page
    assert "q-9003" not in page


def test_queues_and_schedules_are_found_by_those_who_may_see_them(viewer: Client) -> None:
    Queue.objects.create(queue_id="q1", name="mail")
    assert "Queues" not in groups(found(viewer, "mail", "names"))


def test_a_filter_leads_to_the_list_and_goes_on_with_what_is_there(viewer: Client) -> None:
    add("w", name="checkout")
    html = found(viewer, "status:failed name:che", "names")
    assert groups(html)["Filter"] == ["Workflows with status:failed name:che filters the list"]
    assert groups(html)["Go on with"] == ["checkout"]
    assert 'data-text="status:failed name:checkout "' in html
    assert 'href="/workflows/?q=status%3Afailed+name%3Ache"' in html


def test_an_unknown_key_is_an_error_with_what_may_be_meant(reader: Client, viewer: Client) -> None:
    html = found(reader, "customer:9003", "names")
    assert "There is no key 'customer'. Did you mean attr.customer?" in words(html)
    assert "Filter" not in groups(html)
    assert groups(html)["Did you mean"] == [
        "attr.customer:9003 filters by an attribute",
        '"customer:9003" searches for the text itself',
    ]
    assert (
        "attr.customer:9003" not in groups(found(viewer, "customer:9003", "names"))["Did you mean"]
    )
    add("w", inputs="see customer:9003")
    assert "see customer:9003" in words(found(reader, '"customer:9003"'))


def test_a_walk_says_how_far_it_looked_and_goes_on(
    reader: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(value_search, "MAX_RUNS", 20)
    monkeypatch.setattr(value_search, "CHUNK", 10)
    for number in range(45):
        held = "9003" if number in (3, 30, 44) else "other"
        add(f"w-{number:02}", inputs=held, created_at=T0 + number * 1_000)
    page = found(reader, "9003")
    seen = re.findall(r"run/(w-\d+)", page)
    assert "Searched the newest 20 runs, back to 2026-09-21 14:13:45.000 UTC" in words(page)
    onward = unescape(re.search(r'href="([^"]*)">Search further back', page)[1])  # type: ignore[index]
    page = reader.get(onward).content.decode()
    seen += re.findall(r"run/(w-\d+)", page)
    assert "Searched 20 runs more" in words(page)
    onward = unescape(re.search(r'href="([^"]*)">Search further back', page)[1])  # type: ignore[index]
    page = reader.get(onward).content.decode()
    seen += re.findall(r"run/(w-\d+)", page)
    assert "Searched the rest" in words(page)
    assert "further back" not in page
    assert seen == ["w-44", "w-30", "w-03"]


def test_a_search_takes_as_many_statements_whatever_there_is(reader: Client) -> None:
    def statements(part: str) -> int:
        page_cache().clear()
        with CaptureQueriesContext(connection) as seen:
            found(reader, "absent", part)
        return len(seen)

    parts = ("", "names", "values")
    add("first", inputs="x")
    few = [statements(part) for part in parts]
    for number in range(value_search.CHUNK - 10):
        add(f"w-{number}", inputs={"n": number}, name=f"n{number}", created_at=T0 + number)
    assert [statements(part) for part in parts] == few
    assert few[0] <= 30
    assert few[1] <= 24
    assert few[2] <= 14


def test_a_walk_reads_no_more_than_it_may(reader: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(value_search, "CHUNK", 50)
    monkeypatch.setattr(value_search, "MAX_RUNS", 100)
    for number in range(160):
        add(f"w-{number}", created_at=T0 + number)
    with CaptureQueriesContext(connection) as seen:
        found(reader, "absent", "values")
    payloads = [each["sql"] for each in seen if "workflow_input" in each["sql"]]
    assert len(payloads) == 2
    assert len(seen) <= 20


def test_ids_that_were_not_all_looked_through_say_how_far(
    viewer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workflow_matches, "BUDGET_S", -1)
    monkeypatch.setattr(workflow_matches, "FIRST_CHUNK", 7)
    for number in range(20):
        add(f"w-{number:02}", created_at=T0 + number * 1_000)
    for html in (found(viewer, "-01", "names"), found(viewer, "-01")):
        assert "Ids were looked through back to 2026-09-21 14:13:32.999 UTC" in words(html)
        assert 'href="/workflows/?id=%2A-01%2A">Go on in the list' in html
    assert "looked through" not in found(viewer, "w-0", "names")


def test_nothing_found_says_so(viewer: Client) -> None:
    assert "Nothing found" in words(found(viewer, "absent"))
    assert "three characters or more" in words(found(viewer, "zq"))


def test_a_database_that_does_not_answer_is_said_to_be_so(
    viewer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object, **_options: object) -> None:
        raise OperationalError("canceling statement due to statement timeout")

    monkeypatch.setattr("dboshub.global_search.search.by_id", refuse)
    assert viewer.get("/find/", {"q": "x-1"}).status_code == 503
    part = viewer.get("/find/names/", {"q": "x-1"}, headers=HTMX)
    assert part.status_code == 503
    assert "The database did not answer" in part.content.decode()


def test_parts_lead_a_browser_without_scripts_to_the_page(viewer: Client) -> None:
    for part in ("names", "values"):
        assert viewer.get(f"/find/{part}/", {"q": "a b"})["Location"] == "/find/?q=a+b"


def test_whoever_may_see_nothing_is_told_whom_to_ask(make_user: Callable[..., Any]) -> None:
    eve = signed_in(make_user("eve"))
    for address in ("/find/?q=x", "/find/names/?q=x", "/find/values/?q=x"):
        assert eve.get(address, headers=HTMX).status_code == 403


def test_hostile_texts_are_shown_as_text(reader: Client) -> None:
    add("w", inputs="<script>alert(9003)</script>")
    for part in ("", "names", "values"):
        html = found(reader, "<script>alert(9003)", part)
        assert "<script>alert" not in html
