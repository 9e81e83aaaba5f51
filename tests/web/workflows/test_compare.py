"""The page that compares two runs, over HTTP, as a browser without scripts sees it."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from dboshub.workflows.connection import atomic
from dboshub.workflows.models import AuditEvent, Rollup, ScopeRule
from dboshub.workflows.models.rollups import MINUTE
from dboshub.workflows.page_cache import page_cache
from dboshub.workflows.selectors.comparison import last_good
from tests.support.runs import T0, add_step, add_workflow

pytestmark = pytest.mark.django_db

SECRET = "hunter2-is-secret"
STATEMENTS = 40
LOOK, SEE = "dboshub_workflows.view_workflow", "dboshub_workflows.view_payload"


@pytest.fixture(autouse=True)
def without_memory() -> None:
    page_cache().clear()


@pytest.fixture
def viewer(client: Client, make_user: Callable[..., Any]) -> Client:
    client.force_login(make_user("viv", LOOK))
    return client


@pytest.fixture
def reader(client: Client, make_user: Callable[..., Any]) -> Client:
    client.force_login(make_user("rea", LOOK, SEE))
    return client


def add_two(left: Any = None, right: Any = None) -> None:
    """A run that failed in its second step, and the good one before it."""
    with atomic() as session:
        columns = {"created_at": T0 - 1_000, "application_version": "v0"}
        add_workflow(session, "good", inputs=right, output="done", **columns)
        for number, name in enumerate(("charge", "pack", "ship"), start=1):
            add_step(session, "good", number, name, output=right)
        add_workflow(session, "bad", "ERROR", inputs=left, error=ValueError("no box"))
        add_step(session, "bad", 1, "charge", end=1_500, output=left)
        add_step(session, "bad", 2, "pack", error=ValueError("no box"))


def address(name: str = "compare", **query: object) -> str:
    return f"{reverse(f'dboshub:workflows:{name}')}?{urlencode(query)}"


def page(client: Client, status: int = 200, name: str = "compare", **query: object) -> str:
    response = client.get(address(name, **query))
    assert response.status_code == status, response
    return response.content.decode()


def text(markup: str) -> str:
    """What a person reads of it."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", markup)).split())


def test_without_another_id_it_is_the_last_good_run(reader: Client) -> None:
    add_two()
    answer = reader.get(address(a="bad"))
    assert answer.status_code == 302
    assert answer["Location"] == address(a="bad", b="good")
    link = address(a="bad")
    assert link in html.unescape(
        reader.get(reverse("dboshub:workflows:detail", args=["bad"])).content.decode()
    )


def test_it_says_where_the_two_diverge(reader: Client) -> None:
    add_two({"size": 1, "gift": True}, {"size": 2, "gift": True})
    shown = page(reader, a="bad", b="good")
    said = text(shown)
    assert "They diverge at step 2, “pack”: it failed in A and not in B." in said
    assert "A ran version v1, B v0." in said
    assert "Their inputs and outcomes differ." in said
    assert 'id="divergence"' in shown
    _, before, after = re.split('<ol class="lines pairs">|id="divergence"', shown)
    assert "charge" in before
    assert "pack" not in before
    assert after.index("pack") < after.index("only in B")
    # The first step took longer, and returned something else.
    assert "+1.4 s" in said
    assert "the output differs" in said
    assert re.search(r'"size" : A 1 B 2', said), said
    assert '"gift"' in said


def test_without_the_permission_no_payload_is_compared(viewer: Client) -> None:
    add_two(SECRET, "another")
    shown = page(viewer, a="bad", b="good")
    assert "They diverge at step 2" in text(shown)
    assert "Inputs and outputs are not compared" in shown
    assert SECRET not in shown
    assert "the output differs" not in shown
    assert "differ." not in text(shown)
    step = page(viewer, name="compare_step", a="bad", b="good", left=1, right=1)
    assert SECRET not in step
    assert "view payload" in step
    assert not AuditEvent.objects.exists()


def test_what_differs_only_where_it_is_redacted_is_not_told(reader: Client, settings: Any) -> None:
    with atomic() as session:
        for workflow_id, secret in (("a", SECRET), ("b", "another")):
            given = {"user": "ada", "password": secret}
            add_workflow(session, workflow_id, inputs=given, output=given)
            add_step(session, workflow_id, 1, "charge", output=given)
    shown = page(reader, a="a", b="b")
    step = page(reader, name="compare_step", a="a", b="b", left=1, right=1)
    for each in (shown, step):
        assert SECRET not in each
        assert "another" not in each
        assert "differ" not in text(each).replace("differ are marked", "")
        assert "redacted by password" in each
        assert "<code>password</code> hides parts of what is shown." in each
    settings.DBOSHUB_REDACT = []
    assert "Their inputs and outputs differ." in text(page(reader, a="a", b="b"))
    assert SECRET in page(reader, name="compare_step", a="a", b="b", left=1, right=1)


