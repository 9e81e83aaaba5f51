"""A search that no index serves, in a real browser: the page fills itself, part by part."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from dboshub.workflows.storage.database import open_database
from tests.browser.hub import HubProcess
from tests.support.rows import insert
from tests.support.runs import delete_workflows

# The same pages come from both databases.
ONCE = pytest.mark.parametrize("served", ["sqlite"], indirect=True)
pytestmark = [pytest.mark.browser, pytest.mark.slow, ONCE]

T0 = 1_700_000_000_000
PARTS = "**/workflows/part/**"
RARE = [f"w-{number:04}" for number in reversed(range(0, 1_000, 15))]


class ShortSearch(HubProcess):
    application = "tests.browser.short_search:application"


@pytest.fixture(scope="module")
def short(served: HubProcess) -> Iterator[HubProcess]:
    """A second server on the same database, with a thousand workflows of which few are rare."""
    database = open_database(served.database_url)
    with database.writing() as session:
        delete_workflows(session)
        for number in range(1_000):
            name = "rare" if number % 15 == 0 else "common"
            status = "ERROR" if number == 0 else "SUCCESS"
            at = T0 + number * 1_000
            insert(session, workflow_uuid=f"w-{number:04}", name=name, status=status, created_at=at)
    database.close()
    hub = ShortSearch(served.database_url, Path(served.environment["DBOSHUB_DATA_DIR"]))
    hub.start()
    yield hub
    hub.kill()


@pytest.fixture
def search(browser: Browser, short: HubProcess, page: Page) -> Iterator[Page]:
    context = browser.new_context(
        base_url=short.url, storage_state=page.context.storage_state(), viewport=page.viewport_size
    )
    opened = context.new_page()
    opened.set_default_timeout(15_000)
    yield opened
    context.close()


class Held:
    """Holds what a page asks for by itself, until it is released."""

    def __init__(self, page: Page) -> None:
        self._waiting: list[Route] = []
        self._is_released = False
        page.route(PARTS, self._hold)

    def _hold(self, route: Route) -> None:
        if self._is_released:
            route.continue_()
        else:
            self._waiting.append(route)

    def release(self) -> None:
        self._is_released = True
        for route in self._waiting:
            route.continue_()


def rows(page: Page) -> Any:
    return page.locator("tbody tr")


def following(page: Page) -> Any:
    return page.get_by_role("link", name="Continue")


def test_a_page_fills_itself_in_order_and_goes_on_with_the_next(search: Page) -> None:
    complaints: list[str] = []
    search.on(
        "console", lambda said: complaints.append(said.text) if said.type == "error" else None
    )
    search.goto("/workflows/?name=rare")
    expect(rows(search)).to_have_count(50)
    shown = search.eval_on_selector_all("tbody tr", "rows => rows.map(row => row.dataset.key)")
    assert shown == RARE[:50]
    expect(search.locator(".pager")).to_contain_text("50 shown")
    assert search.url.endswith("/workflows/?name=rare")
    search.get_by_role("link", name="Older").click()
    expect(rows(search)).to_have_count(len(RARE) - 50)
    expect(search.locator(".pager")).to_contain_text("shown, the oldest")
    search.go_back()
    expect(rows(search)).to_have_count(50)
    assert complaints == []


def test_while_a_page_fills_its_rows_can_be_checked_and_later_ones_are_not(search: Page) -> None:
    held = Held(search)
    search.goto("/workflows/?name=rare")
    expect(search.locator(".pager")).to_contain_text("searching on…")
    expect(following(search)).to_be_hidden()
    every = search.get_by_label("Check all rows of this page")
    every.check()
    first = rows(search).count()
    held.release()
    expect(rows(search)).to_have_count(50)
    expect(every).not_to_be_checked()
    assert search.locator("input[name=ids]:checked").count() == first
    every.check()
    assert search.locator("input[name=ids]:checked").count() == 50


def test_rows_of_a_part_are_followed(search: Page, served: HubProcess) -> None:
    search.goto("/workflows/?name=rare")
    expect(rows(search)).to_have_count(50)
    expect(search.locator("#live-state")).to_have_text("Live")
    late = search.locator(f'tr[data-key="{RARE[49]}"]')
    database = open_database(served.database_url)
    with database.writing() as session:
        table = session.dialect.table("workflow_status")
        session.script(
            f"UPDATE {table} SET status = 'CANCELLED' WHERE workflow_uuid = '{RARE[49]}'"
        )
    expect(late.locator("[data-cell=status]")).to_contain_text("Cancelled", timeout=15_000)
    with database.writing() as session:
        session.script(f"UPDATE {table} SET status = 'SUCCESS' WHERE workflow_uuid = '{RARE[49]}'")
    database.close()


def test_a_part_that_comes_after_its_page_was_left_changes_nothing(search: Page) -> None:
    held = Held(search)
    search.goto("/workflows/?name=rare")
    expect(search.locator(".pager")).to_contain_text("searching on…")
    search.locator(".pill", has_text="Failed").click()
    expect(search.locator("#search")).to_have_value("status:ERROR name:rare")
    expect(rows(search)).to_have_count(1)
    with search.expect_response(PARTS):
        held.release()
    search.evaluate("new Promise(requestAnimationFrame)")
    expect(rows(search)).to_have_count(1)
    expect(search.locator(".pager")).to_contain_text("1 shown, that is all")


def test_a_part_that_fails_leaves_the_link_to_continue(search: Page) -> None:
    search.route(PARTS, lambda route: route.fulfill(status=503))
    search.goto("/workflows/?name=rare")
    expect(search.locator(".pager")).to_contain_text("there may be more")
    first = rows(search).count()
    search.unroute(PARTS)
    following(search).click()
    expect(rows(search)).to_have_count(50)
    keys = search.eval_on_selector_all("tbody tr", "rows => rows.map(row => row.dataset.key)")
    assert keys == RARE[first : first + 50]


def test_a_search_without_a_match_says_so_in_the_end(search: Page) -> None:
    search.goto("/workflows/?name=absent")
    expect(search.get_by_role("heading", name="No workflow matches")).to_be_visible()
    expect(search.locator(".pager")).to_have_count(0)
