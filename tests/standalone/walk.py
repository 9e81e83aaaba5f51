"""Every page and every post of a dashboard on the database that `foreign_program` made."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

from dboshub.queues.forms import control
from dboshub.schedules.forms import control as schedule_forms
from dboshub.workflows.forms import executor_forms, workflow_forms
from tests.standalone.foreign import ENDED, FAILED, WAITING
from tests.web.routes import Route, routes

RUNS = (ENDED, FAILED, WAITING)
THERE: dict[str, tuple[str, ...]] = {
    "view_id": ("1",),
    "job_id": ("1",),
    "function_id": ("1", "2"),
    "workflow_id": RUNS,
    "key": ("none",),
    "target": ("local",),
    "kind": ("executor", "version", "recovery", "failure", "queue", "schedule"),
    "dboshub:audit_change event_id": ("1",),
    "dboshub:workflows:start name": ("order",),
    "dboshub:queues:detail name": ("orders", "nobody"),
    "dboshub:queues:do name": ("orders",),
    "dboshub:schedules:detail name": ("nightly",),
    "dboshub:schedules:do name": ("nightly",),
    "dboshub:workflows:do verb": (*workflow_forms.FORMS,),
    "dboshub:workflows:steer verb": (*executor_forms.FORMS,),
    "dboshub:queues:do verb": (*control.FORMS,),
    "dboshub:schedules:do verb": (*schedule_forms.FORMS, "change"),
}
VALUES = ("input", "output", "error", "step", "step-error", "event", "history", "message")
QUERIES = {
    "dboshub:home": ("", "?hours=1", "?hours=24"),
    "dboshub:find": ("", "?q=o-", "?q=paid", "?q=shop", "?q=customer:1", "?q=status:failed"),
    "dboshub:workflows:count": ("", "?name=order", "?status=ERROR"),
    "dboshub:workflows:list": (
        "",
        "?status=ERROR",
        "?name=order",
        "?queue=nobody",
        "?top=yes",
        "?q=o-",
        "?attr.a=1",
        "?since=2h",
        "?user=-",
        "?version=x",
        "?by=completed",
        "?app=shop",
        "?status=in_flight",
        "?columns=name,error,input,output.x,attr.a&count=yes",
        "?id=*-1*",
    ),
    "dboshub:workflows:suggest": ("?q=name:", "?q=ord", "?q=status:"),
    "dboshub:workflows:bulk_new": ("", "?verb=cancel&queue=nobody"),
    "dboshub:workflows:error_group": ("?kind=ValueError&step=refuse",),
    "dboshub:workflows:detail": ("", "?steps=1"),
    "dboshub:workflows:value": tuple(f"?of={of}&key=progress&step=1" for of in VALUES)
    + tuple(f"?of={of}&key=progress&step=1&download=1" for of in VALUES),
    "dboshub:workflows:stream": ("?key=log", "?key=log&from=0"),
    "dboshub:workflows:start": ("", "?like=o-1"),
    "dboshub:schedules:do": ("", "?start=2026-01-01T00:00&end=2026-01-02T00:00"),
    "dboshub:exports:new": ("?of=workflows", "?of=audit"),
}
ADMIN = (
    "/admin/",
    *(f"/admin/dboshub_workflows/{each}/" for each in ("workflow", "executor", "auditevent")),
    "/admin/dboshub_workflows/applicationversion/",
    "/admin/dboshub_workflows/scoperule/",
    "/admin/dboshub_queues/queue/",
    "/admin/dboshub_schedules/schedule/",
    "/admin/auth/user/",
    "/admin/auth/group/",
    "/admin/dboshub_workflows/workflow/o-1/change/",
)
# What concerns the dashboard's own tables, files and cookies alone.
OWN = {
    "login",
    "logout",
    "password_change",
    "dboshub:theme",
    "dboshub:preferences",
    "dboshub:workflows:columns",
    "dboshub:save_view",
    "dboshub:delete_view",
    "dboshub:incident",
    "dboshub:exports:new",
    "dboshub:exports:discard",
}
# Posts that lead to a page, and change nothing.
LEADING = {"dboshub:workflows:bulk", "dboshub:workflows:compare"}


def pages() -> Iterator[tuple[str, str]]:
    """Name and address of everything that can be opened."""
    for route in routes():
        if route.name in ("logout", "dboshub:live"):
            continue
        for place in places(route):
            for query in QUERIES.get(route.name, ("",)):
                yield route.name, f"{place}{query}"
    for address in ADMIN:
        yield "admin", address


def actions() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Name, address and form of everything that would act on the system database."""
    for route in routes():
        for place in places(route) if route.name in FORMS else ():
            yield route.name, place, {"reason": "because", **FORMS[route.name](place)}
    yield "admin", "/admin/dboshub_queues/queue/add/", {"name": "new"}
    chosen = {"action": "pause_selected", "_selected_action": "orders"}
    yield "admin", "/admin/dboshub_queues/queue/", chosen


def _of_workflow(place: str) -> dict[str, Any]:
    return {"step": 1} if "/fork/" in place else {"value": '"paid"'} if "/send/" in place else {}


def _of_queue(place: str) -> dict[str, Any]:
    return {"concurrency": "4", "polling_interval_sec": "1"} if "/change/" in place else {}


def _of_schedule(place: str) -> dict[str, Any]:
    if "/change/" in place:
        return {"cron": "5 * * * *"}
    if "/backfill/" not in place:
        return {}
    at = "2026-01-01T03:00"
    return {"start": at, "end": at, "seen": f"{at}:00+00:00"}


FORMS = {
    "dboshub:workflows:do": _of_workflow,
    "dboshub:workflows:steer": lambda place: {"application": "shop"},
    "dboshub:workflows:start": lambda place: {"workflow_id": "new"},
    "dboshub:workflows:edit": lambda place: {},
    "dboshub:workflows:error_group": lambda place: {},
    "dboshub:workflows:bulk_new": lambda place: {"verb": "cancel", "filter": "queue=nobody"},
    "dboshub:queues:do": _of_queue,
    "dboshub:schedules:do": _of_schedule,
    "dboshub:schedules:new": lambda place: {
        "name": "new", "workflow": "order", "cron": "0 * * * *", "application": "shop",
    },
}  # fmt: skip


def places(route: Route) -> Iterator[str]:
    there = [THERE.get(name) or THERE[f"{route.name} {name}"] for _, name in route.parts]
    for found in product(*there):
        yield route.at(dict(zip((name for _, name in route.parts), found, strict=True)))
