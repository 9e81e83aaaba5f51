"""Decisions about incidents: to ignore one, for how long, and who takes care of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from dboshub.workflows.clock import now_ms
from dboshub.workflows.models import AuditEvent, IncidentDecision, ScopeRule
from dboshub.workflows.models.rollups import MINUTE
from tests.web.test_home import words, work
from tests.web.test_incidents import VIEW, listed, read

pytestmark = pytest.mark.django_db

DECIDE = "dboshub_workflows.decide_incident"
LOOP = "/incidents/recovery/again"


@pytest.fixture
def decider(client: Client, make_user: Callable[..., Any]) -> Client:
    client.force_login(make_user("dee", *VIEW, DECIDE))
    return client


def group_page(client: Client) -> str:
    """The address of the only group of errors."""
    [url] = re.findall(
        r'href="(/workflows/errors/group/[^"]+)"', read(client, "/workflows/errors/")
    )
    return unescape(url)


def decide(client: Client, url: str, do: str, **data: Any) -> str:
    """Decide on a page; the page that follows, in words."""
    answer = client.post(url, {"do": do, **data}, follow=True)
    assert answer.status_code == 200
    return words(answer.content.decode())


def home(client: Client) -> str:
    return words(read(client, "/"))


def test_what_is_ignored_until_it_happens_again_comes_back_with_its_version(
    decider: Client,
) -> None:
    work("a", "ERROR", error=ValueError("no"), application_version="v1")
    url = group_page(decider)
    said = decide(decider, url, "ignore", how="seen", why="known")
    assert "Ignored until it happens again by dee" in said
    assert ": known" in said
    assert "Nothing is wrong" in home(decider)
    assert ["ValueError" in row for row in listed(decider, "ignored")] == [True]

    work("b", "ERROR", -1_000, error=ValueError("no"), application_version="v2")
    assert "it came back in version v2" in home(decider)
    said = words(read(decider, url))
    assert "1 of 2 open" in said
    assert re.search("Came back .* in version v2", said)


def test_what_is_ignored_for_its_versions_is_open_when_another_fails(decider: Client) -> None:
    work("a", "ERROR", error=ValueError("no"), application_version="v1")
    said = decide(decider, group_page(decider), "ignore", how="version")
    assert "until another version than v1 fails" in said
    work("b", "ERROR", -1_000, error=ValueError("no"), application_version="v1")
    assert "Nothing is wrong" in home(decider)
    work("c", "ERROR", -2_000, error=ValueError("no"), application_version="v2")
    assert "1 open, 2 ignored" in home(decider)


@pytest.mark.parametrize("how", ["day", "week"])
def test_what_is_ignored_for_a_time_is_open_afterwards(decider: Client, how: str) -> None:
    work("a", "ERROR", error=ValueError("no"))
    decide(decider, group_page(decider), "ignore", how=how)
    work("b", "ERROR", -1_000, error=ValueError("no"))
    assert "Nothing is wrong" in home(decider)
    IncidentDecision.objects.update(ignored_until=now_ms() - MINUTE)
    assert "in checkout: 2 open" in home(decider)


def test_only_what_is_open_and_not_ignored_is_offered_to_be_forked(
    client: Client, make_user: Callable[..., Any]
) -> None:
    client.force_login(make_user("op", *VIEW, DECIDE, "dboshub_workflows.fork_workflow"))
    work("a", "ERROR", error=ValueError("no"))
    url = group_page(client)
    assert "Fork 1 from the failed step" in words(read(client, url))
    decide(client, url, "ignore", how="always")
    assert "from the failed step" not in words(read(client, url))
    decide(client, url, "stop_ignoring")
    assert "Fork 1 from the failed step" in words(read(client, url))
    assert "Nothing is wrong" not in home(client)


def test_other_incidents_are_ignored_for_a_time_and_resolved_by_facts_all_the_same(
    decider: Client,
) -> None:
    work("again", "PENDING", recovery_attempts=7)
    assert "until it happens again" not in read(decider, LOOP)
    said = decide(decider, LOOP, "ignore", how="day")
    assert "Ignored until" in said
    assert "Nothing is wrong" in home(decider)
    assert ["checkout" in row for row in listed(decider, "ignored")] == [True]
    assert IncidentDecision.objects.get().application_name == "shop"


def test_an_incident_is_assigned_to_somebody_and_to_nobody(
    decider: Client, make_user: Callable[..., Any]
) -> None:
    work("again", "PENDING", recovery_attempts=7)
    ada = make_user("ada")
    assert "Assigned to ada" in decide(decider, LOOP, "assign", who=str(ada.pk))
    assert ["ada" in row for row in listed(decider)] == [True]
    assert "ada" in home(decider)
    assert f'<option value="{ada.pk}" selected>' in read(decider, LOOP)
    User.objects.filter(pk=ada.pk).delete()
    assert "Assigned to ada" in words(read(decider, LOOP))
    decide(decider, LOOP, "assign", who="")
    assert ["ada" in row for row in listed(decider)] == [False]


def test_each_decision_has_a_row_in_the_audit_log_without_payload(decider: Client) -> None:
    work("a", "ERROR", error=ValueError("MARKER"))
    url = group_page(decider)
    decide(decider, url, "ignore", how="seen", why="known")
    decide(decider, url, "stop_ignoring")
    decide(decider, url, "assign", who="")
    rows = [*AuditEvent.objects.filter(target_kind="incident").order_by("id")]
    assert [row.action for row in rows] == ["ignore", "stop ignoring", "assign"]
    assert {row.outcome for row in rows} == {"done"}
    assert {row.application_name for row in rows} == {"shop"}
    assert rows[0].reason == "known"
    assert "ValueError" not in str([(row.target, row.detail) for row in rows])


def test_who_may_not_decide_sees_no_form_and_is_refused(
    client: Client, make_user: Callable[..., Any]
) -> None:
    client.force_login(make_user("viv", *VIEW))
    work("again", "PENDING", recovery_attempts=7)
    work("a", "ERROR", error=ValueError("no"))
    for url in (LOOP, group_page(client)):
        assert "Decisions" not in words(read(client, url))
        answer = client.post(url, {"do": "ignore", "how": "always"})
        assert answer.status_code == 403
        assert "not permitted" in words(answer.content.decode())
    refused = AuditEvent.objects.filter(target_kind="incident")
    assert [row.outcome for row in refused] == ["refused", "refused"]
    assert not IncidentDecision.objects.exists()


@pytest.mark.parametrize(
    "data",
    [{"do": "ignore", "how": "seen"}, {"do": "ignore"}, {"do": "x"}, {"do": "assign", "who": "0"}],
)
def test_a_decision_that_makes_no_sense_is_refused(decider: Client, data: dict[str, str]) -> None:
    work("again", "PENDING", recovery_attempts=7)
    assert decider.post(LOOP, data).status_code == 409
    assert not IncidentDecision.objects.exists()


def test_a_read_only_dashboard_keeps_decisions_because_they_are_its_own(
    decider: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBOSHUB_READ_ONLY", "1")
    work("again", "PENDING", recovery_attempts=7)
    decide(decider, LOOP, "ignore", how="always")
    assert "Nothing is wrong" in home(decider)


def test_nobody_decides_about_what_they_may_not_see(
    client: Client, make_user: Callable[..., Any]
) -> None:
    user = make_user("dee", *VIEW, DECIDE)
    group = Group.objects.create(name="bank")
    user.groups.add(group)
    ScopeRule.objects.create(group=group, application="bank")
    client.force_login(user)
    work("again", "PENDING", recovery_attempts=7)
    assert client.post(LOOP, {"do": "ignore", "how": "always"}).status_code == 404
    assert not IncidentDecision.objects.exists()


def test_operators_and_admins_may_decide_and_viewers_may_not() -> None:
    may = Group.objects.filter(permissions__codename="decide_incident")
    assert {*may.values_list("name", flat=True)} == {"DBOSHub operator", "DBOSHub admin"}
