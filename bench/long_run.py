"""A workflow of 10,000 steps in a real Chromium: milliseconds to paint, to unfold, to search.

The hub is served as people run it, on a new database of each kind. One name makes a fan-out that
the page folds; few steps fail; the step that is searched for is the last one.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from dboshub.workflows.storage.database import open_database
from scripts.chromium import launch_chromium
from tests.browser.hub import PASSWORD, HubProcess
from tests.support.postgres import durable_server
from tests.support.runs import add_step, add_workflow

STEPS, FAILS_EACH, STEP_MS = 10_000, 1_999, 20
NAME = "browser"
RUN, TABLE = "/workflows/run/long", "/workflows/steps/long"
PAINTED = """() => new Promise((done) =>
  new PerformanceObserver((seen) => {
    const [first] = seen.getEntriesByName("first-contentful-paint");
    if (first) done(first.startTime);
  }).observe({ type: "paint", buffered: true }))"""
LOADED = """() => performance.getEntriesByType("navigation")[0].loadEventEnd"""
SIZE = "() => document.querySelectorAll('*').length"
# Two frames after the click its effect has been laid out and drawn.
UNFOLDED = """async () => {
  const fold = [...document.querySelectorAll("#steps details:not([open])")]
    .find((each) => each.querySelectorAll(".line").length === 199);
  const frame = () => new Promise(requestAnimationFrame);
  await frame();
  const begun = performance.now();
  fold.querySelector("summary").click();
  await frame();
  await frame();
  return performance.now() - begun;
}"""


def fill(url: str) -> None:
    database = open_database(url)
    with database.writing() as session:
        add_workflow(session, "long", output="done", completed_at=None)
        for number in range(STEPS):
            name = {0: "prepare", STEPS - 1: "finish"}.get(number, "line")
            error = ValueError("shut") if number % FAILS_EACH == 1 else None
            start = number * STEP_MS
            add_step(session, "long", number, name, start, start + 15, output=number, error=error)
    database.close()


@contextmanager
def served(url: str, data: Path, fill: Callable[[str], None] | None = None) -> Iterator[HubProcess]:
    """A hub on this database, which is filled when its tables are there."""
    hub = HubProcess(url, data)
    hub.prepare("admin")
    # The administrator of `prepare` is made only where there is none.
    hub.add_user(NAME, "superuser")
    if fill is not None:
        fill(url)
    hub.start()
    try:
        yield hub
    finally:
        hub.kill()


@contextmanager
def opened(hub: HubProcess) -> Iterator[Page]:
    """A page of somebody who has signed in."""
    with sync_playwright() as playwright:
        browser = launch_chromium(playwright)
        page = browser.new_page(base_url=hub.url, viewport={"width": 1440, "height": 900})
        page.goto("/login/")
        page.locator("[name=username]").fill(NAME)
        page.locator("[name=password]").fill(PASSWORD)
        with page.expect_navigation():
            page.keyboard.press("Enter")
        yield page
        browser.close()


def goes(page: Page, address: str) -> float:
    page.goto(address, wait_until="load")
    return float(page.evaluate(PAINTED))


def loads(page: Page) -> float:
    page.goto(RUN, wait_until="load")
    page.wait_for_function("performance.getEntriesByType('navigation')[0].loadEventEnd > 0")
    return float(page.evaluate(LOADED))


def unfolds(page: Page) -> float:
    page.goto(RUN, wait_until="load")
    return float(page.evaluate(UNFOLDED))


def searches(page: Page) -> float:
    page.goto(TABLE, wait_until="load")
    page.locator("#find").fill("finish")
    with page.expect_navigation(wait_until="load"):
        page.keyboard.press("Enter")
    assert page.locator("tbody tr").count() == 1
    return float(page.evaluate(PAINTED))


MEASURES: dict[str, Callable[[Page], float]] = {
    "first paint": lambda page: goes(page, RUN),
    "loaded": loads,
    "first paint, amid the steps": lambda page: goes(page, f"{RUN}?steps=5000"),
    "a fold of 199 lines drawn open": unfolds,
    "first paint of the step table": lambda page: goes(page, TABLE),
    "first paint of what was searched for": searches,
}


def measure(url: str, data: Path, times: int) -> None:
    with served(url, data, fill) as hub, opened(hub) as page:
        goes(page, RUN)
        print(f"{page.evaluate(SIZE):,} elements, {len(page.content()) / 1_024:.0f} KiB")
        for name, act in MEASURES.items():
            act(page)
            took = sorted(act(page) for _ in range(times))
            print(f"{name:<40}{took[0]:>8.0f}{statistics.median(took):>8.0f}{took[-1]:>8.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else "")
    parser.add_argument("--times", type=int, default=20, help="visits of each, after one to warm")
    options = parser.parse_args()
    print(f"{'milliseconds':<40}{'best':>8}{'median':>8}{'worst':>8}")
    with tempfile.TemporaryDirectory() as folder:
        print("SQLite")
        measure(f"sqlite:///{Path(folder) / 'long.sqlite3'}", Path(folder), options.times)
    with tempfile.TemporaryDirectory() as folder, durable_server().fresh_database() as url:
        print("PostgreSQL")
        measure(url, Path(folder), options.times)


if __name__ == "__main__":
    main()
