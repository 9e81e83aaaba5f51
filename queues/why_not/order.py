"""Who is claimed before a workflow, and who holds the places and starts that it waits for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from dboshub.queues.engine.settings import RateLimit
from dboshub.queues.why_not import remedies, statements
from dboshub.queues.why_not.executor_rules import claimants
from dboshub.queues.why_not.standing import Standing
from dboshub.workflows.rendering.reason import Blocker, workflow_thing
from dboshub.workflows.selectors.counts import Count
from dboshub.workflows.selectors.executors import Executor
from dboshub.workflows.selectors.rows import WorkflowRow
from dboshub.workflows.storage.sql import Row, Session, Statement

# Rows of the line that are looked at, from its head on.
MAX_AHEAD = 1_000
MAX_NAMED = 3
# Workers whose lines are told apart.
MAX_WORKERS = 5
_PLACES = ("concurrency", "partition_concurrency")
_VERSIONS = ("version_not_running", "latest_version_not_running")


def ahead(session: Session, standing: Standing) -> Blocker | None:
    """What a worker claims earlier, by the worker that comes to it first; None if it is the next.

    What a worker can not run does not stand before it.
    """
    lines = [*_lines(session, standing)]
    found, is_cut = min(lines, key=lambda line: len(line[0]))
    if not found and not is_cut:
        return None
    row = standing.row
    before, ties = sum(bool(each[6]) for each in found), sum(not each[6] for each in found)
    things = tuple(
        workflow_thing(workflow_id, f"{name or 'unnamed'}, before it")
        for workflow_id, name, _, _, application, *_ in found[:MAX_NAMED]
        if application == row.application_name
    )
    lifts = (remedies.past_limits(row),)
    text = _ahead(before, ties, is_cut)
    return Blocker("not_first", text, things, lifts, is_trouble=False)


def _lines(session: Session, standing: Standing) -> Iterator[tuple[list[Row], bool]]:
    """What stands before it for each of a few workers, and whether more may."""
    row = standing.row
    workers = claimants(standing)[:MAX_WORKERS]
    pairs = {(each.application, each.version) for each in workers}
    for application, version in pairs or {(standing.application, standing.version)}:
        rows = session.all(
            _of_line(statements.AHEAD, standing),
            **_parameters(standing) | {"application": application},
            version=version,
            priority=row.priority,
            created_at=row.created_at,
            id=row.pk,
            refused=session.ids([]),
            most=MAX_AHEAD,
        )
        admitted = [each for each in rows if each[5]]
        is_cut = len(rows) >= MAX_AHEAD
        if not workers:
            yield admitted, is_cut
        for worker in workers:
            if (worker.application, worker.version) == (application, version):
                yield [each for each in admitted if _can_run(worker, row, each)], is_cut


def _ahead(before: int, ties: int, is_cut: bool) -> str:
    if is_cut:
        return f"{before + ties:,} or more ahead of it"
    if not ties:
        return f"{before:,} ahead of it"
    at_once = "enqueued in the same millisecond"
    if not before:
        return f"it is one of the first {ties + 1:,}, {at_once}"
    return f"{before:,} ahead of it, and {ties:,} {at_once}"


def _can_run(worker: Executor, row: WorkflowRow, record: Row) -> bool:
    _, name, class_name, config_name, *_ = record
    other = replace(row, name=name, class_name=class_name, config_name=config_name)
    return worker.knows(other.name) and worker.has_instance_for(other)


def with_details(session: Session, standing: Standing, blocker: Blocker, now: int) -> Blocker:
    """The blocker with what one workflow's page says of it: the holders of places, the time at
    which a start is free, or how many wait for the same version."""
    settings = standing.settings
    if blocker.code in _VERSIONS and standing.row.is_waiting:
        return _with_number(session, standing.row, blocker)
    if settings is None or not blocker.code.endswith(("concurrency", "limiter")):
        return blocker
    limit = getattr(settings, blocker.code)
    if isinstance(limit, RateLimit):
        return _with_time(session, standing, blocker, limit, now) if limit.limit > 0 else blocker
    return _with_holders(session, standing, blocker) if blocker.code in _PLACES else blocker


def _with_number(session: Session, row: WorkflowRow, blocker: Blocker) -> Blocker:
    """The blocker with the bulk action on all that it holds on the queue."""
    version, most = row.application_version or "", MAX_AHEAD
    found = session.one(statements.OF_VERSION, queue=row.queue_name, version=version, most=most)
    read, same = (found[0], found[1] or 0) if found else (0, 0)
    count = str(Count(same, at_least=read >= most)) if same > 1 else ""
    return replace(blocker, remedies=(*blocker.remedies, remedies.move(row, count)))


def _with_time(
    session: Session, standing: Standing, blocker: Blocker, rate: RateLimit, now: int
) -> Blocker:
    found = session.one(
        _of_line(statements.HOLDING_START, standing, of=blocker.code),
        **_parameters(standing),
        period=rate.period_ms,
        now=now,
        before=rate.limit - 1,
    )
    return blocker if found is None else replace(blocker, until=int(found[0]) + rate.period_ms)


def _with_holders(session: Session, standing: Standing, blocker: Blocker) -> Blocker:
    rows = session.all(
        _of_line(statements.HOLDERS, standing, of=blocker.code),
        **_parameters(standing),
        most=MAX_NAMED,
    )
    own = [each for each in rows if each[2] == standing.row.application_name]
    holders = tuple(
        workflow_thing(workflow_id, name or "unnamed", since=since)
        for workflow_id, name, _, since in own
    )
    lifts = tuple(remedies.cancel_holder(each.name) for each in holders)
    return replace(
        blocker, things=(*blocker.things, *holders), remedies=(*blocker.remedies, *lifts)
    )


def _of_line(
    statements: tuple[Statement, Statement], standing: Standing, *, of: str = "partition"
) -> Statement:
    """The statement on the line that a workflow stands in, or on that of a limit."""
    settings = standing.settings
    is_partitioned = settings is not None and settings.partitioned
    return statements[is_partitioned and of.startswith("partition")]


def _parameters(standing: Standing) -> dict[str, object]:
    row = standing.row
    return {
        "queue": row.queue_name,
        "partition": row.queue_partition_key,
        "application": standing.application,
    }
