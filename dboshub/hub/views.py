"""The page about the hub: database, live updates, slow statements, settings.

Each part is read by itself, so that a failure does not affect the others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from django.contrib.auth.decorators import permission_required
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from dboshub.hub import diagnostics
from dboshub.workflows.bounded_reading import bounded_reading
from dboshub.workflows.clock import now_ms
from dboshub.workflows.engine import background
from dboshub.workflows.rendering.page_templates import render
from dboshub.workflows.selectors import database_health
from dboshub.workflows.selectors.executors import executors
from dboshub.workflows.slow_queries import SLOW_QUERIES, SLOW_S
from dboshub.workflows.storage.schema.state import VERSION
from dboshub.workflows.storage.sql import Session

VIEW = "dboshub.view_hub"
SLOWEST_SHOWN = 15
# Clock skew above this is reported: times of two machines would not be comparable.
SKEW_MS = 1_000

Found = TypeVar("Found")


@require_safe
@permission_required(VIEW, raise_exception=True)
def hub(request: HttpRequest) -> HttpResponse:
    """The page about this hub. It needs no worker."""
    now, failures = now_ms(), list[str]()

    def read(part: Callable[[Session], Found]) -> Found | None:
        try:
            with bounded_reading() as session:
                return part(session)
        except DatabaseError as error:
            failures.append(str(error).split("\n", 1)[0])
            return None

    server = read(database_health.server)
    indexes = read(database_health.expected) or []
    context = {
        "section": "hub",
        "now": now,
        "server": server,
        "tables": read(database_health.tables),
        "missing": [index for index in indexes if not index.is_there],
        "present": [index for index in indexes if index.is_there],
        "executors": read(lambda session: executors(session, now)),
        "leaders": read(lambda session: diagnostics.leaders(now)),
        "live": diagnostics.live(),
        "failing": background.failing(),
        "slow": SLOW_QUERIES.worst(SLOWEST_SHOWN),
        "slow_ms": round(SLOW_S * 1_000),
        "versions": diagnostics.versions(),
        "chosen": diagnostics.effective_settings(),
        "place": diagnostics.host_and_process(),
        "started": diagnostics.STARTED_MS,
        "our_schema": VERSION,
        "is_skewed": server is not None and abs(server.skew_ms) > SKEW_MS + server.trip_ms,
        "failures": sorted(set(failures)),
    }
    return render(request, "dboshub/hub/page.html", context, status=503 if failures else 200)
