"""Turns a workflow takes that move no newest time: pages show them all the same."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from dboshub.workflows.storage.database import open_database
from tests.browser.hub import HubProcess
from tests.browser.inspection import tab_to
from tests.live.foreign import ForeignWriter

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def writer(served: HubProcess) -> Iterator[ForeignWriter]:
    database = open_database(served.database_url)
    yield ForeignWriter(database)
    database.close()


def row(page: Page, workflow_id: str) -> Locator:
    return page.locator(f'tr[data-key="{workflow_id}"]')


def status(page: Page, workflow_id: str) -> Locator:
    return row(page, workflow_id).locator("[data-cell=status]")


def test_a_list_shows_a_resume_a_deletion_and_the_end_of_a_delay(
    page: Page, writer: ForeignWriter
) -> None:
    now = int(time.time() * 1000)
    writer.add("turn/delayed", name="turn", status="DELAYED", queue_name="q")
    writer.add("turn/failed", name="turn", status="ERROR", completed_at=now)
    writer.add("turn/running", name="turn")
    page.goto("/workflows/?name=turn")
    expect(page.locator("#live-state")).to_have_text("Live")
    writer.change("turn/delayed", status="ENQUEUED")
    expect(status(page, "turn/delayed")).to_contain_text("Queued", timeout=2_000)
    writer.delete("turn/running")
    expect(row(page, "turn/running")).to_contain_text("deleted", timeout=2_000)
    # Only every ten seconds are the finished ones looked at again.
    writer.change("turn/failed", status="PENDING", completed_at=None)
    expect(status(page, "turn/failed")).to_contain_text("Running", timeout=14_000)


def test_a_workflow_is_cancelled_by_keyboard_alone(page: Page, writer: ForeignWriter) -> None:
    writer.add("keys")
    page.goto("/workflows/run/keys")
    expect(page.locator("#live-state")).to_have_text("Live")
    cancel = page.locator('a[data-needs="cancel"]')
    tab_to(page, cancel)
    page.keyboard.press("Enter")
    reason = page.locator("dialog #confirm [name=reason]")
    expect(reason).to_be_visible()
    page.keyboard.press("Escape")
    expect(reason).to_be_hidden()
    expect(cancel).to_be_focused()
    page.keyboard.press("Enter")
    expect(reason).to_be_visible()
    tab_to(page, reason)
    page.keyboard.type("by keyboard")
    tab_to(page, page.locator("dialog #confirm button"))
    page.keyboard.press("Enter")
    expect(page.locator(".run .status").first).to_contain_text("Cancelled")
