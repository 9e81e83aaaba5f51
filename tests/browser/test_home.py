"""From what is wrong to the very rows, by click and by keyboard; and from an error to its forks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from dboshub.workflows.storage.database import Database, open_database
from tests.browser.hub import HubProcess
from tests.support.runs import add_step, add_workflow, insert

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    # The same pages come from both databases.
    pytest.mark.parametrize("served", ["sqlite"], indirect=True),
]


@pytest.fixture
def database(served: HubProcess) -> Iterator[Database]:
    opened = open_database(served.database_url)
    yield opened
    opened.close()


def fail(database: Database, workflow_id: str, name: str) -> None:
    now = int(time.time() * 1_000)
    with database.writing() as session:
        times = {"created_at": now - 1_000, "updated_at": now, "completed_at": now}
        error = ValueError(f"{name} is shut")
        add_workflow(session, workflow_id, "ERROR", name=name, error=error, **times)
        add_step(session, workflow_id, 1, f"open_{name}", error=error)


def test_an_incident_leads_to_its_error_and_an_open_page_hears_of_the_next(
    page: Page, database: Database
) -> None:
    fail(database, "home-1", "gate")
    page.goto("/")
    expect(page.locator("#live-state")).to_have_text("Live")
    incident = page.locator("li", has_text="open_gate").get_by_role("link")
    expect(incident).to_have_text("ValueError")

    fail(database, "home-2", "bridge")
    expect(page.locator("[data-cell=news]")).to_have_text(
        "The problems have changed.", timeout=30_000
    )
    expect(page.locator("li", has_text="open_bridge")).to_have_count(0)
    page.get_by_role("link", name="Look again").click()
    expect(page.locator("li", has_text="open_bridge")).to_have_count(1)

    incident.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/workflows/errors/group/?*")
    expect(page.locator("main")).to_contain_text("gate is shut")
    expect(page.locator("a[href='/workflows/run/home-1']").first).to_be_visible()
    expect(page.locator("a[href='/workflows/run/home-2']")).to_have_count(0)


def test_an_error_group_is_forked_without_scripts_after_a_dry_run(
    browser: Browser, page: Page, served: HubProcess, database: Database
) -> None:
    for number in range(2):
        fail(database, f"group-{number}", "door")
    state = page.context.storage_state()
    context = browser.new_context(
        base_url=served.url, storage_state=state, java_script_enabled=False
    )
    plain = context.new_page()
    plain.goto("/workflows/errors/?q=name:door")
    plain.get_by_role("link", name="ValueError").click()
    expect(plain.get_by_text("after open_door")).to_be_visible()
    plain.get_by_role("button", name="Fork 2 from the failed step").click()
    expect(plain.locator("main")).to_contain_text("group-0")
    expect(plain.locator("main")).to_contain_text("group-1")
    expect(plain.get_by_label("At most")).to_be_visible()
    context.close()


def test_a_drag_over_a_chart_leads_to_all_of_that_time(page: Page, database: Database) -> None:
    minute = int(time.time()) // 60 * 60_000
    with database.writing() as session:
        for ago in range(3, 50):
            at = minute - ago * 60_000
            counted = {"at": at, "closed_at": at + 60_000, "covered": 1, "digest": ""}
            insert(session, "dboshub_rolled_span", width=60_000, **counted)
    page.goto("/?span=1h")
    columns = page.locator(".plot-area.can-brush").first.locator("a.column")
    chosen = [columns.nth(at) for at in (5, 20)]
    begin, end = (each.locator(".column-hit").bounding_box() for each in chosen)
    first, last = (parse_qs(urlsplit(str(each.get_attribute("href"))).query) for each in chosen)
    assert begin
    assert end
    page.mouse.move(begin["x"] + 1, begin["y"] + 40)
    page.mouse.down()
    page.mouse.move(end["x"] + 1, end["y"] + 50, steps=4)
    page.mouse.up()
    page.wait_for_url("**/workflows/?*")
    asked = parse_qs(urlsplit(page.url).query)
    assert (asked["since"], asked["until"]) == (first["since"], last["until"])
