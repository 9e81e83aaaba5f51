"""A run forked with changes, with scripts and without: the difference, then the fork, no fault."""

from __future__ import annotations

import uuid

import pytest
from playwright.sync_api import Page, expect

from dboshub.workflows.storage.database import open_database
from tests.browser.hub import HubProcess
from tests.browser.inspection import listened, objections
from tests.support.runs import add_step, add_workflow

# The same pages come from both databases.
ONCE = pytest.mark.parametrize("served", ["sqlite"], indirect=True)
pytestmark = [pytest.mark.browser, pytest.mark.slow, ONCE]


@pytest.fixture(params=["page", "plain"])
def visitor(request: pytest.FixtureRequest) -> Page:
    """Somebody with scripts, and somebody without."""
    found: Page = request.getfixturevalue(request.param)
    return found


def test_a_changed_result_is_shown_before_it_is_forked(visitor: Page, served: HubProcess) -> None:
    page, name = visitor, f"edit-{uuid.uuid4().hex[:8]}"
    database = open_database(served.database_url)
    with database.writing() as session:
        add_workflow(session, name, "ERROR", error=ValueError("declined"))
        add_step(session, name, 1, "charge", output={"amount": 30, "to": {"city": "Rome"}})
        add_step(session, name, 2, "ship", error=ValueError("declined"))
    database.close()
    complaints = listened(page)
    page.goto(f"/workflows/step/1/{name}")
    page.get_by_role("link", name="Fork with another result…").click()
    page.get_by_role("group", name="to").get_by_label("city").fill("Oslo")
    page.get_by_role("button", name="Show what changes").click()
    change = page.get_by_role("region", name="What changes")
    expect(change).to_contain_text("Rome")
    expect(change).to_contain_text("Oslo")
    expect(page.get_by_role("region", name="Runs again")).to_contain_text("ship")
    if page.evaluate("typeof htmx") != "undefined":
        assert not objections(page)
    page.get_by_role("button", name="Fork with these changes").click()
    expect(page.locator(".notes")).to_contain_text("another result of step 1")
    assert not complaints
