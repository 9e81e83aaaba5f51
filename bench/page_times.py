"""Server time of every page over the database of the environment: what bench.pages runs last.

Each address is asked for several times by a superuser through Django's own client, without a
network. The first visit pays for templates and caches and is left out.
"""

from __future__ import annotations

import statistics
import sys
import time

import django

VISITS = 5
DEAR_MS = 1_000


def addresses() -> list[tuple[str, str]]:
    """Every page by name; those about one thing take one that exists."""
    from django.urls import reverse

    from workflows.models import Workflow

    failed = Workflow.objects.filter(status="ERROR").order_by("-created_at").first()
    newest = Workflow.objects.order_by("-created_at").first()
    assert failed is not None
    assert newest is not None
    one = newest.pk
    return [
        ("home", reverse("home")),
        ("workflows", reverse("workflows:list")),
        ("workflows, failed", reverse("workflows:list") + "?status=failed"),
        ("workflows, by name", reverse("workflows:list") + "?name=rare"),
        ("workflow", reverse("workflows:detail", args=[one])),
        ("workflow, failed", reverse("workflows:detail", args=[failed.pk])),
        ("steps", reverse("workflows:steps", args=[one])),
        ("step", reverse("workflows:step", args=[1, one])),
        ("family", reverse("workflows:family", args=[one])),
        ("start", reverse("workflows:start_list")),
        ("errors", reverse("workflows:errors")),
        ("bulk jobs", reverse("workflows:bulk_list")),
        ("queues", reverse("queues:list")),
        ("queue", reverse("queues:detail", args=["slow"])),
        ("schedules", reverse("schedules:list")),
        ("executors", reverse("workflows:executors")),
        ("audit", reverse("audit")),
        ("this hub", reverse("hub")),
    ]


def main() -> int:
    django.setup()
    from django.contrib.auth import get_user_model
    from django.db import connection, reset_queries
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    client = Client(SERVER_NAME="localhost")
    user = get_user_model().objects.create_superuser("bench", password=None)
    client.force_login(user)
    print(f"\n{'page':<22}{'median ms':>10}{'worst':>8}{'statements':>12}{'KiB':>7}")
    is_dear = False
    for name, address in addresses():
        took, size = [], 0
        with CaptureQueriesContext(connection) as seen:
            response = client.get(address)
        if response.status_code != 200:
            print(f"{name:<22}answered {response.status_code}: {address}")
            is_dear = True
            continue
        for _ in range(VISITS):
            begun = time.perf_counter()
            size = len(client.get(address).content)
            took.append((time.perf_counter() - begun) * 1_000)
        reset_queries()
        median = statistics.median(took)
        is_dear |= median > DEAR_MS
        print(f"{name:<22}{median:>10.0f}{max(took):>8.0f}{len(seen):>12}{size / 1024:>7.0f}")
    return 1 if is_dear else 0


if __name__ == "__main__":
    sys.exit(main())
