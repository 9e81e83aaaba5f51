"""Server time of every page over the database of the environment: what bench.pages runs last.

Each address is asked for by a superuser through Django's own client, without a network and with
an empty cache. The first visit pays for templates and connections and is left out. A page is late
by its median: the slowest visits of a busy machine say little about the page. Prints a line for
each page, and writes what it measured as JSON to the file of the arguments.
"""

from __future__ import annotations

import argparse
import html
import json
import re
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import django

from bench import page_report
from bench.filling import LONG_RUN, MOTHER

VISITS, ENOUGH_S = 20, 6.0
EVENTS = 200_000
AUDITED = """
INSERT INTO dboshub_audit_event
    (at, username, address, action, target_kind, target, reason, outcome, detail)
WITH RECURSIVE numbers(n) AS (
    SELECT CAST(1 AS bigint) UNION ALL SELECT n + 1 FROM numbers WHERE n < {events}
)
SELECT {now} - ({events} - n) * 6000, 'person-' || (n % 40), '10.0.0.1',
    CASE WHEN n % 3 = 0 THEN 'cancel' ELSE 'resume' END,
    CASE WHEN n % 100 = 0 THEN 'queue' ELSE 'workflow' END, 'target-' || (n % 5000), 'a reason',
    CASE WHEN n % 50 = 0 THEN 'refused' ELSE 'done' END, '{{}}'
FROM numbers
"""
GROUP = re.compile(r'href="(/workflows/errors/group/[^"]*)"')
PART = re.compile(r'hx-get="(/workflows/part/[^"]*)"')
# What an index leads to.
LISTS = (
    "",
    "status=SUCCESS",
    "status=failed",
    "status=ENQUEUED",
    "status=DELAYED",
    "status=in_flight",
    "since=1h",
    "by=completed",
    "by=started",
    "top=1",
    "id=abc",
    "name=common",
    "queue=orders",
    "executor=worker-3",
    "schedule=nightly",
    f"parent={MOTHER}",
)
# What is searched for a while before the page answers, attributes on SQLite among it.
WALKS = (
    "name=rare",
    "name=absent",
    "q=task",
    "queue=mail-7",
    "queue=seldom",
    "queue=absent",
    "app=tiny",
    "user=user-77",
    "version=v3",
    "status=ERROR&name=absent",
    "attr.customer=4004",
    "attr.tier=gold",
    "attr.tier=absent",
    "attr.customer=4*",
)


@dataclass(frozen=True, slots=True)
class Asked:
    """One address, what it is called in the table, and whether htmx asks for it."""

    name: str
    url: str
    is_part: bool = False

    def get(self, client: Any) -> Any:
        headers = {"HX-Request": "true"} if self.is_part else {}
        return client.get(self.url, follow=True, headers=headers)


