"""The pages of bulk jobs as plain HTML: choose, look at the frozen set, confirm, follow, stop."""

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

from dboshub.workflows.bulk.worker import run_round
from dboshub.workflows.clock import now_ms
from dboshub.workflows.models import ApplicationVersion, AuditEvent, BulkItem, BulkJob, Workflow

pytestmark = pytest.mark.django_db

VIEW = "dboshub_workflows.view_workflow"
NEW = "/workflows/bulk/new/"
HOSTILE = ["<script>alert(1)</script>", "../x", "a//b", "7/🐒", "\u202egnp"]


@pytest.fixture
def viewer(client: Client, make_user: Callable[..., Any]) -> Client:
    client.force_login(make_user("viv", VIEW))
    return client


@pytest.fixture
def operator(client: Client, make_user: Callable[..., Any]) -> Client:
    rights = (
        "dboshub_workflows.cancel_workflow",
        "dboshub_workflows.fork_workflow",
        "dboshub_workflows.resume_workflow",
    )
    client.force_login(make_user("grace", VIEW, *rights))
    return client


def add(workflow_id: str, status: str = "PENDING", **columns: Any) -> str:
    given = {"name": "charge", "created_at": 1_000, "updated_at": 1_000} | columns
    Workflow.objects.create(workflow_uuid=workflow_id, status=status, **given)
    return workflow_id


def page(answer: Any) -> str:
    return unescape(re.sub(r"\s+", " ", answer.content.decode()))


def test_all_that_match_a_filter_are_frozen_shown_confirmed_and_followed(
    operator: Client,
) -> None:
    for number in range(3):
        add(f"failed-{number}", "ERROR", queue_name="mail")
    add("fine", "SUCCESS", queue_name="mail")

    asked = operator.get(NEW, {"verb": "fork_from_failure", "queue": "mail"})
    assert re.search(r'value="fork_from_failure" checked', page(asked))
    assert 'name="filter" value="queue=mail"' in page(asked)
    frozen = operator.post(
        NEW, {"verb": "fork_from_failure", "filter": "queue=mail", "of": "filter"}, follow=True
    )
    text = page(frozen)
    assert "3 workflows would be acted on. Nothing was done yet." in text
    assert "1 succeeded" in text
    assert "failed-2" in text
    job = BulkJob.objects.get()

    here = reverse("dboshub:workflows:bulk", args=[job.pk])
    form = {"do": "start", "start": "failed", "queue": "own", "rate": "", "reason": "mail is back"}
    started = operator.post(here, form, follow=True)
    assert 'data-kind="bulk"' in page(started)
    while run_round("here") == 0:
        pass

    done = page(operator.get(here))
    assert "3 of 3" in done
    assert "mail is back" in done
    assert "from step 1 onto mail" in done
    assert Workflow.objects.filter(forked_from__startswith="failed-").count() == 3
    assert "Fork from the failed step" in page(operator.get("/workflows/bulk/"))


def test_checked_rows_alone_are_taken(operator: Client) -> None:
    for name in ("a", "b", "c"):
        add(name)

    form = {"verb": "cancel", "filter": "", "of": "checked", "ids": ["a", "c"]}
    frozen = operator.post(NEW, form, follow=True)

    assert "rows that were checked" in page(frozen)
    assert {*BulkItem.objects.values_list("workflow_id", flat=True)} == {"a", "c"}
    assert not Workflow.objects.exclude(status="PENDING").exists()

    nothing = operator.post(NEW, {"verb": "cancel", "of": "checked"})
    assert (nothing.status_code, "No row is checked." in page(nothing)) == (422, True)


def test_a_filter_that_is_not_understood_is_not_acted_on(operator: Client) -> None:
    add("a")

    refused = operator.post(NEW, {"verb": "cancel", "filter": "status=NOPE"})

    assert refused.status_code == 409
    assert "NOPE" in page(refused)
    assert not BulkJob.objects.exists()


@pytest.mark.parametrize("box", ["customer:9003", "name:charge until:nonsense", "status:NOPE"])
def test_all_that_match_never_means_more_than_was_asked_for(operator: Client, box: str) -> None:
    add("a")
    listed = operator.get("/workflows/", {"q": box}, follow=True)
    given = listed.request["QUERY_STRING"]

    refused = operator.post(NEW, {"verb": "cancel", "filter": given, "of": "filter"})

    assert 'name="filter"' not in listed.content.decode()
    assert refused.status_code == 409
    assert not BulkJob.objects.exists()


def test_a_running_job_is_stopped_and_goes_on_and_only_then_forgets_nothing(
    operator: Client,
) -> None:
    add("a")
    operator.post(NEW, {"verb": "cancel", "filter": "name=charge"})
    here = reverse("dboshub:workflows:bulk", args=[BulkJob.objects.get().pk])
    operator.post(here, {"do": "start", "rate": "0.5"})

    assert "Stopped by grace." in page(
        operator.post(here, {"do": "stop", "reason": "too\x00 fast"}, follow=True)
    )
    assert AuditEvent.objects.get(action="bulk_stop").reason == "too\N{REPLACEMENT CHARACTER} fast"
    assert operator.post(here, {"do": "discard"}).status_code == 409
    assert operator.post(here, {"do": "retry"}).status_code == 409
    operator.post(here, {"do": "start", "rate": "0.5"})
    run_round("here")

    job = BulkJob.objects.get()
    assert (job.done, job.rate) == (1, 0.5)
    assert job.next_at > now_ms()


