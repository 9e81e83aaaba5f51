"""Comparing two runs in a real browser: from a workflow's page, from the list, by keyboard."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from dboshub.workflows.storage.database import open_database
from dboshub.workflows.storage.waiting.outcomes import owners
from tests.browser.hub import HubProcess
from tests.support.runs import T0, add_step, add_workflow

# The same pages come from both databases.
ONCE = pytest.mark.parametrize("served", ["sqlite"], indirect=True)
pytestmark = [pytest.mark.browser, pytest.mark.slow, ONCE]

NAME = "compared_order"


@pytest.fixture(autouse=True)
def rows(served: HubProcess) -> None:
    """A good run, and one that failed where the good one went on."""
    database = open_database(served.database_url)
    with database.writing() as session:
        if not owners(session, ["compared bad/1"]):
            good = {"name": NAME, "created_at": T0 - 60_000, "application_version": "v0"}
            add_workflow(session, "compared-good", inputs={"size": 1}, output="sent", **good)
            bad = {"name": NAME, "inputs": {"size": 9}, "error": ValueError("no box")}
            add_workflow(session, "compared bad/1", "ERROR", **bad)
            for workflow_id in ("compared-good", "compared bad/1"):
                add_step(session, workflow_id, 1, "charge", output=[1, workflow_id])
            add_step(session, "compared-good", 2, "pack", output="box")
            add_step(session, "compared-good", 3, "ship", output="sent")
            add_step(session, "compared bad/1", 2, "pack", error=ValueError("no box"))
    database.close()


def test_compare_with_last_good_is_one_click(page: Page) -> None:
    page.goto("/workflows/run/compared%20bad/1")
    page.click("text=Compare with last good")
    expect(page.get_by_role("region", name="Verdict")).to_contain_text(
        "They diverge at step 2, “pack”: it failed in A and not in B."
    )
    expect(page).to_have_url(re.compile(r"a=compared\+bad%2F1&b=compared-good"))
    expect(page.get_by_role("region", name="Inputs")).to_contain_text(re.compile(r"A\s*9\s*B\s*1"))
    expect(page.locator("#divergence")).to_contain_text("pack")


def test_a_step_is_opened_by_keyboard_and_its_outputs_are_compared_there(page: Page) -> None:
    page.goto("/workflows/compare/?a=compared+bad/1&b=compared-good")
    first = page.locator(".pairs summary").first
    first.focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator("#divergence summary").first).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    opened = page.locator(".pairs .pair").first
    expect(opened).to_contain_text(re.compile(r"A\s*\"compared bad/1\"\s*B\s*\"compared-good\""))


def test_two_rows_of_the_list_are_compared(page: Page, plain: Page) -> None:
    for each in (page, plain):
        each.goto(f"/workflows/?name={NAME}")
        each.locator('input[value="compared bad/1"]').check()
        each.locator('input[value="compared-good"]').check()
        each.click("text=Compare two")
        expect(each.get_by_role("region", name="Verdict")).to_contain_text("They diverge at step 2")


def test_who_may_not_see_payloads_compares_the_paths(viewer: Page) -> None:
    viewer.goto("/workflows/run/compared%20bad/1")
    viewer.click("text=Compare with last good")
    expect(viewer.get_by_role("region", name="Verdict")).to_contain_text("are not compared")
    expect(viewer.locator("main")).not_to_contain_text("no box")
