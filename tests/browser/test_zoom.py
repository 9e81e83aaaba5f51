"""A part of a waterfall's time, by link, by key and by a drag; the address says which."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from dboshub.workflows.storage.database import open_database
from dboshub.workflows.storage.waiting.outcomes import owners
from tests.browser.hub import HubProcess
from tests.support.runs import T0, add_step, add_workflow

# The same pages come from both databases.
ONCE = pytest.mark.parametrize("served", ["sqlite"], indirect=True)
pytestmark = [pytest.mark.browser, pytest.mark.slow, ONCE]

RUN = "/workflows/run/zoom-1"
PIXELS_MS = 20


@pytest.fixture(autouse=True)
def run(served: HubProcess) -> Iterator[None]:
    """Four seconds of three steps, one after the other."""
    database = open_database(served.database_url)
    with database.writing() as session:
        if not owners(session, ["zoom-1"]):
            add_workflow(session, "zoom-1", output="done")
            add_step(session, "zoom-1", 1, "early", 0, 900, output=[1, 2])
            add_step(session, "zoom-1", 2, "middle", 900, 3_100)
            add_step(session, "zoom-1", 3, "late", 3_100, 4_000)
    yield
    database.close()


def shown(page: Page) -> tuple[int, int] | None:
    """The milliseconds after T0 that the address names."""
    named = parse_qs(urlsplit(page.url).query)
    return (int(named["from"][0]) - T0, int(named["to"][0]) - T0) if "from" in named else None


def to(page: Page, start: int, end: int) -> None:
    page.wait_for_url(re.compile(rf"\?from={T0 + start}&to={T0 + end}#steps$"))


def lines(page: Page, *names: str) -> None:
    expect(page.locator("#steps .lines .line-label")).to_have_text(["checkout", *names])


def test_links_lead_through_a_waterfall_without_scripts(plain: Page) -> None:
    plain.goto(RUN)
    lines(plain, "early", "middle", "late")
    zoom = plain.get_by_role("navigation", name="Zoom").get_by_role("link")
    expect(zoom).to_have_text(["Zoom in"])
    zoom.click()
    to(plain, 1_000, 3_000)
    lines(plain, "middle")
    expect(plain.get_by_text("2 lines have nothing in this time")).to_be_visible()
    expect(zoom).to_have_text(["Earlier", "Later", "Zoom in", "Zoom out", "Fit"])
    zoom.filter(has_text="Later").click()
    to(plain, 2_000, 4_000)
    lines(plain, "middle", "late")
    plain.locator("#steps summary", has_text="late").click()
    plain.get_by_role("link", name="Zoom to its time").locator("visible=true").click()
    # With a margin on both sides.
    to(plain, 3_010, 4_090)
    zoom.filter(has_text="Fit").click()
    lines(plain, "early", "middle", "late")
    assert shown(plain) is None


def test_keys_zoom_and_walk_a_waterfall(page: Page) -> None:
    page.goto(RUN)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_contain_text("walk, open and fold")
    page.keyboard.press("+")
    page.keyboard.press("Escape")
    assert shown(page) is None, "a key zoomed behind a dialog"
    page.keyboard.press("+")
    to(page, 1_000, 3_000)
    page.keyboard.press("=")
    to(page, 1_500, 2_500)
    page.keyboard.press("-")
    to(page, 1_000, 3_000)
    page.keyboard.press("0")
    lines(page, "early", "middle", "late")
    assert shown(page) is None

    early, late = (page.locator("#steps summary", has_text=name) for name in ("early", "late"))
    early.focus()
    page.keyboard.press("End")
    expect(late).to_be_focused()
    for _ in range(2):
        page.keyboard.press("ArrowUp")
    expect(early).to_be_focused()
    page.keyboard.press("ArrowRight")
    detail = page.locator("#steps .line-detail").locator("visible=true")
    expect(detail).to_contain_text("Output")
    page.keyboard.press("ArrowLeft")
    expect(detail).to_have_count(0)


def test_a_drag_along_the_axis_zooms_and_back_undoes_it(page: Page) -> None:
    page.goto(RUN)
    box = page.locator(".axis-row svg").bounding_box()
    assert box
    left, right, middle = (box["x"] + box["width"] * part for part in (0.25, 0.75, 0.5))
    # A click alone zooms nothing; a drag to the left means the same as one to the right.
    page.mouse.click(middle, box["y"] + 10)
    page.mouse.move(right, box["y"] + 10)
    page.mouse.down()
    page.mouse.move(middle, box["y"] + 40, steps=3)
    page.mouse.move(left, box["y"] + 60, steps=3)
    page.mouse.up()
    page.wait_for_url("**from=*")
    assert shown(page) == pytest.approx((1_000, 3_000), abs=PIXELS_MS)
    lines(page, "middle")
    page.go_back()
    lines(page, "early", "middle", "late")
