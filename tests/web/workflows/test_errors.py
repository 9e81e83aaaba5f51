"""Errors: failed runs in groups by what was raised and where, and forking a group."""

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

from dboshub.workflows.connection import atomic
from dboshub.workflows.engine.error_text import traceback_of
from dboshub.workflows.models import AuditEvent, BulkItem, BulkJob
from dboshub.workflows.views import errors
from tests.support.runs import T0, add_step, add_workflow, insert

pytestmark = pytest.mark.django_db

VIEW = ("dboshub_workflows.view_workflow",)
SEES = (*VIEW, "dboshub_workflows.view_payload")
PAGE = "/workflows/errors/"
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def viewer(client: Client, make_user: Callable[..., Any]) -> Client:
    client.force_login(make_user("viv", *SEES))
    return client


def fail(workflow_id: str, error: Any, step: str = "", at: int = 0, **columns: Any) -> None:
    given = {"created_at": T0 + at, "updated_at": T0 + at, "completed_at": T0 + at} | columns
    with atomic() as session:
        add_workflow(session, workflow_id, "ERROR", error=error, **given)
        if step:
            add_step(session, workflow_id, 1, "first")
            add_step(session, workflow_id, 2, step)


def words(html: str) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", html)))


def page(client: Client, url: str = PAGE) -> str:
    answer = client.get(url)
    assert answer.status_code == 200, url
    return answer.content.decode()


def groups(html: str) -> list[str]:
    return [words(row) for row in re.findall(r"<tr>\s*<td.*?</tr>", html, re.DOTALL)]


def group_url(html: str, title: str) -> str:
    found = re.search(rf'href="([^"]+)" title="[^"]*"><bdi>{title}</bdi>', html)
    assert found, words(html)
    return unescape(found[1])


