"""Queues as pages show them: settings, depth, pause, executors and the next workflow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dboshub.queues.engine.settings import QueueSettings
from dboshub.queues.selectors.depths import Depth, depths
from dboshub.queues.selectors.pauses import Pause, pauses
from dboshub.queues.storage.rows import QUEUE_COLUMNS, queue_settings
from dboshub.workflows.engine.records import INTERNAL_QUEUE, INTERNAL_QUEUES
from dboshub.workflows.selectors.executors import Executor, executors
from dboshub.workflows.selectors.rows import WorkflowRow, rows_by_id
from dboshub.workflows.selectors.scope import Viewer, all_in_scope
from dboshub.workflows.storage.sql import Session, Statement

PAGE = 20
# A search by prefix reads at most this many names of queues with workflows in flight.
MAX_SEARCHED = 200


@dataclass(frozen=True, slots=True)
class QueueFacts:
    """One queue. `settings` is None if it has workflows but no row. `executors` are all known ones,
    `servers` those that serve this queue; both are None without a table of executors. `head` is the
    next workflow. Times are epoch milliseconds.
    """

    name: str
    settings: QueueSettings | None
    depth: Depth
    pause: Pause | None
    executors: list[Executor] | None
    servers: tuple[Executor, ...] | None
    head: WorkflowRow | None = None
    created_at: int | None = None
    updated_at: int | None = None

    @property
    def is_internal(self) -> bool:
        return self.name in INTERNAL_QUEUES

    @property
    def is_of_kafka(self) -> bool:
        return self.is_internal and self.name != INTERNAL_QUEUE

    @property
    def is_missing(self) -> bool:
        """Whether it has workflows although no application registered it."""
        return self.settings is None and not self.is_internal


@dataclass(frozen=True, slots=True)
class Page:
    """Queues by name. `after` is the cursor of the next page, empty if there is none."""

    queues: list[QueueFacts]
    after: str = ""


# Names of registered queues and of those with workflows in flight, in the database's own order.
# Each step of the recursion is one index search.
BUSY = "queue_name > :after AND queue_name >= :prefix AND status IN ('ENQUEUED', 'PENDING')"
NAMES = f"""
    WITH RECURSIVE busy (name, place) AS (
        SELECT (SELECT MIN(queue_name) FROM {{workflow_status}} WHERE {BUSY} AND SCOPE), 1
        UNION ALL
        SELECT (
            SELECT MIN(queue_name) FROM {{workflow_status}}
            WHERE queue_name > busy.name AND status IN ('ENQUEUED', 'PENDING') AND SCOPE
        ), place + 1
        FROM busy
        WHERE name IS NOT NULL AND place < :passed
    )
    SELECT name FROM (
        SELECT name FROM {{queues}} WHERE name > :after AND SCOPE
        UNION
        SELECT name FROM busy WHERE name IS NOT NULL
    ) AS known
    WHERE SUBSTR(name, 1, LENGTH(:prefix)) = :prefix
    ORDER BY name
    LIMIT :most
"""
ROWS = Statement(
    f"SELECT created_at, updated_at, {QUEUE_COLUMNS} FROM {{queues}} WHERE name = ANY(:names)"
)
# Of a name that SQLite stores and cannot compare, as one with a NUL.
NO_DEPTH = Depth()


def page(session: Session, viewer: Viewer, *, now: int, after: str = "", prefix: str = "") -> Page:
    """One page of the queues with a row or with workflows, in at most twelve statements."""
    passed = MAX_SEARCHED if prefix else PAGE + 1
    names = all_in_scope(
        session, NAMES, viewer, after=after, prefix=prefix, passed=passed, most=PAGE + 1
    )
    shown = [name for (name,) in names[:PAGE]]
    found = facts(session, shown, viewer, now=now)
    return Page(found, shown[-1] if len(names) > PAGE else "")


def one(session: Session, name: str, viewer: Viewer, *, now: int) -> QueueFacts | None:
    """A queue by name; None if it has neither a row nor workflows."""
    # No stored text contains a NUL, and PostgreSQL rejects it as a parameter.
    found = [] if "\x00" in name else facts(session, [name], viewer, now=now)
    if not found or (found[0].settings is None and found[0].depth.is_idle):
        return None
    return found[0]


def facts(session: Session, names: Sequence[str], viewer: Viewer, *, now: int) -> list[QueueFacts]:
    """The facts of these queues, without those of applications outside the viewer's scope."""
    wanted = session.ids(names)
    rows = {row[2]: row for row in session.all(ROWS, names=wanted)}
    hidden = {name for name, row in rows.items() if not viewer.may_see(row[-1])}
    seen = [name for name in names if name not in hidden]
    paused = pauses(session, names)
    known = executors(session, now)
    rated = any(row[5] is not None for row in rows.values())
    deep = depths(session, seen, viewer, now=now, rated=rated)
    ids = [each.head_id for each in deep.values() if each.head_id]
    heads = rows_by_id(session, ids, viewer=viewer) if ids else {}
    found = []
    for name in seen:
        created_at, updated_at, *columns = rows.get(name) or (None, None)
        settings = queue_settings(tuple(columns)) if columns else None
        depth, pause = deep.get(name, NO_DEPTH), paused.get(name)
        is_registered = settings is not None or name in INTERNAL_QUEUES
        servers = None
        if known is not None:
            servers = _serving(known if is_registered else [], name, settings)
        head = heads.get(depth.head_id or "")
        found.append(
            QueueFacts(name, settings, depth, pause, known, servers, head, created_at, updated_at)
        )
    return found


def _serving(
    known: list[Executor], name: str, settings: QueueSettings | None
) -> tuple[Executor, ...]:
    owner = settings.application_name if settings else None
    return tuple(
        each
        for each in known
        if each.is_beating and each.serves(name) and owner in (None, each.application)
    )
