"""What to tell people when a page failed because of the database: what is wrong, what to do."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from django.db import DatabaseError, InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.utils.http import escape_leading_slashes

from dboshub.workflows.engine.ports import StorageUnavailableError
from dboshub.workflows.invocation import command
from dboshub.workflows.rendering.page_templates import render_to_string

RETRY_S = 5


@dataclass(frozen=True, slots=True)
class Outage:
    """`passes`: trying again may help before anybody has done anything."""

    title: str
    meaning: str
    advice: str
    passes: bool = True


AWAY = Outage(
    "The database does not answer",
    "Without it there is nothing to show. Workflows go on from their last recorded step as soon as"
    " it is back; nothing that was recorded is lost.",
    "Try again in a moment. If it stays away, look whether the database runs and whether this"
    " server reaches it.",
)
SLOW = Outage(
    "The database took too long",
    "A query of this page was given up, so that it does not slow down the workflows.",
    "Try again, or ask for less: a shorter time, a narrower filter.",
)
BUSY = Outage(
    "The database is busy",
    "Another process was writing for longer than this page could wait. Nothing was changed.",
    "Try again in a moment.",
)
READ_ONLY = Outage(
    "The database is read-only",
    "What you asked for has to be written down, and it refuses to be written to.",
    "Point DBOSHUB_DATABASE_URL at a database of the hub's own, or make this one writable.",
    passes=False,
)
NOT_MIGRATED = Outage(
    "The database is not ready for this release",
    "A table or column that this page reads is not there.",
    "Run {migrate}; it leaves the rows as they are.",
    passes=False,
)

# SQLSTATEs of PostgreSQL, and how the messages of SQLite begin.
_STATES = {
    "57014": SLOW,
    "25006": READ_ONLY,
    "42P01": NOT_MIGRATED,
    "42703": NOT_MIGRATED,
    "3F000": NOT_MIGRATED,
    "55P03": BUSY,
}
_MESSAGES = {
    "no such table": NOT_MIGRATED,
    "no such column": NOT_MIGRATED,
    "attempt to write a readonly": READ_ONLY,
    "database is locked": BUSY,
    "database table is locked": BUSY,
    "interrupted": SLOW,
}


def outage_of(error: BaseException | None) -> Outage | None:
    """The outage that an error tells of; None if the fault is not the database's."""
    if isinstance(error, StorageUnavailableError):
        return AWAY
    if not isinstance(error, DatabaseError | InterfaceError):
        return None
    state = getattr(error.__cause__, "sqlstate", None)
    if state in _STATES:
        return _STATES[state]
    for beginning, outage in _MESSAGES.items():
        if str(error).startswith(beginning):
            return outage
    return AWAY if isinstance(error, OperationalError | InterfaceError) else None


def outage_page(request: HttpRequest, outage: Outage) -> HttpResponse:
    """Rendered without the request; of a page that is open, its main part says the same."""
    is_part = "HX-Request" in request.headers
    context = {
        "outage": outage,
        "advice": outage.advice.format(migrate=command("migrate")),
        "again": _again(request, is_part=is_part),
    }
    template = "dboshub/components/_outage.html" if is_part else "dboshub/responses/503.html"
    response = HttpResponse(render_to_string(template, context), status=503)
    if is_part:
        # Wherever a part was wanted: an outage does not fit into a cell.
        response["HX-Retarget"], response["HX-Reswap"] = "#main", "innerHTML"
    if outage.passes:
        response["Retry-After"] = str(RETRY_S)
    return response


def _again(request: HttpRequest, *, is_part: bool) -> str:
    """Where to try again: the page that is open, or that was asked for. No link posts anything."""
    if is_part:
        page = urlsplit(request.headers.get("HX-Current-URL", ""))
        return escape_leading_slashes(f"{page.path}?{page.query}".rstrip("?"))
    return request.get_full_path() if request.method in ("GET", "HEAD") else ""