def test_failed_runs_are_grouped_by_class_and_last_step(viewer: Client) -> None:
    for number in range(3):
        fail(f"a{number}", TimeoutError("bank"), "charge", at=number * 60_000)
    fail("b", TimeoutError("bank"), "ship", application_version="v2")
    fail("c", ValueError("no"), name="refund")
    with atomic() as session:
        add_workflow(session, "fine", "SUCCESS")
        add_workflow(session, "d", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")

    rows = groups(page(viewer))

    assert "TimeoutError after charge bank Open checkout 3 3" in rows[0]
    assert "v1 3" in rows[0]
    assert any("TimeoutError after ship bank Open checkout 1 1" in row for row in rows)
    assert any("ValueError before any step no Open refund 1 1" in row for row in rows)
    assert any("recovered too often before any step Open checkout 1" in row for row in rows)
    assert len(rows) == 4


def test_first_and_last_seen_and_bars_tell_when(viewer: Client) -> None:
    for number, at in enumerate((0, 3_600_000, 3_600_000)):
        fail(f"a{number}", ValueError("no"), at=at)
    html = page(viewer)
    seen = re.findall(r'datetime="([^"]+)"', html.split('aria-label="Groups')[1])
    assert [each[11:16] for each in seen] == ["15:13", "14:13"]
    label = re.search(r'<svg class="spark[^>]+aria-label="([^"]+)"', html)
    assert label is not None
    counts = [int(part.split()[0]) for part in label[1].split("; ")]
    assert sum(counts) == 3


def test_the_filter_is_that_of_the_list(viewer: Client) -> None:
    fail("a", ValueError("no"), name="one")
    fail("b", KeyError("key"), name="two")
    html = page(viewer, f"{PAGE}?q=name:two")
    assert ["KeyError" in row for row in groups(html)] == [True]
    assert "name=two" in group_url(html, "KeyError")
    assert "No failed run matches" in words(page(viewer, f"{PAGE}?name=three"))


def test_pages_of_the_newest_are_told_of_more_but_not_by_attributes(viewer: Client) -> None:
    fail("a", ValueError("no"))
    listed = page(viewer)
    for html in (listed, page(viewer, group_url(listed, "ValueError"))):
        assert 'data-kind="errors"' in html
    # Attributes are payload: what is told to all who may look must say nothing of them.
    assert 'data-kind="errors"' not in page(viewer, f"{PAGE}?attr.tier=gold")


def fork(workflow_id: str, source: str, status: str, at: int = 60_000) -> None:
    ended = None if status == "ENQUEUED" else T0 + at
    with atomic() as session:
        times = {"created_at": T0 + at, "updated_at": T0 + at, "completed_at": ended}
        add_workflow(session, workflow_id, status, forked_from=source, **times)


def post(client: Client, html: str) -> Any:
    """Press the button that collects what is open."""
    form = re.search(r'<form method="post" action="([^"]*errors/group[^"]*)">', html)
    assert form is not None, words(html)
    return client.post(unescape(form[1]))


@pytest.fixture
def operator(client: Client, make_user: Callable[..., Any]) -> Client:
    client.force_login(make_user("op", *SEES, "dboshub_workflows.fork_workflow"))
    return client


def test_one_group_shows_its_runs_and_forks_exactly_them(operator: Client) -> None:
    for number in range(3):
        fail(f"a/{number}", ValueError("no"), "charge")
    fail("b", ValueError("no"), "ship")
    fail("c", KeyError("no"), "charge")

    html = page(operator, group_url(page(operator), "ValueError"))

    assert "Fork 3 from the failed step" in words(html)
    answer = post(operator, html)
    job = BulkJob.objects.get()
    assert answer["Location"] == reverse("dboshub:workflows:bulk", args=[job.pk])
    assert (job.verb, job.state) == ("fork_from_failure", "frozen")
    frozen = {*BulkItem.objects.values_list("workflow_id", flat=True)}
    assert frozen == {"a/0", "a/1", "a/2"}
    assert 'name="rate"' in page(operator, answer["Location"])


def test_only_what_is_still_open_is_forked(operator: Client) -> None:
    for number in range(5):
        fail(f"a{number}", ValueError("no"), "charge")
    fork("good", "a0", "SUCCESS")
    fork("going", "a1", "ENQUEUED")
    fork("stopped", "a2", "CANCELLED")
    fail("b3", ValueError("no"), "charge", at=60_000, forked_from="a3")

    html = page(operator, group_url(page(operator), "ValueError"))

    said = words(html)
    assert "Open 3 of 5 open" in said
    assert "Fork 3 from the failed step" in said
    assert 'href="/workflows/run/good"' in html
    post(operator, html)
    assert {*BulkItem.objects.values_list("workflow_id", flat=True)} == {"a2", "b3", "a4"}


def test_a_group_whose_failures_were_all_made_good_is_resolved_and_forks_nothing(
    operator: Client,
) -> None:
    fail("a", ValueError("no"), "charge")
    html = page(operator, group_url(page(operator), "ValueError"))
    fork("b", "a", "SUCCESS")
    answer = post(operator, html)
    assert "Nothing of this error is open any more" in words(page(operator, answer["Location"]))
    assert not BulkJob.objects.exists()
    assert [
        "ValueError after charge no Resolved 0 of 1 open" in row for row in groups(page(operator))
    ] == [True]
    html = page(operator, answer["Location"])
    assert "Fork 1 from" not in words(html)


def test_an_error_that_came_back_says_since_when_and_in_which_version(viewer: Client) -> None:
    fail("a", ValueError("no"), "charge")
    fork("b", "a", "SUCCESS")
    fail("c", ValueError("no"), "charge", at=120_000, application_version="v2")
    said = words(page(viewer, group_url(page(viewer), "ValueError")))
    assert re.search(r"Came back .* in version v2 , after earlier ones were resolved", said)


def raised(error: type[Exception], text: str) -> Exception:
    """An error with a traceback, as the engine records one."""
    try:
        raise error(text)
    except error as caught:
        caught.add_note(traceback_of(caught) or "")
        return caught


def test_the_same_error_raised_elsewhere_is_another_group_and_shows_its_traceback(
    viewer: Client,
) -> None:
    fail("a", raised(ValueError, "no"), "charge")
    fail("b", ValueError("no"), "charge")
    listed = page(viewer)
    assert len(groups(listed)) == 2
    assert "raised by raised in test_errors.py" in words(listed)
    [url] = [
        unescape(each)
        for each in re.findall(r'href="([^"]+)" title="ValueError"', listed)
        if "frame=raised" in each
    ]
    html = page(viewer, url)
    assert "Where it was raised" in words(html)
    assert "Traceback (most recent call last)" in words(html)


def test_a_parent_that_failed_because_its_child_did_is_told_with_the_child(
    operator: Client,
) -> None:
    fail("child", KeyError("key"), "charge", parent_workflow_id="top")
    fail("top", ValueError("no"), "DBOS.getResult", at=1_000)
    fail("other", KeyError("key"), "charge", parent_workflow_id="gathers")
    fail("gathers", ValueError("no"), "sum", at=2_000)
    rows = groups(page(operator))
    assert any(re.search("KeyError after charge .key. Open checkout 2 2", row) for row in rows)
    assert any("ValueError after sum no Open checkout 2 2" in row for row in rows)
    assert len(rows) == 2
    html = page(operator, group_url(page(operator), "KeyError"))
    assert "child of checkout" in words(html)
    post(operator, html)
    assert {*BulkItem.objects.values_list("workflow_id", flat=True)} == {"top"}


def test_forking_what_is_open_needs_the_permission_and_a_refusal_is_noted(viewer: Client) -> None:
    fail("a", ValueError("no"), "charge")
    answer = viewer.post(group_url(page(viewer), "ValueError"))
    assert answer.status_code == 403
    assert AuditEvent.objects.get(action="bulk_freeze").outcome == "refused"
    assert not BulkJob.objects.exists()


def test_without_the_right_to_act_nothing_is_offered(viewer: Client) -> None:
    fail("a", ValueError("no"), "charge")
    html = page(viewer, group_url(page(viewer), "ValueError"))
    assert "Fork 1" not in words(html)
    assert "/workflows/run/a" in html


def test_who_may_not_see_payloads_sees_groups_by_step_alone(
    client: Client, make_user: Callable[..., Any]
) -> None:
    client.force_login(make_user("viv", *VIEW))
    fail("a", ValueError("MARKER"), "charge")
    fail("b", KeyError("MARKER"), "charge")
    html = page(client)
    assert "grouped only by their last step" in words(html)
    assert ["withheld after charge Open checkout 2 2" in row for row in groups(html)] == [True]
    for text in (html, page(client, group_url(html, "withheld"))):
        assert "MARKER" not in text
        assert "ValueError" not in text
    assert client.get(f"{PAGE}group/?kind=ValueError&step=charge").status_code == 404
    assert not AuditEvent.objects.exists()


def test_seeing_errors_is_noted_and_not_kept(viewer: Client) -> None:
    fail("a", ValueError("no"))
    answer = viewer.get(f"{PAGE}?name=checkout")
    assert answer["Cache-Control"] == "no-store"
    event = AuditEvent.objects.get()
    assert (event.target_kind, event.target) == ("errors", "name=checkout")


def test_hostile_names_and_broken_errors_are_shown_inertly(viewer: Client) -> None:
    fail("a", ValueError(HOSTILE), HOSTILE, name=HOSTILE, application_version=HOSTILE)
    for number, text in enumerate(("gASV broken", "", "gAR" + "x" * 40_000, "\u202e{")):
        with atomic() as session:
            columns = {"created_at": T0, "completed_at": T0, "updated_at": T0}
            row = {"status": "ERROR", "name": f"bad{number}", "serialization": "py_pickle"}
            wid = f"bad{number}"
            insert(session, "workflow_status", workflow_uuid=wid, **row | columns)
            insert(session, "workflow_output", workflow_uuid=wid, error=text)
    html = page(viewer)
    assert HOSTILE not in html
    assert "unreadable before any step" in words(html)
    assert HOSTILE not in page(viewer, group_url(html, "ValueError"))


def test_an_error_with_an_endless_traceback_is_still_told_by_its_class(viewer: Client) -> None:
    error = ValueError("short")
    error.add_note("x" * 200_000)
    fail("a", error)
    assert ["ValueError" in row for row in groups(page(viewer))] == [True]


def test_so_many_are_looked_at_and_older_ones_on_the_next_page(
    viewer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(errors, "MAX_RUNS", 3)
    for number in range(5):
        fail(f"a{number}", ValueError("no"), at=number)
    html = page(viewer)
    assert "Among 3 failed runs, at most 3 at a time" in words(html)
    older = re.search(r'href="(\?[^"]*after[^"]*)"', html)
    assert older is not None
    html = page(viewer, PAGE + unescape(older[1]))
    assert "Among 2 failed runs" in words(html)
    assert "/workflows/run/a0" in page(viewer, group_url(html, "ValueError"))


def test_a_group_that_is_gone_says_so(viewer: Client) -> None:
    answer = viewer.get(f"{PAGE}group/?kind=ValueError&step=x%00")
    assert answer.status_code == 404
    assert "No failed run of this group" in words(answer.content.decode())


def test_no_number_of_runs_takes_more_statements(viewer: Client) -> None:
    for number in range(60):
        fail(f"a{number}", ValueError("no"), f"step{number}")
    page(viewer)
    with CaptureQueriesContext(connection) as caught:
        html = page(viewer)
    assert "10 smaller groups are not shown" in words(html)
    assert len(caught) <= 16, len(caught)


def test_without_any_failure_the_page_says_what_it_is_for(viewer: Client) -> None:
    assert "No failed run" in words(page(viewer))
