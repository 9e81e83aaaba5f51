"""A search that no index serves: its page answers soon, and asks for the rest part by part."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import OperationalError, connections
from django.test import Client
from django.test.utils import CaptureQueriesContext

from dboshub.workflows.connection import atomic, system_alias
from dboshub.workflows.models import ScopeRule
from dboshub.workflows.page_cache import page_cache
from dboshub.workflows.views import list_part
from tests.support.rows import insert

pytestmark = pytest.mark.django_db

T0 = 1_700_000_000_000
LIST, PART = "/workflows/", "/workflows/part/"
HTMX = {"HX-Request": "true"}
# What a part looks at: the first chunk of a search for 50 rows and one more.
CHUNK = 51 * 4


@pytest.fixture(autouse=True)
def out_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each answer ends after the first chunk, but for those that go back to newer rows."""
    page_cache().clear()
    monkeypatch.setattr(list_part, "BACK_S", 60)
    monkeypatch.setattr(list_part, "PAGE_S", -1)
    monkeypatch.setattr(list_part, "PART_S", -1)
    monkeypatch.setattr(list_part, "PART_CHUNK", CHUNK)


@pytest.fixture
def viewer(client: Client, make_user: Callable[..., Any]) -> Client:
    client.force_login(make_user("ada", "dboshub_workflows.view_workflow"))
    return client


def fill(count: int, rare: Callable[[int], bool], **values: Any) -> list[str]:
    """Workflows of one second each; the ids of the rare ones, newest first."""
    with atomic() as session:
        for number in range(count):
            name = "rare" if rare(number) else "common"
            at = T0 + number * 1_000
            insert(session, workflow_uuid=f"w-{number:04}", created_at=at, name=name, **values)
    return [f"w-{number:04}" for number in reversed(range(count)) if rare(number)]


def rows(html: str) -> list[str]:
    return [unescape(key) for key in re.findall(r'data-kind="row" data-key="([^"]+)"', html)]


def words(html: str) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", html)))


def next_part(html: str) -> str:
    found = re.search(r'hx-get="(/workflows/part/[^"]+)"', html)
    return unescape(found[1]) if found else ""


def link(html: str, rel: str) -> str:
    found = re.search(rf'href="([^"]+)"[^>]* rel="{rel}"', html)
    return LIST + unescape(found[1]) if found else ""


def whole(client: Client, address: str) -> tuple[list[str], list[str]]:
    """The rows of a page with all its parts, and the HTML of each answer."""
    answers = [client.get(address).content.decode()]
    while next_part(answers[-1]):
        answer = client.get(next_part(answers[-1]), headers=HTMX)
        assert answer.status_code == 200
        answers.append(answer.content.decode())
    return [key for each in answers for key in rows(each)], answers


def test_a_page_says_how_far_it_looked_and_leads_on_without_scripts(viewer: Client) -> None:
    fill(300, lambda number: number == 1)
    first = viewer.get(LIST + "?name=rare").content.decode()
    assert "Nothing found yet" in words(first)
    assert "Searched back to" in words(first)
    assert "there may be more" in words(first)
    assert "Continue" in words(first)
    assert rows(viewer.get(link(first, "next")).content.decode()) == ["w-0001"]


def test_parts_fill_a_page_in_order_and_the_next_page_goes_on_behind_it(viewer: Client) -> None:
    rare = fill(1_000, lambda number: number % 15 == 0)
    shown, answers = whole(viewer, LIST + "?name=rare")
    assert shown == rare[:50]
    assert len(answers) == 4
    assert "50 shown" in words(answers[-1])
    shown, answers = whole(viewer, link(answers[-1], "next"))
    assert shown == rare[50:]
    assert "shown, the oldest" in words(answers[-1])
    back = link(answers[0], "prev") or link(answers[-1], "prev")
    assert rows(viewer.get(back).content.decode()) == rare[:50]


def test_the_first_rows_replace_the_empty_page_and_later_ones_go_below(viewer: Client) -> None:
    fill(3 * CHUNK - 10, lambda number: number in (5, CHUNK + 5))
    shown, (first, second, third) = whole(viewer, LIST + "?name=rare")
    assert shown == [f"w-{CHUNK + 5:04}", "w-0005"]
    assert "Nothing found yet" in words(first)
    assert '<hx-partial hx-target="#found" hx-swap="outerHTML">' in second
    assert "Searched and found 1 back to" in words(second)
    assert '<hx-partial hx-target="#found tbody" hx-swap="beforeend">' in third
    assert "2 shown, that is all" in words(third)
    # The page keeps its own line of news: it counts from when the page was read.
    assert 'data-kind="list"' in first
    assert 'data-kind="list"' not in second + third


def test_a_search_that_finds_nothing_says_so_in_the_end(viewer: Client) -> None:
    fill(500, lambda number: False)
    shown, answers = whole(viewer, LIST + "?name=rare")
    assert shown == []
    assert "Nothing found yet" not in words(answers[1])
    assert "No workflow matches Every row was searched." in words(answers[-1])


