"""Pages met by strangers, by those who may not, and by those who configure: policy and axe."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from dboshub.workflows.storage.database import open_database
from dboshub.workflows.storage.waiting.outcomes import owners
from tests.browser.hub import PASSWORD, HubProcess
from tests.browser.inspection import listened, objections
from tests.support.runs import add_step, add_workflow, insert

# The same pages come from both databases.
ONCE = pytest.mark.parametrize("served", ["sqlite"], indirect=True)
pytestmark = [pytest.mark.browser, pytest.mark.slow, ONCE]


@pytest.fixture(autouse=True)
def rows(served: HubProcess) -> None:
    database = open_database(served.database_url)
    with database.writing() as session:
        if not owners(session, ["other-1"]):
            add_workflow(session, "other-1", "SUCCESS", inputs={"a": [1]}, output="done")
            add_step(session, "other-1", 1, "charge", output=1)
            insert(session, "queues", queue_id="q", name="mail", concurrency=2)
            named = {"schedule_id": "s", "schedule_name": "nightly", "workflow_name": "checkout"}
            insert(session, "workflow_schedules", **named, schedule="0 3 * * *", context="{}")
    database.close()


@pytest.fixture
def nobody(browser: Browser, served: HubProcess) -> Iterator[BrowserContext]:
    """The window of somebody who has not signed in."""
    context = browser.new_context(base_url=served.url)
    yield context
    context.close()


def sign_in(page: Page, name: str, password: str) -> None:
    page.goto("/login/")
    page.locator("[name=username]").fill(name)
    page.locator("[name=password]").fill(password)
    with page.expect_navigation():
        page.keyboard.press("Enter")


def test_the_door_is_open_to_all_readers(nobody: BrowserContext) -> None:
    page = nobody.new_page()
    complaints = listened(page)
    page.goto("/login/")
    complaints += objections(page)
    sign_in(page, "ada", "wrong")
    assert page.locator("[role=alert]").is_visible()
    complaints += objections(page)
    assert not complaints, "\n".join(complaints)


def test_a_refusal_is_a_page_like_any_other(nobody: BrowserContext, served: HubProcess) -> None:
    served.add_user("eve")
    page = nobody.new_page()
    complaints = listened(page)
    sign_in(page, "eve", PASSWORD)
    answer = page.goto("/workflows/")
    assert answer is not None
    assert answer.status == 403
    complaints += objections(page)
    page.goto("/password/")
    page.context.clear_cookies(name="dboshub_csrf")
    for field in page.locator("main input[type=password]").all():
        field.fill(PASSWORD)
    page.locator("main form button").last.click()
    page.get_by_text("open too long").wait_for()
    complaints += objections(page)
    assert not complaints, "\n".join(complaints)


def test_no_page_of_the_admin_breaks_the_policy(page: Page) -> None:
    """Every page that a link of the admin leads to: one row of each table, and all about it."""
    complaints = listened(page)
    todo, seen = ["/admin/"], set()
    while todo:
        address = todo.pop()
        seen.add(address)
        answer = page.goto(address)
        assert answer is not None
        assert answer.status == 200, address
        todo += [each for each in followed(page) if each not in seen and each not in todo]
    assert len(seen) > 25
    assert any(re.fullmatch("/admin/dboshub_queues/queue/[^/]+/delete/", each) for each in seen)
    assert "/admin/dboshub_workflows/workflow/" in seen
    assert not complaints, "\n".join(complaints)


def followed(page: Page) -> list[str]:
    """Links from this page of the admin: to tables, to forms, and to the first row alone."""
    links = page.eval_on_selector_all(
        "a[href]", "all => all.map(a => new URL(a.href)).map(u => u.pathname + u.search)"
    )
    inside = [each for each in links if each.startswith("/admin/") and "?" not in each]
    rows = [each for each in inside if each.endswith("/change/")]
    others = [each for each in inside if each not in rows and not each.endswith("/password/")]
    return [*dict.fromkeys(others), *rows[:1]]
