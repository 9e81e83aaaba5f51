"""Where things are: nothing moves under the pointer, phones and wide screens are used."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import combinations

import pytest
from playwright.sync_api import Locator, Page, expect

from dboshub.workflows.storage.database import open_database
from dboshub.workflows.storage.waiting.outcomes import owners
from tests.browser.hub import HubProcess
from tests.live.foreign import ForeignWriter
from tests.support.runs import T0, add_event, add_step, add_workflow

# The same pages come from both databases.
ONCE = pytest.mark.parametrize("served", ["sqlite"], indirect=True)
pytestmark = [pytest.mark.browser, pytest.mark.slow, ONCE]

PHONE = {"width": 390, "height": 667}
DEEP = 8


@pytest.fixture(autouse=True)
def runs(served: HubProcess) -> Iterator[None]:
    """A run with two long waits, and one whose children have children, DEEP levels of them."""
    database = open_database(served.database_url)
    with database.writing() as session:
        if not owners(session, ["layout-waits"]):
            add_workflow(session, "layout-waits", name="layout", completed_at=T0 + 402_000)
            add_step(session, "layout-waits", 1, "remind", 0, 1_500)
            add_step(session, "layout-waits", 2, "DBOS.sleep", 1_500, 214_000)
            add_step(session, "layout-waits", 3, "remind", 214_000, 216_000)
            add_step(session, "layout-waits", 4, "DBOS.sleep", 216_000, 400_000)
            add_step(session, "layout-waits", 5, "close", 400_000, 402_000)
            add_event(session, "layout-waits", "progress", "half")
            for at in range(DEEP):
                add_workflow(session, f"layout-{at}", name=f"level {at}")
                if at + 1 < DEEP:
                    child = f"layout-{at + 1}"
                    add_step(session, f"layout-{at}", 1, f"level {at + 1}", 0, 5, child=child)
            add_step(session, f"layout-{DEEP - 1}", 1, "the last leaf", 0, 1_000)
    yield
    database.close()


def box(found: Locator) -> tuple[float, float, float, float]:
    """Left, top, right, bottom."""
    at = found.bounding_box()
    assert at is not None
    return at["x"], at["y"], at["x"] + at["width"], at["y"] + at["height"]


def inside(page: Page, found: Locator) -> list[str]:
    """The texts of those that the edge of the window cuts."""
    width = page.evaluate("innerWidth")
    boxes = [(each.inner_text(), box(each)) for each in found.locator("visible=true").all()]
    assert boxes
    return [text for text, (left, _, right, _) in boxes if left < 0 or right > width]


def test_news_of_a_list_move_nothing(page: Page, served: HubProcess) -> None:
    database = open_database(served.database_url)
    writer = ForeignWriter(database)
    writer.add("still 1", name="still")
    page.goto("/workflows/?name=still")
    expect(page.locator("#live-state")).to_have_text("Live")
    parts = [page.locator(each) for each in ("tbody tr", "#bulk", "thead", ".finder", ".pager")]
    before = [box(each.first) for each in parts]
    writer.add("still 2", name="still", created_at=int(time.time() * 1_000))
    link = page.locator(".news-link")
    expect(link).to_have_text("1 new")
    assert [box(each.first) for each in parts] == before
    # Nothing lies over it, and it lies over nothing that is pressed.
    for button in page.locator("#bulk :is(button, select)").all():
        assert not overlaps(box(link), box(button))
    link.click()
    expect(page.locator("tbody tr")).to_have_count(2)
    database.close()


def test_the_state_of_the_connection_moves_nothing(page: Page) -> None:
    page.goto("/workflows/run/layout-waits")
    state, beside = page.locator("#live-state"), page.locator(".jump")
    expect(state).to_have_text("Live")
    before = box(beside)
    page.get_by_role("button", name="Pause").click()
    expect(state).to_have_text("Paused")
    assert box(beside) == before
    state.locator("span").evaluate("word => (word.textContent = 'Reconnecting')")
    assert box(beside) == before


def test_what_no_longer_matches_says_so_where_it_is_read(page: Page, served: HubProcess) -> None:
    database = open_database(served.database_url)
    writer = ForeignWriter(database)
    writer.add("left 1", name="left")
    page.goto("/workflows/?name=left")
    expect(page.locator("#live-state")).to_have_text("Live")
    before = box(page.locator("tbody tr").first)
    writer.change("left 1", name="renamed")
    note = page.locator(".row-note")
    expect(note).to_have_text("no longer matches")
    assert note.evaluate("note => note.closest('td').dataset.cell") == "name"
    assert box(page.locator("tbody tr").first) == before
    database.close()


def overlaps(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def test_a_phone_shows_the_list_at_once_and_every_tab(page: Page) -> None:
    page.set_viewport_size(PHONE)
    page.goto("/workflows/")
    assert inside(page, page.locator(".nav a")) == []
    assert inside(page, page.locator(".pill")) == []
    first = page.locator("tbody tr").first
    assert box(first)[1] < PHONE["height"]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("path", ["/workflows/", "/workflows/run/layout-waits", "/"])
def test_a_wide_screen_is_used(page: Page, path: str) -> None:
    page.set_viewport_size({"width": 1_900, "height": 900})
    page.goto(path)
    left, _, right, _ = box(page.locator("main .card").first)
    assert right - left > 1_800


@pytest.mark.parametrize("width", [390, 700, 1_280, 1_900])
def test_no_label_of_an_axis_lies_on_another(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto("/workflows/run/layout-waits")
    labels = page.locator(".axis text").locator("visible=true").all()
    assert len(labels) >= 3
    boxes = [(each.text_content(), box(each)) for each in labels]
    touching = [(one, other) for (one, a), (other, b) in combinations(boxes, 2) if overlaps(a, b)]
    assert touching == []


def test_what_is_empty_is_a_line_after_what_is_not(page: Page) -> None:
    page.goto("/workflows/run/layout-waits")
    kinds = ("events", "messages", "stream")
    cards = {kind: page.locator(f".card:has(> #{kind})") for kind in kinds}
    heights = {name: box(each)[3] - box(each)[1] for name, each in cards.items()}
    heights["lineage"] = box(page.locator("#lineage"))[3] - box(page.locator("#lineage"))[1]
    assert heights.pop("events") > 60
    assert max(heights.values()) < 50, heights
    places = {kind: box(card)[1::-1] for kind, card in cards.items()}
    assert min(places, key=places.__getitem__) == "events"


def test_children_unfold_at_any_depth_by_links_alone(plain: Page) -> None:
    plain.goto("/workflows/run/layout-0")
    leaf = plain.locator(".line-label", has_text="the last leaf")
    for _ in range(DEEP):
        if leaf.count():
            break
        plain.locator("details.is-unread > summary").last.click()
        plain.get_by_role("link", name="Unfold its steps").last.click()
    expect(leaf).to_be_visible()
    took = plain.locator(".line", has_text=f"level {DEEP - 1}").last.locator(".line-took").first
    # The child's own time, not that of the step which started it.
    expect(took).to_have_text("4 s")


def test_a_page_with_unfolded_children_follows_the_run(page: Page, served: HubProcess) -> None:
    database = open_database(served.database_url)
    opened = "&".join(f"open=layout-{at}" for at in range(4, DEEP))
    with database.writing() as session:
        add_workflow(session, "layout-live", "PENDING", name="layout", started_at_epoch_ms=T0)
        add_step(session, "layout-live", 1, "level 0", 0, 5, child="layout-0")
    page.goto(f"/workflows/run/layout-live?{opened}&open=layout-3")
    leaf = page.locator(".line-label", has_text="the last leaf")
    expect(leaf).to_be_visible()
    expect(page.locator("#live-state")).to_have_text("Live")
    with database.writing() as session:
        add_step(session, "layout-live", 2, "one more", 10, 500)
    expect(page.locator(".line-label", has_text="one more")).to_be_visible()
    expect(leaf).to_be_visible()
    database.close()