def test_what_is_filled_in_wrongly_is_said_and_nothing_starts(operator: Client) -> None:
    add("a", "ERROR")
    operator.post(NEW, {"verb": "fork_from_failure", "filter": ""})
    here = reverse("dboshub:workflows:bulk", args=[BulkJob.objects.get().pk])

    answer = operator.post(here, {"do": "start", "start": "number", "queue": "own", "rate": "-1"})

    assert answer.status_code == 422
    assert "Say which." in page(answer)
    assert BulkJob.objects.get().state == "frozen"


def test_a_job_is_undone_by_two_posts_and_both_pages_say_so(operator: Client) -> None:
    for number in range(3):
        add(f"w-{number}", "ENQUEUED", queue_name="mail")
    operator.post(NEW, {"verb": "cancel", "filter": "name=charge"})
    here = reverse("dboshub:workflows:bulk", args=[BulkJob.objects.get().pk])
    confirm = page(operator.get(here))
    assert "For 30 days it can be undone. What is still cancelled goes back in line" in confirm
    assert 'value="undo"' not in confirm
    operator.post(here, {"do": "start"})
    while run_round("here") == 0:
        pass
    assert 'name="do" value="undo"' in page(operator.get(here))
    Workflow.objects.filter(pk="w-1").update(status="PENDING", updated_at=now_ms() + 1)

    confirm = page(operator.post(here, {"do": "undo"}, follow=True))
    assert "Undo: 2 workflows" in confirm
    assert "2 back onto mail" in confirm
    assert "1 started since then" in confirm
    assert 'value="retry"' not in confirm
    assert Workflow.objects.filter(status="CANCELLED").count() == 2
    undoing = BulkJob.objects.get(undoes__isnull=False)
    there = reverse("dboshub:workflows:bulk", args=[undoing.pk])
    operator.post(there, {"do": "start", "reason": "the wrong queue"})
    while run_round("here") == 0:
        pass

    done = page(operator.get(there))
    assert "2 of 2" in done
    assert f'<a href="{here}">what #' in done
    assert 'value="undo"' not in done
    source = page(operator.get(here))
    assert f'<a href="{there}">#{undoing.pk}: 2 of 2</a>' in source
    assert Workflow.objects.filter(status="ENQUEUED", queue_name="mail").count() == 2
    assert "Undo: cancel" in page(operator.get("/workflows/bulk/"))


def test_what_is_too_old_to_be_undone_says_so(operator: Client) -> None:
    add("a")
    operator.post(NEW, {"verb": "cancel", "filter": ""})
    here = reverse("dboshub:workflows:bulk", args=[BulkJob.objects.get().pk])
    operator.post(here, {"do": "start"})
    while run_round("here") == 0:
        pass
    BulkJob.objects.update(started_at=1)
    assert "It is older than 30 days" in page(operator.get(here))
    assert 'value="undo"' not in page(operator.get(here))
    assert operator.post(here, {"do": "undo"}).status_code == 409


@pytest.mark.parametrize(
    ("verb", "form", "options", "said"),
    [
        ("move", {"version": "v2"}, {"version": "v2"}, "to version v2"),
        ("prioritize", {"priority": "4"}, {"priority": 4}, "to priority 4"),
        ("delay", {"delay": "1.5", "unit": "hour"}, {"seconds": 5_400.0}, "for 1 h 30 min"),
        ("end_delay", {}, {}, "Remove the delay"),
        ("resume", {"rate": "30", "per": "minute"}, {"queue": ""}, "at most 30 per minute"),
    ],
)
def test_each_verb_asks_for_what_it_needs(
    operator: Client, verb: str, form: dict[str, str], options: dict[str, Any], said: str
) -> None:
    add("a", "DELAYED", queue_name="mail")
    given = {"version_timestamp": 1, "created_at": 1}
    ApplicationVersion.objects.create(version_id="v2", version_name="v2", **given)
    operator.post(NEW, {"verb": verb, "filter": ""})
    here = reverse("dboshub:workflows:bulk", args=[BulkJob.objects.get().pk])
    asked = page(operator.get(here))
    for name in form:
        assert f'name="{name}"' in asked

    operator.post(here, {"do": "start", **form})
    while run_round("here") == 0:
        pass

    job = BulkJob.objects.get()
    assert (job.done, job.options | options) == (1, job.options)
    assert said in page(operator.get(here))


