"""The search box in a real browser: by keyboard from every page, as one types, without scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from dboshub.workflows.storage.database import open_database
from dboshub.workflows.storage.waiting.outcomes import owners
from tests.browser.hub import HubProcess
from tests.browser.inspection import listened, objections
from tests.support.runs import T0, add_workflow

pytestmark = [pytest.mark.browser, pytest.mark.slow]

# The same pages come from both databases.
ONCE = pytest.mark.parametrize("served", ["sqlite"], indirect=True)
NAME = "boxed_order"


@pytest.fixture(autouse=True)
def rows(served: HubProcess) -> Iterator[None]:
    """One order known by its id, one by a value of its input, among others."""
    database = open_database(served.database_url)
    with database.writing() as session:
        if not owners(session, ["boxed/7731"]):
            add_workflow(session, "boxed/7731", "PENDING", name=NAME)
            given = {"order": {"id": 8842, "customer": "acme"}}
            add_workflow(session, "boxed-other", "PENDING", name=NAME, inputs=given)
            for number in range(8):
                add_workflow(session, f"boxed-{number}", name=NAME, created_at=T0 - number)
    yield
    database.close()


def box(page: Page) -> Locator:
    return page.get_by_role("combobox", name="Search, or go to")


def options(page: Page) -> Locator:
    return page.locator("#box-options").get_by_role("option")


class Clicks:
    """Counts what an operator spends."""

    def __init__(self) -> None:
        self.spent = 0

    def on(self, place: Locator) -> None:
        place.click()
        self.spent += 1


@pytest.mark.parametrize(("number", "goal"), [("7731", "boxed/7731"), ("8842", "boxed-other")])
def test_an_order_known_by_its_number_is_two_clicks_from_home(
    page: Page, number: str, goal: str
) -> None:
    page.goto("/")
    operator = Clicks()
    operator.on(box(page))
    page.keyboard.type(number)
    operator.on(options(page).filter(has_text=number).first)
    page.wait_for_url(f"**/workflows/run/{goal}")
    assert operator.spent <= 2


@ONCE
@pytest.mark.parametrize("key", ["/", "ControlOrMeta+k"])
@pytest.mark.parametrize("address", ["/", "/workflows/", "/queues/", "/workflows/run/boxed-1"])
def test_keys_open_it_from_every_page(page: Page, key: str, address: str) -> None:
    page.goto(address)
    page.keyboard.press(key)
    expect(box(page)).to_be_focused()
    expect(box(page)).to_have_attribute("aria-expanded", "true")
    expect(options(page).first).to_contain_text("Home")
    page.keyboard.press("Escape")
    expect(page.locator(".box-panel")).to_be_hidden()
    expect(box(page)).to_be_focused()
    page.keyboard.press("Escape")
    expect(box(page)).not_to_be_focused()


@ONCE
def test_arrows_choose_and_enter_opens(page: Page) -> None:
    page.goto("/")
    page.keyboard.press("/")
    page.keyboard.type("boxed-")
    expect(page.locator(".box-notes")).to_contain_text("Searched")
    chosen = page.locator("#box-options [aria-selected=true]")
    expect(chosen).to_have_id("box-options-0")
    expect(box(page)).to_have_attribute("aria-activedescendant", "box-options-0")
    page.keyboard.press("ArrowUp")
    expect(chosen).not_to_have_id("box-options-0")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(chosen).to_have_id("box-options-1")
    goal = chosen.get_attribute("href")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{goal}")


@ONCE
def test_enter_before_the_answer_asks_for_the_page_of_the_text(page: Page) -> None:
    held: list[Route] = []
    page.route("**/find/names/**", lambda route: held.append(route))
    page.goto("/")
    page.keyboard.press("/")
    page.keyboard.type("boxed-0")
    page.keyboard.press("Enter")
    # A whole id leads to its workflow.
    page.wait_for_url("**/workflows/run/boxed-0")


@ONCE
def test_an_answer_to_an_earlier_text_is_never_shown(page: Page) -> None:
    held: list[Route] = []
    page.goto("/")
    page.route("**/find/names/?q=boxed-1", lambda route: held.append(route))
    page.keyboard.press("/")
    with page.expect_request("**/find/names/?q=boxed-1") as asked:
        page.keyboard.type("boxed-1")
    box(page).fill("boxed-2")
    expect(options(page).first).to_contain_text("boxed-2")
    assert asked.value.failure is not None
    expect(options(page).filter(has_text="boxed-1")).to_have_count(0)


@ONCE
def test_a_filter_goes_on_and_leads_to_the_list(page: Page) -> None:
    page.goto("/")
    page.keyboard.press("/")
    page.keyboard.type("name:boxed_o")
    going_on = page.get_by_role("group", name="Go on with").get_by_role("option")
    going_on.filter(has_text=NAME).click()
    expect(box(page)).to_have_value(f"name:{NAME} ")
    filtered = page.get_by_role("group", name="Filter").get_by_role("option")
    filtered.filter(has_text=f"name:{NAME}").click()
    page.wait_for_url(f"**/workflows/?name={NAME}")


@ONCE
def test_an_unknown_key_says_what_may_be_meant(page: Page) -> None:
    page.goto("/")
    page.keyboard.press("/")
    page.keyboard.type("customer:8842")
    notes = page.locator(".box-notes")
    expect(notes).to_contain_text("There is no key 'customer'. Did you mean attr.customer?")
    page.get_by_role("option", name=re.compile("searches for the text itself")).click()
    expect(box(page)).to_have_value('"customer:8842"')


@ONCE
def test_g_and_a_key_go_to_a_page(page: Page) -> None:
    page.goto("/")
    for key, address in (("q", "/queues/"), ("w", "/workflows/"), ("h", "/")):
        page.keyboard.press("g")
        page.keyboard.press(key)
        page.wait_for_url(lambda url, address=address: urlsplit(url).path == address)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_contain_text("Go to")


@ONCE
def test_it_works_without_scripts(plain: Page) -> None:
    plain.goto("/")
    plain.locator("#jump").fill("8842")
    plain.keyboard.press("Enter")
    found = plain.get_by_role("link", name=re.compile("boxed-other"))
    expect(found).to_contain_text("input[0].order.id")
    found.click()
    plain.wait_for_url("**/workflows/run/boxed-other")


@ONCE
def test_who_may_not_see_payloads_is_told_so_in_the_box(viewer: Page) -> None:
    viewer.goto("/")
    viewer.keyboard.press("/")
    viewer.keyboard.type("8842")
    notes = viewer.locator(".box-notes")
    expect(notes).to_contain_text("You may not see payloads")
    expect(options(viewer).filter(has_text="boxed-other")).to_have_count(0)


@ONCE
def test_a_server_that_does_not_answer_is_said_to_be_so(page: Page) -> None:
    page.route("**/find/values/**", lambda route: route.fulfill(status=503, body=""))
    page.goto("/")
    page.keyboard.press("/")
    page.keyboard.type("boxed-3")
    expect(page.locator(".box-notes")).to_contain_text("The values were not searched")
    expect(options(page).first).to_contain_text("boxed-3")


@ONCE
def test_the_open_box_shuts_nobody_out(page: Page) -> None:
    complaints = listened(page)
    page.goto("/")
    for text in ("", "boxed", "customer:1", "nothing-like-this"):
        page.keyboard.press("ControlOrMeta+k")
        box(page).fill(text)
        expect(page.locator(".box-panel")).to_be_visible()
        if len(text) > 2 and ":" not in text:
            expect(page.locator(".box-notes")).to_contain_text("Searched")
        complaints += objections(page)
    assert not complaints, "\n".join(complaints)