def addresses(client: Any) -> list[Asked]:
    """Every page by name; those about one thing take one that exists."""
    from django.urls import reverse

    from dboshub.workflows.models import Workflow

    failed = Workflow.objects.filter(status="ERROR").order_by("-created_at").first()
    newest = (
        Workflow.objects.filter(status="SUCCESS", name="common").order_by("-created_at").first()
    )
    assert failed is not None
    assert newest is not None

    def at(page: str, /, *args: object, **query: object) -> str:
        return f"{reverse(page, args=args)}?{urlencode(query)}".rstrip("?")

    listed, one = reverse("dboshub:workflows:list"), newest.pk
    errors = client.get(reverse("dboshub:workflows:errors")).content.decode()
    group = GROUP.search(errors)
    assert group is not None
    lists = [Asked(f"list {each}".strip(), f"{listed}?{each}") for each in LISTS + WALKS]
    if part := PART.search(client.get(f"{listed}?name=absent").content.decode()):
        lists.append(Asked("list name=absent, a part", html.unescape(part[1]), is_part=True))
    pages = {
        "home": at("dboshub:home"),
        "home, a week": at("dboshub:home", span="7d"),
        "home, one name": at("dboshub:home", name="common"),
        "suggestions": at("dboshub:workflows:suggest", text="name:"),
        "suggestions, begun": at("dboshub:workflows:suggest", text="name:ta"),
        "workflow": at("dboshub:workflows:detail", one),
        "workflow, failed": at("dboshub:workflows:detail", failed.pk),
        "workflow, 10,000 steps": at("dboshub:workflows:detail", LONG_RUN),
        "workflow, 100,000 children": at("dboshub:workflows:detail", MOTHER),
        "steps": at("dboshub:workflows:steps", one),
        "steps of 10,000": at("dboshub:workflows:steps", LONG_RUN),
        "steps of 10,000, found": at("dboshub:workflows:steps", LONG_RUN, find="absent"),
        "step": at("dboshub:workflows:step", 1, one),
        "value": at("dboshub:workflows:value", one, of="input"),
        "family": at("dboshub:workflows:family", one),
        "family of 100,000": at("dboshub:workflows:family", MOTHER),
        "compare": at("dboshub:workflows:compare", a=failed.pk, b=newest.pk),
        "compare 10,000 steps": at("dboshub:workflows:compare", a=LONG_RUN, b=newest.pk),
        "statistics of steps": at("dboshub:workflows:step_statistics"),
        "statistics of steps, a week": at("dboshub:workflows:step_statistics", span="7d"),
        "start": at("dboshub:workflows:start_list"),
        "start one": at("dboshub:workflows:start", "task-1"),
        "start one like another": at("dboshub:workflows:start", "task-1", like=one),
        "errors": at("dboshub:workflows:errors"),
        "errors, last hour": at("dboshub:workflows:errors", since="1h"),
        "errors, one name": at("dboshub:workflows:errors", name="task-3"),
        "errors, absent name": at("dboshub:workflows:errors", name="absent"),
        "error group": html.unescape(group[1]),
        "bulk jobs": at("dboshub:workflows:bulk_list"),
        "bulk job, asking": at("dboshub:workflows:bulk_new", status="ERROR"),
        "queues": at("dboshub:queues:list"),
        "queue": at("dboshub:queues:detail", "slow"),
        "queue, busy": at("dboshub:queues:detail", "orders"),
        "queue, idle": at("dboshub:queues:detail", "seldom"),
        "schedules": at("dboshub:schedules:list"),
        "executors": at("dboshub:workflows:executors"),
        "exports": at("dboshub:exports:list"),
        "export, asking": at("dboshub:exports:new", of="workflows"),
        "audit": at("dboshub:audit"),
        "audit, one person": at("dboshub:audit", user="person-3"),
        "audit, absent person": at("dboshub:audit", user="absent"),
        "audit, absent target": at("dboshub:audit", kind="workflow", target="absent*"),
        "this hub": at("dboshub:hub"),
        "admin": at("admin:index"),
    }
    return lists + [Asked(name, url) for name, url in pages.items()]


def prepare() -> None:
    """Rollups of all that is there, and an audit log, unless an earlier run left them."""
    from django.db import connection

    from dboshub.background.rollups import new_maintainer
    from dboshub.workflows.models import AuditEvent

    if AuditEvent.objects.count() < EVENTS:
        with connection.cursor() as cursor:
            now = int(time.time() * 1_000)
            cursor.execute(AUDITED.format(events=EVENTS, now=now))
            cursor.execute("ANALYZE" if connection.vendor == "postgresql" else "SELECT 1")
    begun, work = time.perf_counter(), new_maintainer()
    while not work.is_filled:
        work.run_once()
    print(f"Rollups are there after {time.perf_counter() - begun:.0f} s", flush=True)


def visit(client: Any, asked: Asked, limit_ms: float) -> dict[str, Any]:
    """Ask for a page again and again; gives what it took."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from dboshub.workflows.page_cache import page_cache

    asked.get(client)
    page_cache().clear()
    with CaptureQueriesContext(connection) as seen:
        response = asked.get(client)
    # Read now: the next request empties the log.
    statements = [float(each["time"]) * 1_000 for each in seen.captured_queries]
    took: list[float] = []
    begun = time.perf_counter()
    while len(took) < VISITS and time.perf_counter() - begun < ENOUGH_S:
        page_cache().clear()
        at = time.perf_counter()
        asked.get(client)
        took.append((time.perf_counter() - at) * 1_000)
    return {
        "page": asked.name,
        "limit_ms": limit_ms,
        "status": response.status_code,
        "best": min(took),
        "median": statistics.median(took),
        "p95": sorted(took)[round(len(took) * 0.95) - 1],
        "statements": len(statements),
        "dearest": max(statements, default=0.0),
        "KiB": len(response.content) / 1_024,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="*", help="words of which a page's name has one")
    parser.add_argument("--limit-ms", type=float, required=True, help="of the median")
    parser.add_argument("--json", type=Path, required=True, help="a file for the figures")
    options = parser.parse_args()
    django.setup()
    from django.contrib.auth import get_user_model
    from django.test import Client

    prepare()
    client = Client(SERVER_NAME="localhost")
    people = get_user_model().objects
    user = people.filter(username="bench").first()
    client.force_login(user or people.create_superuser("bench", password=None))
    print(page_report.head(), flush=True)
    visits = []
    for asked in addresses(client):
        if not options.only or any(word in asked.name for word in options.only):
            visits.append(visit(client, asked, options.limit_ms))
            print(page_report.line(visits[-1]), flush=True)
    options.json.write_text(json.dumps(visits))
    return 0


if __name__ == "__main__":
    sys.exit(main())
