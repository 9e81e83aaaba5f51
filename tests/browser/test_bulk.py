"""A bulk job in a real browser: rows are checked, the set is confirmed, and the page follows it."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from dboshub.workflows.storage.database import open_database
from dboshub.workflows.storage.waiting.outcomes import owners
from tests.browser.hub import HubProcess
from tests.support.runs import add_step, add_workflow

# The same pages come from both databases.
ONCE = pytest.mark.parametrize("served", ["sqlite"], indirect=True)
pytestmark = [pytest.mark.browser, pytest.mark.slow, ONCE]

HOW_MANY = 8


@pytest.fixture(autouse=True)
def rows(served: HubProcess) -> None:
    database = open_database(served.database_url)
    with database.writing() as session:
        if not owners(session, ["bulk-0"]):
            for number in range(HOW_MANY):
                name = {"name": "bulk_charge", "created_at": 1_790_000_000_000 + number}
                add_workflow(session, f"bulk-{number}", "ERROR", error=ValueError("no"), **name)
                add_step(session, f"bulk-{number}", 1, "charge", error=ValueError("no"))
    database.close()


def test_a_stretch_of_rows_is_forked_while_the_page_follows(page: Page) -> None:
    page.goto("/workflows/?name=bulk_charge&status=failed")
    page.locator('input[value="bulk-7"]').check()
    page.locator('input[value="bulk-4"]').click(modifiers=["Shift"])
    expect(page.locator('input[name="ids"]:checked')).to_have_count(4)
    page.select_option('#bulk [name="verb"]', "fork_from_failure")
    page.click("text=Checked rows")

    expect(page.locator("#job")).to_contain_text("4 workflows would be acted on")
    violations = Axe().run(page).response["violations"]
    assert not violations, violations
    page.fill('[name="rate"]', "2")
    page.fill('[name="reason"]', "the card processor is back")
    page.click('button[value="start"]')

    # Nobody reloads it.
    expect(page.locator(".run-state")).to_contain_text("Done", timeout=30_000)
    expect(page.locator("#job")).to_contain_text("the card processor is back")
    expect(page.locator("#job")).to_contain_text(re.compile("from step 1"))
    violations = Axe().run(page).response["violations"]
    assert not violations, violations


def test_all_that_match_are_acted_on_without_scripts(
    browser: Browser, page: Page, served: HubProcess
) -> None:
    state = page.context.storage_state()
    bare = browser.new_context(java_script_enabled=False, base_url=served.url, storage_state=state)
    page = bare.new_page()
    page.goto("/workflows/?name=bulk_charge&status=failed")
    page.select_option('#bulk [name="verb"]', "delete")
    page.click("text=All that match")
    page.click('button[value="start"]')
    expect(page.locator("h1")).to_contain_text("Delete")

    for _ in range(100):
        if "Done" in page.locator(".run-state").inner_text():
            break
        page.wait_for_timeout(200)
        page.reload()
    expect(page.locator(".run-state")).to_contain_text(f"{HOW_MANY} of {HOW_MANY}")
    bare.close()