def test_the_look_at_both_is_audited_and_not_stored(reader: Client) -> None:
    add_two()
    answer = reader.get(address(a="bad", b="good"))
    assert answer["Cache-Control"] == "no-store"
    events = AuditEvent.objects.values_list("action", "target")
    assert {*events} == {("view payload", "bad"), ("view payload", "good")}


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ({}, 200, "Which two?"),
        ({"a": "nobody", "b": "good"}, 404, "There is no workflow nobody"),
        ({"a": "good", "b": "\x00"}, 404, "There is no workflow"),
        ({"a": "good", "b": "good"}, 200, "A and B are the same run"),
        ({"a": "lone"}, 200, "No good run of report was found"),
        ({"a": " bad ", "b": "good"}, 200, "They diverge at step 2"),
        ({"a": "bad", "b": "good", "left": 99, "right": 99}, 200, "no steps from here on"),
    ],
)
def test_what_cannot_be_compared_is_explained(
    reader: Client, query: dict[str, object], status: int, words: str
) -> None:
    add_two()
    with atomic() as session:
        add_workflow(session, "lone", name="report")
    assert words in text(page(reader, status, **query))


def test_a_run_of_another_application_does_not_exist(
    client: Client, make_user: Callable[..., Any]
) -> None:
    user, group = make_user("sam", LOOK, SEE), Group.objects.create(name="team bank")
    user.groups.add(group)
    ScopeRule.objects.create(group=group, application="bank")
    client.force_login(type(user).objects.get(pk=user.pk))
    add_two(SECRET, SECRET)
    with atomic() as session:
        add_workflow(session, "mine", application_name="bank")
    shown = page(client, 404, a="mine", b="good")
    assert "There is no workflow good" in text(shown)
    assert "charge" not in shown
    # Neither is it found as the last good one.
    assert "No good run" in page(client, a="mine")
    step = {"a": "mine", "b": "good", "left": 1, "right": 1}
    assert client.get(address("compare_step", **step)).status_code == 404


def test_two_rows_of_the_list_are_compared(viewer: Client) -> None:
    add_two()
    listed = viewer.get("/workflows/").content.decode()
    assert 'name="ids" value="bad" form="bulk"' in listed
    assert "Compare two" in listed
    here = reverse("dboshub:workflows:compare")
    answer = viewer.post(here, {"ids": ["bad", "good"]})
    assert answer["Location"] == address(a="bad", b="good")
    assert viewer.post(here, {"ids": ["bad"]})["Location"] == address(a="bad", b="")
    for ids in ([], ["a", "b", "c"]):
        answer = viewer.post(here, {"ids": ids}, follow=True)
        assert f"{len(ids)} are checked" in answer.content.decode()


def test_steps_that_are_alike_are_folded_but_for_those_beside_others(reader: Client) -> None:
    with atomic() as session:
        for workflow_id in ("a", "b"):
            add_workflow(session, workflow_id)
            for number in range(1, 31):
                name = "other" if (workflow_id, number) == ("b", 20) else f"step{number}"
                add_step(session, workflow_id, number, name)
    shown = text(page(reader, a="a", b="b"))
    assert "17 steps alike" in shown
    assert "8 steps alike" in shown
    assert "They diverge at step 20: A ran “step20”, B ran “other”." in shown


def test_a_divergence_behind_the_shown_steps_is_a_link(reader: Client) -> None:
    with atomic() as session:
        for workflow_id in ("a", "b"):
            add_workflow(session, workflow_id)
            for number in range(1, 201):
                name = "other" if (workflow_id, number) == ("b", 190) else "poll"
                add_step(session, workflow_id, number, name)
    shown = html.unescape(page(reader, a="a", b="b"))
    assert "They diverge at step 190" in shown
    link = "?a=a&b=b&left=187&right=187#divergence"
    assert link in shown
    later = page(reader, a="a", b="b", left=187, right=187)
    assert 'id="divergence"' in later
    assert "?a=a&b=b&left=151&right=151#steps" in shown


def test_a_running_one_is_followed(reader: Client) -> None:
    add_two()
    assert "data-topic" not in page(reader, a="bad", b="good")
    with atomic() as session:
        add_workflow(session, "running", "PENDING")
        add_step(session, "running", 1, "charge")
    shown = page(reader, a="running", b="good")
    assert 'data-kind="comparison"' in shown
    assert "A has recorded no step yet, B ran “pack”" in text(shown)


def test_the_counts_by_minute_lead_to_a_good_run_that_the_search_does_not_reach(
    reader: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_two()
    with atomic() as session:
        for number in range(200):
            add_workflow(session, f"noise{number}", name="noise", created_at=T0 - 500)
    monkeypatch.setattr(last_good, "BUDGET_S", -1)
    shown = page(reader, a="bad")
    assert "The search went back to" in text(shown)
    named = {"name": "checkout", "application": "shop", "scope": "one", "succeeded": 1}
    Rollup.objects.create(width=MINUTE, at=(T0 - 1_000) // MINUTE * MINUTE, **named)
    answer = reader.get(address(a="bad"))
    assert answer.status_code == 302, answer.content.decode()


def test_more_steps_take_no_more_statements(reader: Client) -> None:
    add_two({"a": 1}, {"a": 2})

    def statements() -> int:
        with CaptureQueriesContext(connection) as seen:
            page(reader, a="bad", b="good")
        return len(seen)

    statements()
    few = statements()
    with atomic() as session:
        for number in range(4, 120):
            for workflow_id in ("bad", "good"):
                add_step(session, workflow_id, number, "poll", output=workflow_id)
    assert statements() <= few <= STATEMENTS
