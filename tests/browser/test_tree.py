"""The list as a tree: families unfold in place, and the address says which lie open."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from dboshub.workflows.storage.database import open_database
from dboshub.workflows.storage.waiting.outcomes import owners
from tests.browser.hub import HubProcess
from tests.support.runs import add_workflow

# The same pages come from both databases.
ONCE = pytest.mark.parametrize("served", ["sqlite"], indirect=True)
pytestmark = [pytest.mark.browser, pytest.mark.slow, ONCE]

MOTHERS = "/workflows/?name=tree-order&top=yes"


@pytest.fixture(autouse=True)
def family(served: HubProcess) -> Iterator[None]:
    """A mother, her two children, and a grandchild of the first."""
    database = open_database(served.database_url)
    with database.writing() as session:
        if not owners(session, ["tree/1"]):
            add_workflow(session, "tree/1", name="tree-order")
            for number in (1, 2):
                child = f"tree/1-{number}"
                add_workflow(session, child, name="tree-pack", parent_workflow_id="tree/1")
            add_workflow(session, "tree/1-1-1", name="tree-fold", parent_workflow_id="tree/1-1")
    yield
    database.close()


def unfold(page: Page, workflow_id: str) -> Locator:
    return page.get_by_role("link", name=f"Children of {workflow_id}", exact=True)


def shows(page: Page, *expected: str) -> None:
    """Exactly these rows, from the top down, whichever child comes first."""
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(len(expected))
    seen = [str(each.get_attribute("data-key")) for each in rows.all()]
    assert sorted(seen) == sorted(expected)
    assert seen[0] == "tree/1"
    if "tree/1-1-1" in seen:
        assert seen[seen.index("tree/1-1-1") - 1] == "tree/1-1"


def test_families_unfold_and_fold_in_place_by_click_by_key_and_back(page: Page) -> None:
    page.goto(MOTHERS)
    shows(page, "tree/1")
    page.evaluate("window.isTheSamePage = true")
    unfold(page, "tree/1").click()
    shows(page, "tree/1", "tree/1-1", "tree/1-2")
    expect(unfold(page, "tree/1")).to_have_attribute("aria-expanded", "true")
    assert page.url.endswith(f"{MOTHERS}&open=tree%2F1")

    inner = unfold(page, "tree/1-1")
    inner.focus()
    page.keyboard.press("Enter")
    shows(page, "tree/1", "tree/1-1", "tree/1-1-1", "tree/1-2")
    # Whoever unfolds by keyboard can go on from where they were.
    expect(inner).to_be_focused()
    page.keyboard.press("Enter")
    shows(page, "tree/1", "tree/1-1", "tree/1-2")
    expect(inner).to_be_focused()
    page.go_back()
    shows(page, "tree/1", "tree/1-1", "tree/1-1-1", "tree/1-2")
    unfold(page, "tree/1").click()
    shows(page, "tree/1")
    assert page.evaluate("window.isTheSamePage") is True


def test_families_unfold_without_scripts_at_addresses_that_last(plain: Page) -> None:
    plain.goto(MOTHERS)
    unfold(plain, "tree/1").click()
    unfold(plain, "tree/1-1").click()
    shows(plain, "tree/1", "tree/1-1", "tree/1-1-1", "tree/1-2")
    plain.reload()
    shows(plain, "tree/1", "tree/1-1", "tree/1-1-1", "tree/1-2")
    unfold(plain, "tree/1").click()
    shows(plain, "tree/1")
    plain.get_by_title("The list of its children").click()
    expect(plain.locator("tbody tr")).to_have_count(2)
