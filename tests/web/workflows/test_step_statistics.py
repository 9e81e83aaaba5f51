"""The page of steps across workflows: numbers, order, filters, and what it does not show."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from dboshub.workflows.clock import now_ms
from dboshub.workflows.connection import atomic
from dboshub.workflows.models import ScopeRule
from dboshub.workflows.page_cache import page_cache
from dboshub.workflows.rendering.step_statistics import SORTS, ordered, statistics
from dboshub.workflows.selectors import step_sample
from dboshub.workflows.selectors.step_sample import PARTS, SampledStep
from tests.support.runs import T0, add_step, add_workflow

pytestmark = pytest.mark.django_db

LOOK = "dboshub_workflows.view_workflow"
PAGE = "/workflows/statistics/"
STATEMENTS = 13


@pytest.fixture(autouse=True)
def without_memory() -> Iterator[None]:
    page_cache().clear()
    yield
    page_cache().clear()


@pytest.fixture
def viewer(client: Client, make_user: Callable[..., Any]) -> Client:
    client.force_login(make_user("viv", LOOK))
    return client


def add_steps(workflow_id: str, at: int, *steps: tuple[str, int, bool]) -> None:
    """Steps that ended at a time: name, duration in ms, and whether it failed."""
    end = at - T0
    with atomic() as session:
        for number, (name, took, is_failed) in enumerate(steps, start=1):
            error = ValueError("s3cret") if is_failed else None
            add_step(session, workflow_id, number, name, end - took, end, error=error)


def add_all() -> None:
    with atomic() as session:
        add_workflow(session, "a", name="order")
        add_workflow(session, "b", name="order", application_version="v2")
        add_workflow(session, "c", name="report")
    end = now_ms() - 60_000
    add_steps("a", end, *(("charge", 100 * at, at == 1) for at in range(1, 11)))
    three = ("charge", 5_000, True), ("ship", 10, False), ("DBOS.setEvent", 1, False)
    add_steps("b", end + 1, *three)
    add_steps("c", end + 2, ("charge", 30, False))


def page(client: Client, query: str = "", status: int = 200) -> str:
    response = client.get(PAGE + query)
    assert response.status_code == status
    return response.content.decode()


def rows(shown: str) -> list[str]:
    """The rows of the table as a person reads them."""
    body = shown.split("<tbody>")[1].split("</tbody>")[0] if "<tbody>" in shown else ""
    found = re.findall(r"<tr>(.*?)</tr>", re.sub(r"<svg.*?</svg>", "", body, flags=re.S), re.S)
    return [" ".join(html.unescape(re.sub(r"<[^>]+>", " ", each)).split()) for each in found]


def test_steps_are_counted_by_name_and_workflow(viewer: Client) -> None:
    add_all()
    shown = page(viewer)
    assert "All 13 steps that ended in the last 1 h." in shown
    assert rows(shown) == [
        "charge order v1 10 v2 1 11 2 18 % 600 ms 5 s 5 s",
        "ship order v2 1 1 0 10 ms 10 ms 10 ms",
        "charge report v1 1 1 0 30 ms 30 ms 30 ms",
    ]
    assert "DBOS.setEvent" in page(viewer, "?internal=yes")
    assert "s3cret" not in shown


def test_versions_are_told_apart(viewer: Client) -> None:
    add_all()
    shown = rows(page(viewer, "?by=version&find=order"))
    assert shown[0] == "charge order v2 1 1 100 % 5 s 5 s 5 s"
    assert shown[1] == "charge order v1 10 1 10 % 500 ms 1 s 1 s"


@pytest.mark.parametrize(
    ("sort", "first", "order"),
    [
        ("step", "charge order", "ascending"),
        ("-step", "ship order", "descending"),
        ("-workflow", "charge report", "descending"),
        ("count", "ship order", "ascending"),
        ("-p95", "charge order", "descending"),
        ("p50", "ship order", "ascending"),
        ("nonsense", "charge order", "descending"),
    ],
)
def test_every_column_sorts_both_ways(viewer: Client, sort: str, first: str, order: str) -> None:
    add_all()
    shown = page(viewer, f"?sort={sort}")
    assert rows(shown)[0].startswith(first)
    assert shown.count(f'aria-sort="{order}"') == 1
    assert shown.count("aria-sort") == 1


def test_the_heading_of_the_order_turns_it_and_keeps_the_rest(viewer: Client) -> None:
    add_all()
    shown = html.unescape(page(viewer, "?sort=-p95&span=24h&find=order"))
    assert 'href="?span=24h&sort=p95&find=order"' in shown
    assert 'href="?span=24h&sort=-p50&find=order"' in shown
    assert 'href="?span=24h&sort=workflow&find=order"' in shown
    # A phone has no headings, but a choice.
    assert '<option value="-p95" selected>Sort by p95</option>' in shown
    turned = page(viewer, "?sort=p95")
    assert '<option value="p95" selected>Sort by p95, the other way</option>' in turned


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("", "No step ended in the last 1 h"),
        ("?find=nothing", "No step matches"),
        ("?span=7d", "charge"),
        ("?span=x", "No step ended in the last 1 h"),
    ],
)
def test_what_is_not_there_is_said(viewer: Client, query: str, words: str) -> None:
    with atomic() as session:
        add_workflow(session, "a", name="order")
    add_steps("a", now_ms() - 7_200_000, ("charge", 100, False))
    assert words in page(viewer, query)


def test_a_sample_says_that_it_is_one(viewer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_sample, "MAX_PER_PART", 5)
    monkeypatch.setattr(step_sample, "MAX_STEPS", 5)
    add_all()
    shown = page(viewer)
    assert "A sample of 5 steps, spread over the last 1 h" in shown
    assert "in 40 equal parts" in shown


def test_whoever_may_not_look_or_sees_another_application_learns_nothing(
    client: Client, make_user: Callable[..., Any]
) -> None:
    add_all()
    client.force_login(make_user("nobody"))
    assert client.get(PAGE).status_code == 403
    user, group = make_user("sam", LOOK), Group.objects.create(name="team bank")
    user.groups.add(group)
    ScopeRule.objects.create(group=group, application="bank")
    client.force_login(type(user).objects.get(pk=user.pk))
    shown = page(client)
    assert rows(shown) == []
    assert "charge" not in shown


def test_more_steps_take_no_more_statements(
    viewer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Both times the one part with steps is read again.
    monkeypatch.setattr(step_sample, "MAX_PER_PART", 5)
    add_all()

    def statements() -> int:
        page_cache().clear()
        with CaptureQueriesContext(connection) as seen:
            page(viewer)
        return len(seen)

    few = statements()
    with atomic() as session:
        for at in range(50):
            add_workflow(session, f"w{at}", name=f"name{at}")
    end = now_ms() - 60_000
    for at in range(50):
        add_steps(f"w{at}", end, *((f"step{number}", 1, False) for number in range(4)))
    assert statements() == few <= STATEMENTS


def steps(*durations: int | None, part: int = 0, failed: int = 0) -> list[SampledStep]:
    return [
        SampledStep(part, "order", "v1", "charge", took, at < failed)
        for at, took in enumerate(durations)
    ]


def test_the_trend_compares_the_newest_quarter_with_what_was_before() -> None:
    before, newest = steps(*[100] * 9, part=0), steps(*[310] * 9, part=PARTS - 1, failed=1)
    [slower] = statistics(before + newest)
    assert slower.change == 3.1
    assert slower.change_words == "3.1 times"
    assert [(bar.css, bar.title) for bar in slower.bars] == [
        ("s-running", "100 ms"),
        ("s-error", "310 ms, 1 failed"),
    ]
    [faster] = statistics(steps(*[200] * 9) + steps(*[100] * 9, part=PARTS - 1))
    assert faster.change_words == "\N{MINUS SIGN}50 %"
    [few] = statistics(before + steps(310, part=PARTS - 1))
    assert (few.change, few.change_words) == (None, "")


def test_what_has_no_duration_is_counted_all_the_same() -> None:
    [found] = statistics(steps(None, None, failed=1))
    assert (found.count, found.failed, found.p50, found.bars) == (2, 1, None, ())
    assert [ordered([found], sign + key) for key in SORTS for sign in ("", "-")]
