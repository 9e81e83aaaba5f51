"""Reads what the rules of claims look at, for any number of workflows in few statements."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from dboshub.queues.engine.kafka import INTERNAL_QUEUES
from dboshub.queues.engine.limits import Usage
from dboshub.queues.engine.settings import INTERNAL, QueueSettings, RateLimit
from dboshub.queues.selectors.pauses import Pause, pauses
from dboshub.queues.storage.rows import queue_settings
from dboshub.queues.why_not import statements
from dboshub.queues.why_not.executor_rules import able
from dboshub.queues.why_not.standing import Pair, Standing
from dboshub.workflows.selectors.executors import Executor, executors
from dboshub.workflows.selectors.rows import WorkflowRow
from dboshub.workflows.storage.sql import Session, Statement

# What is counted for one answer: a limit above that is not known to be reached. Many answers share
# it, and get at least so much each.
MAX_COUNTED, MIN_COUNTED = 10_000, 100
# Running workflows that are read of queues with limits for each worker.
MAX_HELD = 5_000
SETTINGS_OF_INTERNAL = {INTERNAL.name: INTERNAL, **INTERNAL_QUEUES}


@dataclass(frozen=True, slots=True, kw_only=True)
class Queues:
    """Settings and pauses of queues, by name, and the live executors, None without their table."""

    settings: Mapping[str, QueueSettings]
    pauses: Mapping[str, Pause]
    executors: Sequence[Executor] | None


def read_queues(session: Session, names: Iterable[str | None], now: int) -> Queues:
    """What is known of these queues, in at most five statements."""
    asked = sorted({name for name in names if isinstance(name, str)})
    rows = session.all(statements.SETTINGS, names=session.ids(asked))
    return Queues(
        settings={row[0]: queue_settings(row) for row in rows},
        pauses=pauses(session, asked),
        executors=executors(session, now),
    )


def standings(
    session: Session, rows: Sequence[WorkflowRow], now: int, queues: Queues | None = None
) -> list[Standing]:
    """The standing of each workflow, in at most five statements besides those of `read_queues`."""
    if queues is None:
        queues = read_queues(session, {row.queue_name for row in rows}, now)
    admitted = _admitted(session, rows) if queues.executors else {}
    found = [standing_of(row, queues, admitted.get(row.pk, frozenset())) for row in rows]
    found = _with_latest(session, found)
    found = _with_held(session, found)
    return _with_usage(session, found, now)


def _admitted(session: Session, rows: Sequence[WorkflowRow]) -> dict[str, frozenset[Pair]]:
    found: defaultdict[str, set[Pair]] = defaultdict(set)
    ids = session.ids(row.pk for row in rows)
    for workflow_id, *pair in session.all(statements.ADMITTED, ids=ids, refused=session.ids([])):
        found[workflow_id].add((pair[0], pair[1]))
    return {workflow_id: frozenset(pairs) for workflow_id, pairs in found.items()}


def standing_of(row: WorkflowRow, queues: Queues, admitted: frozenset[Pair]) -> Standing:
    """The standing of a workflow that these executors admit, without what is used of limits."""
    name = row.queue_name or ""
    found = Standing(
        row=row,
        settings=SETTINGS_OF_INTERNAL.get(name) or queues.settings.get(name),
        pause=queues.pauses.get(name),
        executors=queues.executors,
        admitted=admitted,
    )
    can = able(found)
    if can:
        return replace(found, able=can, application=can[0].application, version=can[0].version)
    # Nobody could claim it yet: who comes is of its application and version, if it names them.
    live = next((each.application for each in queues.executors or ()), None)
    return replace(found, application=found.owner or live, version=row.application_version)


def _with_latest(session: Session, found: list[Standing]) -> list[Standing]:
    """Give those that no version is known for the latest one of their application."""
    unknown = {each.application for each in found if each.version is None}
    latest = latest_versions(session, unknown) if unknown else {}
    return [
        replace(each, version=latest.get(each.application)) if each.version is None else each
        for each in found
    ]


def latest_versions(
    session: Session, applications: Collection[str | None]
) -> dict[str | None, str | None]:
    """The latest version of each of these applications; None if none is registered."""
    asked = [{"application": each} for each in sorted(applications, key=str)]
    return dict(session.all(statements.LATEST, asked=json.dumps(asked)))


def _with_held(session: Session, found: list[Standing]) -> list[Standing]:
    names = {
        each.settings.name
        for each in found
        if each.settings is not None and each.settings.has_worker_limits
    }
    if not names:
        return found
    held: defaultdict[str, Counter[tuple[str, str | None]]] = defaultdict(Counter)
    for name, incarnation, partition, count in session.all(
        statements.HELD, names=session.ids(sorted(names)), most=MAX_HELD
    ):
        held[name].update({(incarnation, None): count, (incarnation, partition or ""): count})
    return [_holding(each, held.get(each.row.queue_name or "", Counter())) for each in found]


def _holding(each: Standing, held: Counter[tuple[str, str | None]]) -> Standing:
    key = each.row.queue_partition_key or ""
    incarnations = {incarnation for incarnation, _ in held}
    return replace(each, held={one: (held[one, None], held[one, key]) for one in incarnations})


def _with_usage(session: Session, found: list[Standing], now: int) -> list[Standing]:
    of_queue = [each for each in found if _has_limit(each, "limiter", "concurrency")]
    parts = ("partition_limiter", "partition_concurrency")
    of_parts = [each for each in found if _has_limit(each, *parts) and each.row.queue_partition_key]
    used = _used(session, statements.USAGE, of_queue, "limiter", now)
    used_parts = _used(session, statements.PARTITION_USAGE, of_parts, "partition_limiter", now)
    return [
        replace(
            each,
            usage=used.get(_line(each, None), Usage()),
            partition_usage=used_parts.get(_line(each, each.row.queue_partition_key), Usage()),
        )
        for each in found
    ]


_Line = tuple[str | None, str | None, str | None]


def _line(standing: Standing, partition: str | None) -> _Line:
    return standing.row.queue_name, standing.application, partition


def _has_limit(standing: Standing, *names: str) -> bool:
    settings = standing.settings if standing.is_usage_known else None
    return settings is not None and any(getattr(settings, name) is not None for name in names)


def _used(
    session: Session, statement: Statement, of: list[Standing], rate: str, now: int
) -> dict[_Line, Usage]:
    """What is used of the limits that these workflows meet, by line."""
    if not of:
        return {}
    is_partition = statement is statements.PARTITION_USAGE
    lines: dict[_Line, int | None] = {}
    wanted = 0
    for each in of:
        limiter: RateLimit | None = getattr(each.settings, rate)
        concurrency: int | None = getattr(each.settings, rate.replace("limiter", "concurrency"))
        line = _line(each, each.row.queue_partition_key if is_partition else None)
        lines[line] = limiter.period_ms if limiter is not None else None
        wanted = max(wanted, limiter.limit if limiter is not None else 0, concurrency or 0)
    asked = [
        {"queue": queue, "application": application, "partition": partition, "period": period}
        for (queue, application, partition), period in lines.items()
    ]
    most = min(wanted, max(MIN_COUNTED, MAX_COUNTED // len(lines)))
    rows = session.all(statement, asked=json.dumps(asked), now=now, most=most)
    return {(row[0], row[1], row[2]): Usage(row[3], row[4]) for row in rows}