@pytest.mark.parametrize(
    ("verb", "form"),
    [
        ("move", {"version": "unknown"}),
        ("prioritize", {"priority": "-1"}),
        ("prioritize", {}),
        ("delay", {"delay": "9999", "unit": "day"}),
        ("delay", {"delay": "nan", "unit": "day"}),
        ("delay", {"delay": "1", "unit": "year"}),
        ("resume", {"rate": "0", "per": "minute"}),
        ("undo_cancel", {}),
    ],
)
def test_nothing_starts_with_what_is_out_of_range(
    operator: Client, verb: str, form: dict[str, str]
) -> None:
    add("a", "DELAYED", queue_name="mail")
    answer = operator.post(NEW, {"verb": verb, "filter": ""})
    if verb.startswith("undo"):
        assert answer.status_code == 404
        return
    here = reverse("dboshub:workflows:bulk", args=[BulkJob.objects.get().pk])
    assert operator.post(here, {"do": "start", **form}).status_code == 422
    assert BulkJob.objects.get().state == "frozen"


def test_whoever_may_only_look_sees_jobs_but_steers_none(
    viewer: Client, make_user: Callable[..., Any]
) -> None:
    add("a")
    grace = make_user("grace", VIEW, "dboshub_workflows.cancel_workflow")
    other = Client()
    other.force_login(grace)
    other.post(NEW, {"verb": "cancel", "filter": ""})
    here = reverse("dboshub:workflows:bulk", args=[BulkJob.objects.get().pk])

    assert "grace" in page(viewer.get(here))
    assert 'value="start"' not in page(viewer.get(here))
    assert "may look but not act" in page(viewer.get(NEW))
    assert viewer.post(NEW, {"verb": "cancel", "filter": ""}).status_code == 403
    assert viewer.post(here, {"do": "start"}).status_code == 403
    assert viewer.post(here, {"do": "discard"}).status_code == 403
    assert BulkJob.objects.get().state == "frozen"
    assert AuditEvent.objects.filter(username="viv", outcome="refused").count() == 3


def test_names_and_ids_of_anybody_are_shown_as_text(operator: Client) -> None:
    for name in HOSTILE:
        add(name, name=name)
    operator.post(NEW, {"verb": "cancel", "filter": ""})

    shown = operator.get(reverse("dboshub:workflows:bulk", args=[BulkJob.objects.get().pk]))

    assert "<script>alert(1)" not in shown.content.decode()
    text = page(shown)
    for name in HOSTILE:
        assert reverse("dboshub:workflows:detail", args=[name]) in text


def test_what_is_not_there_is_not_found(operator: Client) -> None:
    assert operator.get("/workflows/bulk/7/").status_code == 404
    assert operator.get(NEW, {"verb": "explode"}).status_code == 404
    add("a")
    operator.post(NEW, {"verb": "cancel", "filter": ""})
    here = reverse("dboshub:workflows:bulk", args=[BulkJob.objects.get().pk])
    assert operator.post(here, {"do": "explode"}).status_code == 404


def test_a_job_of_any_size_is_shown_in_few_statements(operator: Client) -> None:
    for number in range(120):
        add(f"w-{number:03}")
    operator.post(NEW, {"verb": "cancel", "filter": ""})
    here = reverse("dboshub:workflows:bulk", args=[BulkJob.objects.get().pk])

    with CaptureQueriesContext(connection) as asked:
        first = page(operator.get(here))

    assert len(asked) < 15
    before = re.search(r"before=(\d+)", first)
    assert before
    second = page(operator.get(here, {"before": before[1]}))
    assert ("w-009" in first, "w-010" in first) == (True, False)
    assert ("w-009" in second, "w-010" in second) == (False, True)


def test_the_list_offers_only_what_the_person_may_do(
    operator: Client, make_user: Callable[..., Any]
) -> None:
    add("a/b 🐒")

    offered = page(operator.get("/workflows/", {"name": "charge"}))
    looker = Client()
    looker.force_login(make_user("viv", VIEW))

    assert '<option value="cancel">' in offered
    assert '<option value="delete">' not in offered
    assert 'name="ids" value="a/b 🐒" form="bulk"' in offered
    assert 'name="filter" value="name=charge"' in offered
    seen = page(looker.get("/workflows/"))
    assert "Compare two" in seen
    assert "bulk/new" not in seen
    assert "<option" not in seen.split('id="bulk"')[1].split("</form>")[0]


def test_a_job_that_nobody_works_on_says_so(operator: Client) -> None:
    add("a")
    operator.post(NEW, {"verb": "cancel", "filter": ""})
    here = reverse("dboshub:workflows:bulk", args=[BulkJob.objects.get().pk])
    operator.post(here, {"do": "start"})
    assert "No process of the hub" not in page(operator.get(here))

    long_ago = now_ms() - 60_000
    BulkJob.objects.update(created_at=long_ago, started_at=long_ago)

    assert "No process of DBOSHub works on it." in page(operator.get(here))


@pytest.mark.parametrize("query", ["name=a%00b", "name=a\x00b", "id=" + "x" * 5_000, "q=%22"])
def test_any_filter_is_answered(operator: Client, query: str) -> None:
    assert operator.post(NEW, {"verb": "cancel", "filter": query}).status_code in (302, 409)
    assert operator.get("/workflows/bulk/99999999999999999999999/").status_code == 404
