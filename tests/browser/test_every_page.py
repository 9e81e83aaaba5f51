"""Every page in a real browser: nothing the policy forbids, nothing axe objects to."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.browser.hub import HubProcess
from tests.support.runs import add_event, add_message, add_step, add_stream, add_workflow
from workflows.storage.database import open_database
from workflows.storage.outcomes import owners

# The same pages come from both databases.
ONCE = pytest.mark.parametrize("served", ["sqlite"], indirect=True)
pytestmark = [pytest.mark.browser, pytest.mark.slow, ONCE]

OURS = (
    "/",
    "/workflows/errors/",
    "/workflows/errors/group/?kind=ValueError&step=ship",
    "/workflows/",
    "/workflows/?status=failed&name=absent",
    "/workflows/bulk/",
    "/workflows/bulk/new/?verb=cancel&status=failed",
    "/workflows/run/every-1",
    "/workflows/run/every-2",
    "/workflows/steps/every-1",
    "/workflows/step/1/every-1",
    "/workflows/stream/every-1?key=log",
    "/workflows/do/cancel/every-2",
    "/workflows/do/resume/every-2",
    "/workflows/do/fork/every-1",
    "/workflows/do/delete/every-1",
    "/workflows/do/send/every-2",
    "/workflows/run/nobody",
    "/schedules/",
    "/password/",
)
ADMIN = (
    "/admin/",
    "/admin/queues/queue/",
    "/admin/queues/queue/add/",
    "/admin/workflows/workflow/",
    "/admin/workflows/workflow/every-5F1/change/",
    "/admin/workflows/executor/",
    "/admin/schedules/schedule/",
    "/admin/auth/user/add/",
)
VIOLATIONS = """
addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`));
"""


@pytest.fixture(autouse=True)
def rows(served: HubProcess) -> None:
    database = open_database(served.database_url)
    with database.writing() as session:
        if not owners(session, ["every-1"]):
            add_workflow(session, "every-1", "ERROR", inputs={"a": 1}, error=ValueError("no"))
            add_step(session, "every-1", 1, "charge", output=[1, 2])
            add_step(session, "every-1", 2, "ship", error=ValueError("no"))
            add_event(session, "every-1", "progress", 1, 2)
            add_message(session, "every-1", "hello")
            add_stream(session, "every-1", "log", "one", "two")
            add_workflow(session, "every-2", "ENQUEUED", queue_name="slow")
    database.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_breaks_the_policy_or_shuts_anybody_out(page: Page, scheme: str) -> None:
    complaints: list[str] = []
    page.add_init_script(VIOLATIONS)
    page.on("pageerror", lambda error: complaints.append(f"{page.url}: {error}"))
    page.on(
        "console",
        lambda said: (
            complaints.append(f"{page.url}: {said.text}")
            if said.type == "error" and "404" not in said.text
            else None
        ),
    )
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    axe = Axe()
    for width in (1440, 390):
        page.set_viewport_size({"width": width, "height": 900})
        for address in OURS:
            page.goto(address)
            found = axe.run(page)
            complaints += [
                f"{address} at {width}, {scheme}: {each['id']} {each['nodes'][0]['html'][:160]}"
                for each in found.response["violations"]
            ]
    assert not complaints, "\n".join(complaints)


def test_the_admin_keeps_to_the_policy(page: Page) -> None:
    complaints: list[str] = []
    page.add_init_script(VIOLATIONS)
    page.on("pageerror", lambda error: complaints.append(f"{page.url}: {error}"))
    page.on(
        "console",
        lambda said: (
            complaints.append(f"{page.url}: {said.text}") if said.type == "error" else None
        ),
    )
    for address in ADMIN:
        answer = page.goto(address)
        assert answer is not None
        assert answer.ok, address
    assert not complaints, "\n".join(complaints)
