"""Schedules and their runs for pages: bounded reads, which load a context only on request."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

from dboshub.schedules.engine.calendar import newest
from dboshub.schedules.engine.records import Schedule
from dboshub.workflows.payloads import read
from dboshub.workflows.payloads.redacted import readable
from dboshub.workflows.payloads.tree import Node
from dboshub.workflows.selectors.rows import WorkflowRow, rows_by_id
from dboshub.workflows.selectors.scope import Viewer, all_in_scope
from dboshub.workflows.storage.sql import Session, Statement, cached_statement

PAGE = 25
HISTORY_TICKS = 30
MAX_COUNTED = 10_000
MAX_BYTES = 64 * 1_024
MAX_IDS = 2_000

COLUMNS = tuple(field.name for field in fields(Schedule) if field.name != "context")
NAMES = ", ".join(COLUMNS)

TOTALS = f"""
    SELECT status, COUNT(*)
    FROM (SELECT status FROM {{workflow_schedules}} WHERE SCOPE LIMIT {MAX_COUNTED}) AS counted
    GROUP BY status
"""
CONTEXT = Statement("""
    SELECT LENGTH(context), CASE WHEN LENGTH(context) <= :most THEN context END
    FROM {workflow_schedules}
    WHERE schedule_name = :name
""")
INPUTS = Statement("""
    SELECT inputs FROM {workflow_input} WHERE workflow_uuid = :id AND LENGTH(inputs) <= :most
""")


@dataclass(frozen=True, slots=True)
class Page:
    """Schedules by name. `after` is the cursor of the next page, empty if there is none."""

    schedules: list[Schedule]
    after: str = ""


def page(
    session: Session, viewer: Viewer, *, after: str = "", status: str = "", prefix: str = ""
) -> Page:
    """One page of the schedules in the viewer's scope."""
    scope, values = viewer.scope()
    conditions = ["schedule_name > :after", scope]
    params = {"after": after, "most": PAGE + 1, **values}
    if status:
        conditions.append("status = :status")
        params["status"] = status
    if prefix:
        conditions.append("SUBSTR(schedule_name, 1, LENGTH(:prefix)) = :prefix")
        params["prefix"] = prefix
    text = (
        f"SELECT {NAMES} FROM {{workflow_schedules}} WHERE {' AND '.join(conditions)} "
        "ORDER BY schedule_name LIMIT :most"
    )
    found = [_schedule(row) for row in session.all(cached_statement(text), **params)]
    more = len(found) > PAGE
    return Page(found[:PAGE], found[PAGE - 1].schedule_name if more else "")


def one(session: Session, name: str, viewer: Viewer) -> Schedule | None:
    """A schedule by name, without its context."""
    # No stored text contains a NUL, and PostgreSQL rejects it as a parameter.
    if "\x00" in name:
        return None
    text = f"SELECT {NAMES} FROM {{workflow_schedules}} WHERE schedule_name = :name"
    row = session.one(cached_statement(text), name=name)
    found = None if row is None else _schedule(row)
    return found if found and viewer.may_see(found.application_name) else None


def totals(session: Session, viewer: Viewer) -> dict[str, int]:
    """The number of schedules by status, among the first MAX_COUNTED that the viewer sees."""
    return {row[0]: row[1] for row in all_in_scope(session, TOTALS, viewer)}


def context(session: Session, name: str) -> tuple[int, Node | None]:
    """The size of a context in characters, and its tree unless it exceeds MAX_BYTES."""
    row = session.one(CONTEXT, name=name, most=MAX_BYTES)
    if row is None:
        return 0, None
    return row[0], None if row[1] is None else readable(row[1], None)


def run_ids(name: str, tick: datetime) -> tuple[str, str]:
    """The possible ids of a tick's run: Python writes the schedule's time zone, TypeScript UTC."""
    zulu = tick.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return f"sched-{name}-{tick.isoformat()}", f"sched-{name}-{zulu}"


def runs(session: Session, ids: Iterable[str], viewer: Viewer) -> dict[str, WorkflowRow]:
    """The existing runs among these ids, by id. It searches only the primary key."""
    wanted = [*ids]
    found: dict[str, WorkflowRow] = {}
    for start in range(0, len(wanted), MAX_IDS):
        found |= rows_by_id(session, wanted[start : start + MAX_IDS], viewer=viewer)
    return found


def recorded(session: Session, schedule: Schedule, now: datetime, viewer: Viewer) -> Node | None:
    """The input of its latest run among the recent ticks, as an inert tree, or None."""
    ids = [
        each
        for tick in reversed(newest(schedule.cron, now, HISTORY_TICKS))
        for each in run_ids(schedule.schedule_name, tick)
    ]
    found = runs(session, ids, viewer)
    latest = next((found[each] for each in ids if each in found), None)
    if latest is None:
        return None
    row = session.one(INPUTS, id=latest.pk, most=MAX_BYTES)
    return None if row is None else read(row[0], latest.serialization)


def _schedule(row: Sequence[Any]) -> Schedule:
    values = dict(zip(COLUMNS, row, strict=True))
    values["automatic_backfill"] = bool(values["automatic_backfill"])
    return Schedule(**values, context="")
