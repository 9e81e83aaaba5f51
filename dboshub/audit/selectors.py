"""Reads the audit log in pages, filtered, newest first, with bounded cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db.models import Q, QuerySet
from django.db.models.functions import Left
from django.http import QueryDict

from dboshub.workflows.models import AuditEvent
from dboshub.workflows.search.criteria import parse
from dboshub.workflows.selectors.audit_scope import events_in_scope
from dboshub.workflows.selectors.scope import Viewer

PAGE_SIZE = 50
# Rows that one page scans for matches of a filter.
MAX_ROWS_SCANNED = 10_000
SUGGESTION_ROWS = 2_000
MAX_LENGTH = 1_000

# Query key to column. A target that ends in `*` is a prefix.
TEXTS = {
    "user": "username",
    "verb": "action",
    "kind": "target_kind",
    "target": "target",
    "outcome": "outcome",
}
KEYS = (*TEXTS, "since", "until")


@dataclass(frozen=True, slots=True)
class Criteria:
    """A filter. `given` holds the values by query key, `problems` what was not understood."""

    given: Mapping[str, str]
    since: int | None
    until: int | None
    problems: tuple[str, ...]

    def query(self, **more: str) -> str:
        return urlencode({**self.given, **{key: value for key, value in more.items() if value}})

    def filter(self, events: QuerySet[AuditEvent]) -> QuerySet[AuditEvent]:
        for key, column in TEXTS.items():
            value = self.given.get(key, "")
            if key == "target" and value.endswith("*") and len(value) > 1:
                # Not LIKE, which ignores case on SQLite.
                begins = Left(column, len(value) - 1)
                events = events.annotate(begins=begins).filter(begins=value[:-1])
            elif value:
                events = events.filter(**{column: value})
        return events


@dataclass(frozen=True, slots=True)
class Page:
    """Some events; `after` is the cursor of the next page. `searched_to` is the time (epoch ms)
    down to which rows were scanned, if the page is not full."""

    events: list[AuditEvent]
    after: str = ""
    searched_to: int | None = None


def criteria(query: QueryDict, *, now: int) -> Criteria:
    """Read a query string. What is not understood is left out and named in `problems`."""
    given = {key: _text(query, key) for key in KEYS}
    # Times have the same syntax as in the list of workflows.
    times = QueryDict(urlencode({key: given[key] for key in ("since", "until")}))
    read = parse(times, now=now)
    kept = {key: value for key, value in given.items() if value}
    return Criteria(kept, read.since, read.until, read.problems)


def page(
    wanted: Criteria, viewer: Viewer, user_id: object, after: str = "", *, size: int = PAGE_SIZE
) -> Page:
    """One page of what a user may see, in at most two statements that read MAX_ROWS_SCANNED rows
    each."""
    events = AuditEvent.objects.defer("payload").order_by("-at", "-id")
    if wanted.since is not None:
        events = events.filter(at__gte=wanted.since)
    if wanted.until is not None:
        events = events.filter(at__lt=wanted.until)
    place = parse_cursor(after)
    if place is not None:
        events = events.filter(_before(*place))
    edge = (
        events.values_list("at", "id")[MAX_ROWS_SCANNED : MAX_ROWS_SCANNED + 1].first()
        if wanted.given or viewer.applications is not None
        else None
    )
    if edge is not None:
        events = events.filter(at__gte=edge[0]).exclude(_before(*edge))
    seen = events.filter(events_in_scope(viewer, user_id))
    found = list(wanted.filter(seen)[: size + 1])
    if len(found) > size:
        return Page(found[:size], _cursor(found[size - 1].at, found[size - 1].pk))
    return Page(found, _cursor(*edge), edge[0]) if edge is not None else Page(found)


def suggestions(viewer: Viewer, user_id: object) -> dict[str, list[str]]:
    """Values to choose from by query key, from the newest events that the user may see."""
    newest = AuditEvent.objects.order_by("-at", "-id").values_list("pk")[:SUGGESTION_ROWS]
    oldest = min((pk for (pk,) in newest), default=0)
    seen = AuditEvent.objects.filter(events_in_scope(viewer, user_id), pk__gte=oldest)
    rows = list(seen.values_list("username", "action", "target_kind")[:SUGGESTION_ROWS])
    return {
        key: sorted({row[at] for row in rows if row[at]})
        for at, key in enumerate(("user", "verb", "kind"))
    }


def parse_cursor(text: str) -> tuple[int, int] | None:
    """The position of a cursor; None if it is malformed."""
    parts = text.split("-")
    if len(parts) != 2 or not all(part.isascii() and part.isdecimal() for part in parts):
        return None
    at, event = (int(part[:20]) for part in parts)
    return (at, event) if max(at, event) < 2**63 else None


def _before(at: int, event: int) -> Q:
    # The index serves the first condition; the second one orders events of equal time.
    return Q(at__lte=at) & (Q(at__lt=at) | Q(pk__lt=event))


def _cursor(at: int, event: int) -> str:
    return f"{at}-{event}"


def _text(query: Mapping[str, Any], key: str) -> str:
    # PostgreSQL cannot store a NUL, so no row matches one.
    given = str(query.get(key, "") or "").strip().replace("\x00", "\N{REPLACEMENT CHARACTER}")
    return given[:MAX_LENGTH]
