"""The pages and forms that one can go to, each with its go-to key: `g` and then the key."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from dboshub.global_search.results import Result
from dboshub.schedules.checks import PERMISSION as CHANGE_SCHEDULE
from dboshub.workflows.actions.audit import may_act
from dboshub.workflows.permissions import START_WORKFLOW, VIEW_AUDIT_EVENT, VIEW_WORKFLOW

VIEW_QUEUE, VIEW_SCHEDULE = "dboshub_queues.view_queue", "dboshub_schedules.view_schedule"


@dataclass(frozen=True, slots=True)
class Destination:
    """A page or a form, what permits it, and other words that it is found by."""

    title: str
    route: str
    permission: str
    icon: str
    key: str = ""
    words: str = ""
    query: str = ""
    acts: bool = False


DESTINATIONS = (
    Destination("Home", "dboshub:home", VIEW_WORKFLOW, "activity", "h", "overview start charts"),
    Destination("Incidents", "dboshub:incidents", VIEW_WORKFLOW, "circle-alert", "i", "problems"),
    Destination("Workflows", "dboshub:workflows:list", VIEW_WORKFLOW, "workflow", "w", "list runs"),
    Destination(
        "Failed workflows",
        "dboshub:workflows:list",
        VIEW_WORKFLOW,
        "circle-x",
        "f",
        "errors",
        "status=failed",
    ),
    Destination(
        "Workflows in flight",
        "dboshub:workflows:list",
        VIEW_WORKFLOW,
        "loader-circle",
        "l",
        "running queued delayed",
        "status=in_flight",
    ),
    Destination(
        "Errors", "dboshub:workflows:errors", VIEW_WORKFLOW, "circle-alert", "e", "exceptions"
    ),
    Destination(
        "Steps", "dboshub:workflows:step_statistics", VIEW_WORKFLOW, "layers", "t", "statistics"
    ),
    Destination("Queues", "dboshub:queues:list", VIEW_QUEUE, "layers", "q"),
    Destination(
        "Schedules", "dboshub:schedules:list", VIEW_SCHEDULE, "calendar-clock", "s", "cron"
    ),
    Destination(
        "Executors", "dboshub:workflows:executors", VIEW_WORKFLOW, "server", "x", "workers versions"
    ),
    Destination(
        "Compare two runs", "dboshub:workflows:compare", VIEW_WORKFLOW, "split", "c", "difference"
    ),
    Destination("Bulk jobs", "dboshub:workflows:bulk_list", VIEW_WORKFLOW, "layers", "b", "undo"),
    Destination("Exports", "dboshub:exports:list", VIEW_WORKFLOW, "download", "d", "download csv"),
    Destination("Audit log", "dboshub:audit", VIEW_AUDIT_EVENT, "shield", "a", "who did what"),
    Destination("This hub", "dboshub:hub", "dboshub.view_hub", "database", "u", "database health"),
    Destination(
        "Start a workflow…",
        "dboshub:workflows:start_list",
        START_WORKFLOW,
        "play",
        "n",
        "new run",
        acts=True,
    ),
    Destination(
        "Make a schedule…",
        "dboshub:schedules:new",
        CHANGE_SCHEDULE,
        "plus",
        words="new cron",
        acts=True,
    ),
    Destination(
        "Export workflows…",
        "dboshub:exports:new",
        VIEW_WORKFLOW,
        "download",
        words="download csv ndjson",
        query="of=workflows",
    ),
)


def permitted(user: Any) -> Iterator[tuple[Destination, Result]]:
    """The destinations that a user may open, in order."""
    for each in DESTINATIONS:
        if (may_act if each.acts else _may_see)(user, each.permission):
            address = reverse(each.route) + (f"?{each.query}" if each.query else "")
            yield each, Result(each.title, address, icon=each.icon, key=each.key)


def destinations(user: Any, words: str) -> list[Result]:
    """The destinations that the words name; all of them without words."""
    sought = words.casefold()
    found = [
        (not each.title.casefold().startswith(sought), result)
        for each, result in permitted(user)
        if sought in f"{each.title} {each.words}".casefold()
    ]
    return [result for _, result in sorted(found, key=lambda pair: pair[0])]


def _may_see(user: Any, permission: str) -> bool:
    return bool(user.has_perm(permission))
