"""Server time of every page over the database of the environment: what bench.pages runs last.

Each address is asked for by a superuser through Django's own client, without a network and with
an empty cache. The first visit pays for templates and connections and is left out. A page is late
by its median: the slowest visits of a busy machine say little about the page.
"""

from __future__ import annotations

import html
import re
import statistics
import sys
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import django

from bench.filling import LONG_RUN, MOTHER

VISITS, ENOUGH_S = 20, 6.0
LIMIT_MS, LIST_MS = 300, 150
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
# What is walked for up to 200 ms, attributes on SQLite among it.
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
    """One address, and within how many milliseconds it should answer."""

    name: str
    url: str
    limit_ms: int = LIMIT_MS


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
    lists = [Asked(f"list {each}".strip(), f"{listed}?{each}", LIST_MS) for each in LISTS]
    lists += [Asked(f"list {each}", f"{listed}?{each}") for each in WALKS]
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


def visit(client: Any, asked: Asked) -> bool:
    """Print what a page took; whether it answered, and in time."""
    from django.db import connection, reset_queries
    from django.test.utils import CaptureQueriesContext

    from dboshub.workflows.page_cache import page_cache

    with CaptureQueriesContext(connection):
        client.get(asked.url, follow=True)
    page_cache().clear()
    with CaptureQueriesContext(connection) as seen:
        response = client.get(asked.url, follow=True)
    statements = seen.captured_queries
    if response.status_code != 200:
        print(f"{asked.name:<28}answered {response.status_code}: {asked.url}")
        return False
    took: list[float] = []
    begun = time.perf_counter()
    while len(took) < VISITS and time.perf_counter() - begun < ENOUGH_S:
        page_cache().clear()
        at = time.perf_counter()
        client.get(asked.url, follow=True)
        took.append((time.perf_counter() - at) * 1_000)
    reset_queries()
    late, median = sorted(took)[round(len(took) * 0.95) - 1], statistics.median(took)
    dearest = max((float(each["time"]) for each in statements), default=0) * 1_000
    cells = f"{min(took):>8.0f}{median:>8.0f}{late:>8.0f}{len(statements):>12}{dearest:>9.0f}"
    is_late = median > asked.limit_ms
    size = len(response.content) / 1_024
    print(f"{asked.name:<28}{cells}{size:>7.0f}{'  LATE' if is_late else ''}", flush=True)
    return not is_late


def main() -> int:
    django.setup()
    from django.contrib.auth import get_user_model
    from django.test import Client

    prepare()
    client = Client(SERVER_NAME="localhost")
    people = get_user_model().objects
    user = people.filter(username="bench").first()
    client.force_login(user or people.create_superuser("bench", password=None))
    head = f"{'best ms':>8}{'median':>8}{'p95':>8}{'statements':>12}{'dearest':>9}{'KiB':>7}"
    print(f"\n{'page':<28}{head}", flush=True)
    only = sys.argv[1:]
    wanted = [
        each for each in addresses(client) if not only or any(word in each.name for word in only)
    ]
    kept = [visit(client, each) for each in wanted]
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
