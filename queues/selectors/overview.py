"""Queues as pages show them: their settings, what waits, who serves them, and why it waits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dboshub.queues.engine.settings import QueueSettings
from dboshub.queues.selectors.depths import Depth, depths
from dboshub.queues.storage.rows import QUEUE_COLUMNS, queue_settings
from dboshub.workflows.engine.records import INTERNAL_QUEUE, INTERNAL_QUEUES
from dboshub.workflows.selectors.detail.status_reasons import Reason, waiting
from dboshub.workflows.selectors.executors import Executor, executors
from dboshub.workflows.selectors.queue_wait import HAS_PAUSES, QueueWait
from dboshub.workflows.selectors.rows import WorkflowRow, rows_by_id
from dboshub.workflows.selectors.scope import Viewer
from dboshub.workflows.storage.sql import Session, Statement, cached_statement

PAGE = 20
# How many names of busy queues a search by prefix passes on its way.
PASSED = 200


@dataclass(frozen=True, slots=True)
class Pause:
    at: int
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class QueueFacts:
    """`settings` is None for a queue that holds work but has no row; `servers` is None where no
    table of executors tells; `updated_at` dates the settings for whoever edits them."""

    name: str
    settings: QueueSettings | None
    depth: Depth
    pause: Pause | None
    servers: tuple[Executor, ...] | None
    head: WorkflowRow | None = None
    reason: Reason | None = None
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
        """Whether work is on a queue that nobody registered."""
        return self.settings is None and not self.is_internal


@dataclass(frozen=True, slots=True)
class Page:
    """Some queues by name; `after` is where the next page begins, if there is one."""

    queues: list[QueueFacts]
    after: str = ""


# Registered names and those in flight, in the database's own order. Each step of the recursion
# is one look into the index.
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
_ROWS = f"SELECT created_at, updated_at, {QUEUE_COLUMNS} FROM {{queues}} WHERE name"
ROWS = Statement(
    postgres=f"{_ROWS} = ANY(:names)",
    sqlite=f"{_ROWS} IN (SELECT value FROM json_each(:names))",
)
_PAUSES = (
    "SELECT queue_name, paused_at, paused_by, reason FROM {dboshub_queue_pause} WHERE queue_name"
)
PAUSES = Statement(
    postgres=f"{_PAUSES} = ANY(:names)",
    sqlite=f"{_PAUSES} IN (SELECT value FROM json_each(:names))",
)


def page(session: Session, viewer: Viewer, *, now: int, after: str = "", prefix: str = "") -> Page:
    """One page of the queues that are registered or hold work, in at most eleven statements."""
    scope = viewer.condition()
    names = session.all(
        cached_statement(NAMES.replace("SCOPE", scope.sql if scope else "1 = 1")),
        after=after,
        prefix=prefix,
        passed=PASSED if prefix else PAGE + 1,
        most=PAGE + 1,
        **(scope.params if scope else {}),
    )
    shown = [name for (name,) in names[:PAGE]]
    found = facts(session, shown, viewer, now=now)
    return Page(found, shown[-1] if len(names) > PAGE else "")


def one(session: Session, name: str, viewer: Viewer, *, now: int) -> QueueFacts | None:
    """A queue by name; None if there is neither a row nor work for it."""
    # No stored text holds a NUL, and PostgreSQL would fail on the question.
    found = [] if "\x00" in name else facts(session, [name], viewer, now=now)
    if not found or (found[0].settings is None and found[0].depth.is_idle):
        return None
    return found[0]


def facts(session: Session, names: Sequence[str], viewer: Viewer, *, now: int) -> list[QueueFacts]:
    """All that is shown of these queues; one of another's application is left out."""
    wanted = session.ids(names)
    rows = {row[2]: row for row in session.all(ROWS, names=wanted)}
    hidden = {name for name, row in rows.items() if not viewer.may_see(row[-1])}
    seen = [name for name in names if name not in hidden]
    pauses = _pauses(session, wanted)
    fleet = executors(session, now)
    rated = any(row[5] is not None for row in rows.values())
    deep = depths(session, seen, viewer, now=now, rated=rated)
    ids = [each.head_id for each in deep.values() if each.head_id]
    heads = rows_by_id(session, ids, viewer=viewer) if ids else {}
    found = []
    for name in seen:
        created_at, updated_at, *columns = rows.get(name) or (None, None)
        settings = queue_settings(tuple(columns)) if columns else None
        depth, pause = deep[name], pauses.get(name)
        is_known = settings is not None or name in INTERNAL_QUEUES
        servers = _serving(fleet if is_known else [], name, settings) if fleet is not None else None
        head = heads.get(depth.head_id or "")
        reason = _reason(head, settings, depth, pause, fleet, servers) if head else None
        found.append(
            QueueFacts(name, settings, depth, pause, servers, head, reason, created_at, updated_at)
        )
    return found


def _pauses(session: Session, names: object) -> dict[str, Pause]:
    known = session.one(HAS_PAUSES)
    if known is None or not known[0]:
        return {}
    return {
        name: Pause(at, by or "", reason or "")
        for name, at, by, reason in session.all(PAUSES, names=names)
    }


def _serving(
    fleet: list[Executor], name: str, settings: QueueSettings | None
) -> tuple[Executor, ...]:
    owner = settings.application_name if settings else None
    return tuple(
        each
        for each in fleet
        if each.is_beating and each.serves(name) and owner in (None, each.application)
    )


def _reason(
    head: WorkflowRow,
    settings: QueueSettings | None,
    depth: Depth,
    pause: Pause | None,
    fleet: list[Executor] | None,
    servers: tuple[Executor, ...] | None,
) -> Reason:
    """Why what is next has not started."""
    if pause is not None:
        return waiting(head, QueueWait(paused_reason=pause.reason), None)
    if settings is None and head.queue_name not in INTERNAL_QUEUES:
        return Reason(
            "No application has registered this queue, so no worker takes from it.",
            advice="Register it (DBOS.register_queue), or resume the work onto another queue.",
            is_trouble=True,
        )
    if settings is not None and settings.partitioned and head.queue_partition_key is None:
        return Reason(
            "Next in line has no partition key, and this queue runs only work that has one.",
            advice="Resume it onto another queue, or lift the partition limits.",
            is_trouble=True,
        )
    return waiting(head, QueueWait(limit=_limit(settings, depth, servers)), fleet)


def _limit(
    settings: QueueSettings | None, depth: Depth, servers: tuple[Executor, ...] | None
) -> str:
    """Which limit is reached, as the end of a sentence; empty if none is known to be."""
    if settings is None:
        return ""
    if 0 in (settings.concurrency, settings.worker_concurrency):
        return "its concurrency is 0, so nothing starts until that is raised"
    running = depth.running.number
    if settings.concurrency is not None and running >= settings.concurrency:
        return f"all {settings.concurrency:,} places of the queue are taken"
    rate = settings.limiter
    if rate is not None and depth.started.number >= rate.limit:
        return f"its rate of {rate.limit:,} in {rate.period:g} s is used up"
    each = settings.worker_concurrency
    if each is not None and servers and running >= each * len(servers):
        workers = "its executor runs" if len(servers) == 1 else f"its {len(servers)} executors run"
        return f"{workers} the {each:,} that one may at a time"
    return ""
