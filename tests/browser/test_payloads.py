"""The payload reader: folds, found text, copied paths, caps, downloads, and what is kept back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from dboshub.workflows.storage.database import open_database
from dboshub.workflows.storage.waiting.outcomes import owners
from tests.browser.hub import HubProcess
from tests.support.runs import add_workflow, pickled

# The same pages come from both databases.
ONCE = pytest.mark.parametrize("served", ["sqlite"], indirect=True)
pytestmark = [pytest.mark.browser, pytest.mark.slow, ONCE]

SECRET = "hunter2-is-secret"
LINES = [{"sku": "mug", "count": 2**70}, {"sku": "a deep blue cup", "count": 1}]
ORDER = {"order": {"id": 7, "lines": LINES}, "password": SECRET}
HUGE = "Once upon a time. " * 20_000
RUN, HUGE_RUN = "/workflows/run/value-1", "/workflows/run/value-huge"
VALUE = "/workflows/value/value-1?of=output"


@pytest.fixture(autouse=True)
def values(served: HubProcess) -> Iterator[None]:
    database = open_database(served.database_url)
    with database.writing() as session:
        if not owners(session, ["value-1"]):
            add_workflow(session, "value-1", output=ORDER)
            add_workflow(session, "value-huge", output=HUGE)
    yield
    database.close()


def test_a_value_is_folded_found_and_its_path_copied(page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(VALUE)
    tree = page.locator(".payload")
    # No digit is lost on the way through a browser.
    exact = tree.get_by_text(str(2**70)).first
    cup = tree.get_by_text("a deep blue cup").first
    expect(exact).to_be_hidden()
    lines = tree.locator("summary").filter(has_text="lines").first
    lines.focus()
    page.keyboard.press("Enter")
    first = tree.locator("summary").filter(has_text="0: dict").first
    first.focus()
    page.keyboard.press("Space")
    expect(exact).to_be_visible()
    expect(cup).to_be_hidden()

    page.keyboard.press("c")
    expect(tree.get_by_role("status")).to_have_text("copied order.lines[0]")
    tree.locator(".payload-key", has_text="sku").first.click()
    expect(tree.get_by_text("copied order.lines[0].sku")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == "order.lines[0].sku"
    lines.locator(".payload-key").click(modifiers=["Alt"])
    expect(tree.get_by_text("copied order.lines ", exact=True)).to_be_visible()
    lines.click()
    expect(exact).to_be_hidden()


def test_a_search_of_the_browser_opens_the_folds_around_what_it_finds(page: Page) -> None:
    page.goto("about:blank")
    # A link to a text finds as Ctrl+F does, and no script can press that.
    page.goto(f"{VALUE}#:~:text=a%20deep%20blue")
    expect(page.locator(".payload li").get_by_text("a deep blue cup").last).to_be_visible()


def test_what_is_large_is_shown_when_asked_for_up_to_a_cap_and_downloaded_whole(
    page: Page, plain: Page
) -> None:
    page.goto(HUGE_RUN)
    output = page.get_by_role("region", name="Output")
    expect(output).not_to_contain_text("Once upon a time")
    output.get_by_role("link", name="Show").click()
    expect(output).to_contain_text("Once upon a time")
    expect(output.get_by_role("link", name="Show")).to_have_count(0)
    assert page.url.endswith(HUGE_RUN)
    whole = output.get_by_role("link", name="Download all")
    with page.expect_download() as told:
        whole.click()
    assert Path(told.value.path()).read_text() == pickled(HUGE)

    plain.goto(HUGE_RUN)
    plain.get_by_role("region", name="Output").get_by_role("link", name="Show").click()
    plain.wait_for_url("**/workflows/value/value-huge?of=output")
    expect(plain.get_by_role("region", name="Value")).to_contain_text("Once upon a time")
    assert len(plain.content()) < len(HUGE)
    with plain.expect_download() as told:
        plain.get_by_role("link", name="Download all").click()
    assert Path(told.value.path()).stat().st_size == len(pickled(HUGE))


def test_rules_leave_out_secrets_and_those_who_may_not_see_values_see_none(
    page: Page, viewer: Page
) -> None:
    for address in (RUN, VALUE):
        page.goto(address)
        expect(page.locator("main")).to_contain_text("redacted")
        expect(page.locator("main")).to_contain_text("order")
        assert SECRET not in page.content()
    viewer.goto(RUN)
    output = viewer.get_by_role("region", name="Output")
    expect(output).to_contain_text("Hidden: seeing it needs the permission “view payload”.")
    for address in (VALUE, f"{VALUE}&download=1"):
        answer = viewer.goto(address)
        assert answer is not None
        assert answer.status == 403
        expect(viewer.locator("main")).to_contain_text("view payload")
