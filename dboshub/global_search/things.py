"""Queues, schedules, executors and other things that a search finds by their name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from dboshub.global_search.destinations import VIEW_QUEUE, VIEW_SCHEDULE
from dboshub.global_search.offers import on_things
from dboshub.global_search.results import MAX_RESULTS, Group, Result, best_first, grouped
from dboshub.web.saved_views import PAGES, views_for
from dboshub.workflows.page_cache import page_cache
from dboshub.workflows.search.parser import exactly
from dboshub.workflows.selectors.scope import Viewer, all_in_scope, viewer_for
from dboshub.workflows.selectors.tables import EXECUTORS, has_table
from dboshub.workflows.storage.sql import Session
from dboshub.workflows.views.search import known_values

# Names of one kind that are read, in their order; cached for CACHE_S. Of those in the rows of
# workflows, the newest rows are read.
MAX_NAMES = 2_000
CACHE_S = 10
# Kinds to their table and columns: a name, and where it is.
TABLES = {
    "queue": ("queues", "name", "NULL"),
    "schedule": ("workflow_schedules", "schedule_name", "workflow_name"),
    "version": ("application_versions", "version_name", "application_name"),
}
OF_EXECUTORS = ("dboshub_executor", "executor_id", "hostname")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of thing: its group, its icon, and the criterion that lists its workflows."""

    title: str
    icon: str
    criterion: str
    word: str


KINDS = {
    "name": Kind("Workflows by name", "workflow", "name", "name of workflows"),
    "queue": Kind("Queues", "layers", "queue", "queue"),
    "schedule": Kind("Schedules", "calendar-clock", "schedule", "schedule"),
    "executor": Kind("Executors", "server", "executor", "workflows of this executor"),
    "version": Kind("Versions", "git-branch", "version", "workflows of this version"),
    "app": Kind("Applications", "box", "app", "workflows of this application"),
    "user": Kind("Users", "user", "user", "workflows started by"),
}


def things(session: Session, user: Any, words: str) -> Iterator[Group]:
    """The things whose name contains the words, by kind."""
    viewer = viewer_for(user)
    known = known_values(session, viewer)
    registered = _registered(session, viewer)
    for key, kind in KINDS.items():
        if (key == "queue" and not user.has_perm(VIEW_QUEUE)) or (
            key == "schedule" and not user.has_perm(VIEW_SCHEDULE)
        ):
            continue
        places = registered.get(key, {})
        names = best_first({*places, *known.get(key, ())}, words)
        shown = (_thing(key, kind, name, places.get(name)) for name in names[: MAX_RESULTS + 1])
        yield from grouped(kind.title, shown)
    yield from grouped("Actions", on_things(user, registered, known.get("name", ()), words))


def _thing(key: str, kind: Kind, name: str, place: str | None) -> Result:
    if key in ("queue", "schedule"):
        address = reverse(f"dboshub:{key}s:detail", args=[name])
    else:
        query = urlencode({kind.criterion: exactly(name)})
        address = f"{reverse('dboshub:workflows:list')}?{query}"
    reason = f"{kind.word}, on {place}" if key == "executor" and place else kind.word
    return Result(name, address, reason, icon=kind.icon)


def saved_views(user: Any, words: str) -> list[Group]:
    """The saved views that the user sees whose name contains the words."""
    sought = words.casefold()
    found = [
        Result(
            view.name,
            f"{reverse(PAGES[view.page])}?{view.query}".rstrip("?"),
            "saved view, shared with everybody" if view.is_shared else "saved view of yours",
            icon="list-filter",
        )
        for page in PAGES
        for view in views_for(user, page)
        if sought in view.name.casefold()
    ]
    return grouped("Saved views", found)


def _registered(session: Session, viewer: Viewer) -> dict[str, dict[str, str | None]]:
    """The first names of each kind of table, each with where it is."""
    found = page_cache().get_or_set(
        f"named-things-{viewer.key}", lambda: _read(session, viewer), CACHE_S
    )
    return found or {}


def _read(session: Session, viewer: Viewer) -> dict[str, dict[str, str | None]]:
    tables = dict(TABLES)
    if has_table(session, EXECUTORS):
        tables["executor"] = OF_EXECUTORS
    parts = [
        f"SELECT * FROM (SELECT '{kind}' AS kind, {name} AS name, {place} AS place "
        f"FROM {{{table}}} WHERE SCOPE ORDER BY {name} LIMIT :most) AS {kind}_names"
        for kind, (table, name, place) in tables.items()
    ]
    rows = all_in_scope(session, " UNION ALL ".join(parts), viewer, most=MAX_NAMES)
    found: dict[str, dict[str, str | None]] = {}
    for kind, name, place in rows:
        if name:
            found.setdefault(kind, {})[name] = place
    return found