def test_a_page_stops_by_itself_after_so_many_parts(
    viewer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(list_part, "MAX_PARTS", 2)
    fill(5 * CHUNK, lambda number: number == 0)
    _, answers = whole(viewer, LIST + "?name=rare")
    assert len(answers) == 3
    assert "Nothing found yet" in words(answers[-1])
    shown, _ = whole(viewer, link(answers[-1], "next"))
    assert shown == ["w-0000"]


def test_a_part_counts_what_is_shown_whatever_its_address_says(viewer: Client) -> None:
    fill(100, lambda number: True)
    for found, more in (("49", 1), ("999", 1), ("-1", 50), ("9" * 5_000, 50)):
        asked = {"name": "rare", "found": found, "part": "x", "after": "\x00"}
        html = viewer.get(PART, asked, headers=HTMX).content.decode()
        assert rows(html) == [f"w-{99 - number:04}" for number in range(more)]


def test_a_part_that_is_opened_as_a_page_is_the_list_from_there_on(viewer: Client) -> None:
    fill(300, lambda number: number == 1)
    address = next_part(viewer.get(LIST + "?name=rare").content.decode())
    page = viewer.get(address, follow=True)
    assert page.redirect_chain[0][0].startswith(LIST + "?name=rare&after=")
    assert rows(page.content.decode()) == ["w-0001"]


def test_a_part_reads_rows_and_neither_counts_nor_suggestions(viewer: Client) -> None:
    fill(300, lambda number: number == 1)
    first = viewer.get(LIST + "?name=rare").content.decode()
    page_cache().clear()
    with CaptureQueriesContext(connections[system_alias()]) as queries:
        viewer.get(next_part(first), headers=HTMX)
    # Session, user, permissions, scope, time zone and layout, two for the rows; on PostgreSQL
    # three for the limit.
    assert len(queries) <= (12 if connections[system_alias()].vendor == "postgresql" else 9)


def test_open_parents_stay_open_in_a_part(viewer: Client) -> None:
    rare = fill(CHUNK + 10, lambda number: number == 3)
    with atomic() as session:
        insert(session, workflow_uuid="child", parent_workflow_id=rare[0], created_at=T0)
    shown, answers = whole(viewer, f"{LIST}?name=rare&top=yes&open={rare[0]}")
    assert shown == [rare[0], "child"]
    # Folding leads to the page, not to the part.
    assert "?name=rare&amp;top=yes" in answers[1]
    assert "start=" not in answers[1]


def test_a_search_back_to_newer_rows_says_so_and_asks_for_nothing_by_itself(
    viewer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(list_part, "BACK_S", -1)
    fill(500, lambda number: number in (20, 300))
    html = viewer.get(f"{LIST}?name=rare&before={T0}~all~w-0000").content.decode()
    assert rows(html) == ["w-0020"]
    assert "Searched and found 1 up to" in words(html)
    assert not next_part(html)
    assert re.search(r'button--main" href="[^"]+"[^>]* rel="prev">.*Continue', html)
    assert rows(viewer.get(link(html, "prev")).content.decode()) == ["w-0300"]


def test_a_queue_says_what_of_it_is_in_flight(viewer: Client) -> None:
    with atomic() as session:
        insert(
            session, workflow_uuid="old", status="ENQUEUED", queue_name="mail", created_at=T0 - 1
        )
    fill(300, lambda number: False)
    html = viewer.get(LIST + "?queue=mail&user=-").content.decode()
    assert "Nothing found yet" in words(html)
    assert "1 of this queue run or wait" in words(html)
    assert 'href="?queue=mail&amp;user=-&amp;status=in_flight"' in html
    in_flight = viewer.get(LIST + "?queue=mail&user=-&status=in_flight")
    assert rows(in_flight.content.decode()) == ["old"]


def test_a_database_that_does_not_answer_a_part_leaves_the_page_as_it_is(
    viewer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object, **_options: object) -> None:
        raise OperationalError("canceling statement due to statement timeout")

    fill(300, lambda number: number == 1)
    first = viewer.get(LIST + "?name=rare").content.decode()
    monkeypatch.setattr("dboshub.workflows.selectors.keyset.pages.WorkflowPager.after", refuse)
    answer = viewer.get(next_part(first), headers=HTMX)
    assert (answer.status_code, answer.content) == (503, b"")
    assert 'hx-status:5xx="swap:none"' in first


def test_parts_show_only_applications_in_scope(
    client: Client, make_user: Callable[..., Any]
) -> None:
    user = make_user("bob", "dboshub_workflows.view_workflow")
    group = Group.objects.create(name="shop")
    ScopeRule.objects.create(group=group, application="shop")
    user.groups.add(group)
    client.force_login(user)
    fill(CHUNK + 10, lambda number: number in (3, 4), application_name="other")
    with atomic() as session:
        insert(
            session, workflow_uuid="own", application_name="shop", name="rare", created_at=T0 - 1
        )
    shown, answers = whole(client, LIST + "?name=rare")
    assert len(answers) == 2
    assert shown == ["own"]
