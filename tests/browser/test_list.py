"""The list in a real browser: swapped by htmx, whole without scripts, by keyboard, on a phone."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from dboshub.workflows.storage.database import open_database
from dboshub.workflows.storage.sql import Statement
from tests.browser.hub import HubProcess
from tests.support.rows import insert
from tests.support.runs import add_workflow, delete_workflows, pickled

# The same pages come from both databases.
ONCE = pytest.mark.parametrize("served", ["sqlite"], indirect=True)
pytestmark = [pytest.mark.browser, pytest.mark.slow, ONCE]

ENDED = Statement(
    "UPDATE {workflow_status} SET status = 'SUCCESS', output = :output, updated_at = :now,"
    " completed_at = :now WHERE workflow_uuid = 'valued'"
)
T0 = 1_700_000_000_000
# Ink on surface, as tokens.css pairs them.
INKS = ("--ink", "--ink-2", "--ink-3", "--accent", "--accent-strong")
SURFACES = ("--paper", "--surface", "--raised", "--sunken", "--hover", "--accent-fill")
STATUSES = ("running", "queued", "delayed", "success", "error", "cancelled", "gave-up", "unknown")
# Colours are read as the screen gets them, one painted pixel each.
CONTRAST = """
([inks, surfaces, statuses]) => {
  const brush = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const light = (colour) => {
    brush.fillStyle = colour;
    brush.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...brush.getImageData(0, 0, 1, 1).data].map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (one, other) => {
    const [low, high] = [light(one), light(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const probe = document.body.appendChild(document.createElement("i"));
  const value = (token) => {
    probe.style.color = `var(${token})`;
    return getComputedStyle(probe).color;
  };
  const found = {};
  for (const ink of inks)
    for (const surface of surfaces)
      found[`${ink} on ${surface}`] = ratio(value(ink), value(surface));
  found["--on-accent on --accent"] = ratio(value("--on-accent"), value("--accent"));
  for (const status of statuses) {
    probe.className = `s-${status}`;
    found[`${status} pill`] = ratio(value("--status-ink"), value("--status-fill"));
  }
  return found;
}
"""


@pytest.fixture(autouse=True)
def rows(served: HubProcess) -> Iterator[None]:
    """Sixty finished rows and three failed ones."""
    database = open_database(served.database_url)
    with database.writing() as session:
        delete_workflows(session)
        for number in range(60):
            insert(session, workflow_uuid=f"done-{number:02}", created_at=T0 + number)
        for number in range(3):
            insert(
                session,
                workflow_uuid=f"failed/{number}",
                status="ERROR",
                name="checkout",
                created_at=T0 + 1_000 + number,
            )
    yield
    database.close()


def same_as(page: Page, browser: Browser, served: HubProcess, **options: Any) -> BrowserContext:
    """Another browser window of whoever is signed in, set up differently."""
    return browser.new_context(
        base_url=served.url, storage_state=page.context.storage_state(), **options
    )


def body_rows(page: Page) -> Any:
    return page.locator("tbody tr")


def test_pills_fields_and_pages_swap_the_list_and_back_undoes_them(page: Page) -> None:
    page.goto("/workflows/")
    page.evaluate("window.isTheSamePage = true")
    page.get_by_role("link", name="Older").click()
    expect(body_rows(page)).to_have_count(13)
    assert page.evaluate("document.querySelector('#listing').getBoundingClientRect().top") >= 0
    page.go_back()
    expect(body_rows(page)).to_have_count(50)
    page.locator(".pill", has_text="Failed").click()
    expect(body_rows(page)).to_have_count(3)
    box = page.locator("#search")
    expect(box).to_have_value("status:ERROR")
    box.fill("status:failed -name:checkout")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="No workflow matches")).to_be_visible()
    assert page.url.endswith("/workflows/?status=failed&name=%21checkout")
    expect(box).to_be_focused()
    page.get_by_title("Remove this filter").click()
    expect(body_rows(page)).to_have_count(3)
    expect(box).to_have_value("status:failed")
    assert page.evaluate("window.isTheSamePage") is True


def test_everything_works_without_scripts(page: Page, browser: Browser, served: HubProcess) -> None:
    context = same_as(page, browser, served, java_script_enabled=False)
    plain = context.new_page()
    plain.goto("/workflows/")
    plain.locator(".pill", has_text="Failed").click()
    expect(body_rows(plain)).to_have_count(3)
    plain.locator("#search").fill("status:ERROR check")
    plain.get_by_role("button", name="Filter", exact=True).click()
    assert plain.url.endswith("/workflows/?status=ERROR&name=check%2A")
    plain.get_by_role("link", name="Clear").click()
    plain.locator("summary", has_text="View").click()
    plain.get_by_label("Executor").check()
    plain.get_by_label("Compact").check()
    plain.get_by_role("button", name="Keep this layout").click()
    heads = plain.locator("thead th")
    expect(heads.last).to_have_text("Executor")
    expect(plain.locator("table.rows--compact")).to_be_visible()
    plain.locator("summary", has_text="View").click()
    plain.get_by_role("button", name="Move Executor up").click()
    expect(heads.nth(-2)).to_have_text("Executor")
    plain.locator("summary", has_text="View").click()
    plain.get_by_role("button", name="The default columns").click()
    expect(heads.last).to_have_text("Duration")
    plain.locator("summary", has_text="How to search").click()
    plain.get_by_role("button", name="checkout", exact=True).click()
    assert plain.url.endswith("/workflows/?name=checkout")
    plain.get_by_role("link", name="Clear").click()
    plain.get_by_role("link", name="Older").click()
    expect(body_rows(plain)).to_have_count(13)
    plain.locator("summary", has_text="ada").click()
    plain.get_by_role("button", name="Dark").click()
    expect(plain.locator("html")).to_have_attribute("data-theme", "dark")
    expect(body_rows(plain)).to_have_count(13)
    context.close()


def test_the_keyboard_searches_walks_and_opens(page: Page) -> None:
    page.goto("/workflows/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("f")
    expect(page.locator("#search")).to_be_focused()
    # The first Escape closes the suggestions, the second one leaves the field.
    expect(page.locator("#search-options")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#search-options")).to_be_hidden()
    expect(page.locator("#search")).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    for key in "jjk":
        page.keyboard.press(key)
    expect(page.locator("[data-row-link]").first).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/workflows/run/failed/2")


def test_the_search_box_goes_to_a_pasted_id(page: Page) -> None:
    page.goto("/workflows/")
    page.locator("#search").fill("failed/1")
    page.keyboard.press("Enter")
    page.wait_for_url("**/workflows/run/failed/1")


def test_the_search_box_goes_on_with_what_the_database_holds(page: Page) -> None:
    page.goto("/workflows/")
    box = page.get_by_role("combobox", name="Filter workflows")
    options = page.locator("#search-options").get_by_role("option")
    box.press_sequentially("-na")
    expect(options).to_have_text("name: of the function", timeout=20_000)
    box.press("ArrowDown")
    expect(box).to_have_attribute("aria-activedescendant", "search-options-0")
    box.press("Enter")
    expect(box).to_have_value("-name:")
    options.filter(has_text="work").first.click(timeout=20_000)
    expect(box).to_have_value("-name:work ")
    expect(page.locator("#search-options")).to_be_hidden()
    box.press("Enter")
    page.wait_for_url("**/workflows/?name=%21work")
    expect(body_rows(page)).to_have_count(3)


def test_what_matches_is_counted_when_the_list_is_shown(page: Page) -> None:
    page.goto("/workflows/?status=SUCCESS")
    expect(page.locator(".searched")).to_have_text(re.compile(r"50 shown · 60 match"))
    page.get_by_role("link", name="Older").click()
    expect(page.locator(".searched")).to_have_text(re.compile(r"10 shown, the oldest"))


def test_a_value_by_its_path_becomes_a_column(page: Page, served: HubProcess) -> None:
    database = open_database(served.database_url)
    with database.writing() as session:
        add_workflow(session, "valued", "PENDING", inputs={"order": {"id": 9003}})
    page.goto("/workflows/?name=checkout&status=in_flight")
    page.get_by_text("View", exact=True).click()
    page.get_by_label("A column of a value").fill("input[0].order.id")
    page.keyboard.press("Enter")
    row = body_rows(page).first
    expect(row.locator('[data-cell="input[0].order.id"]')).to_have_text("9003")
    page.goto("/workflows/?name=checkout&columns=status,name,error,output.sent")
    row = body_rows(page).filter(has_text="Running")
    expect(row.locator("td.value").first).to_have_text("\N{EN DASH}")
    expect(page.locator("#live-state")).to_contain_text("Live")
    # What is pushed holds no values: the page asks for them again.
    with database.writing() as session:
        session.run(ENDED, output=pickled({"sent": True}), now=time.time_ns() // 10**6)
    row = body_rows(page).filter(has_text="Succeeded")
    expect(row.locator('[data-cell="output.sent"]')).to_have_text("True", timeout=20_000)
    page.goto("/workflows/")
    page.get_by_text("View", exact=True).click()
    page.get_by_role("button", name="The default columns").click()
    database.close()


def test_a_click_on_a_cell_adds_to_the_filter(page: Page) -> None:
    page.goto("/workflows/?status=ERROR")
    row = body_rows(page).first
    row.hover()
    row.get_by_title("Only this name").click()
    page.wait_for_url("**/workflows/?status=ERROR&name=checkout")
    expect(page.locator("#search")).to_have_value("status:ERROR name:checkout")


def test_no_width_makes_the_page_scroll_sideways(page: Page) -> None:
    for address in ("/workflows/", "/workflows/?name=absent&queue=mail&since=7d", "/nowhere"):
        page.goto(address)
        for width in (320, 390, 800, 1440):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width


def test_every_ink_can_be_read_on_every_surface(page: Page) -> None:
    page.goto("/workflows/")
    for theme in ("light", "dark"):
        page.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)
        found = page.evaluate(CONTRAST, [INKS, SURFACES, STATUSES])
        weak = {pair: round(ratio, 2) for pair, ratio in found.items() if ratio < 4.5}
        assert not weak, theme


def test_the_chosen_colours_are_there_before_the_page_is_drawn(page: Page) -> None:
    page.goto("/workflows/")
    page.locator("summary", has_text="ada").click()
    with page.expect_response("**/theme/"):
        page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page.get_by_role("button", name="Dark")).to_have_attribute("aria-pressed", "true")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_no_page_asks_for_anything_the_policy_forbids(page: Page) -> None:
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    for address in ("/workflows/", "/workflows/?name=absent"):
        page.goto(address)
        page.wait_for_load_state("networkidle")
    assert complaints == []
