"""A bulk job in a real browser: rows are checked, the set is confirmed, and the page follows it."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from dboshub.workflows.storage.control.delete import delete
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


@pytest.fixture
def waiting(served: HubProcess) -> None:
    """Some that wait on a queue, as they were before any test."""
    database = open_database(served.database_url)
    with database.writing() as session:
        delete(session, [f"bulk-wait-{number}" for number in range(HOW_MANY)])
        for number in range(HOW_MANY):
            name = {"name": "bulk_wait", "queue_name": "bulk-mail", "executor_id": None}
            add_workflow(session, f"bulk-wait-{number}", "ENQUEUED", **name)
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


def test_a_job_is_undone_in_two_clicks(page: Page, waiting: None) -> None:
    job = cancelled(page)
    page.goto(job)
    clicks = 0

    page.get_by_role("button", name="Undo this job…").click()
    clicks += 1
    expect(page.locator("#job")).to_contain_text(f"{HOW_MANY} back onto bulk-mail")
    assert not Axe().run(page).response["violations"]
    page.get_by_role("button", name=f"Undo: {HOW_MANY} workflows").click()
    clicks += 1

    expect(page.locator(".run-state")).to_contain_text("Done", timeout=30_000)
    expect(page.locator(".run-state")).to_contain_text(f"{HOW_MANY} of {HOW_MANY}")
    assert clicks == 2
    assert not Axe().run(page).response["violations"]
    page.goto("/workflows/?name=bulk_wait&queue=bulk-mail&status=ENQUEUED")
    expect(page.locator('input[name="ids"]')).to_have_count(HOW_MANY)
    page.goto(job)
    expect(page.locator("#job")).to_contain_text(f": {HOW_MANY} of {HOW_MANY}")


def test_a_job_is_undone_by_keyboard_without_scripts(
    browser: Browser, page: Page, served: HubProcess, waiting: None
) -> None:
    state = page.context.storage_state()
    bare = browser.new_context(java_script_enabled=False, base_url=served.url, storage_state=state)
    page = bare.new_page()
    page.goto(cancelled(page))

    page.get_by_role("button", name="Undo this job…").focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name=f"Undo: {HOW_MANY} workflows").focus()
    page.keyboard.press("Enter")

    done(page)
    expect(page.locator(".run-state")).to_contain_text(f"{HOW_MANY} of {HOW_MANY}")
    bare.close()


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

    done(page)
    expect(page.locator(".run-state")).to_contain_text(f"{HOW_MANY} of {HOW_MANY}")
    bare.close()


def cancelled(page: Page) -> str:
    """The address of a job that has cancelled all that wait."""
    page.goto("/workflows/bulk/new/?verb=cancel&name=bulk_wait&status=ENQUEUED")
    page.get_by_role("button", name="Fix the set").click()
    page.click('button[value="start"]')
    done(page)
    return page.url


def done(page: Page) -> None:
    """Wait for the end of the job, also where the page does not follow it."""
    for _ in range(100):
        if "Done" in page.locator(".run-state").inner_text():
            break
        page.wait_for_timeout(200)
        page.reload()
    expect(page.locator(".run-state")).to_contain_text("Done")
