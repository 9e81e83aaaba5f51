"""Schedules and their runs as pages show them: bounded reads, and never a context unasked."""

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
from dboshub.workflows.selectors.scope import Viewer
from dboshub.workflows.storage.sql import Session, Statement, cached_statement

PAGE = 25
HISTORY_TICKS = 30
MOST_COUNTED = 10_000
LARGEST = 64 * 1_024
IDS_AT_ONCE = 2_000

COLUMNS = tuple(field.name for field in fields(Schedule) if field.name != "context")
NAMES = ", ".join(COLUMNS)

TOTALS = Statement(f"""
    SELECT status, COUNT(*)
    FROM (SELECT status FROM {{workflow_schedules}} LIMIT {MOST_COUNTED}) AS counted
    GROUP BY status
""")
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
    """Some schedules by name; `after` is where the next page begins, if there is one."""

    schedules: list[Schedule]
    after: str = ""


def page(
    session: Session, viewer: Viewer, *, after: str = "", status: str = "", prefix: str = ""
) -> Page:
    """One page of the schedules that the viewer may see."""
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
    # No stored text holds a NUL, and PostgreSQL would fail on the question.
    if "\x00" in name:
        return None
    text = f"SELECT {NAMES} FROM {{workflow_schedules}} WHERE schedule_name = :name"
    row = session.one(cached_statement(text), name=name)
    found = None if row is None else _schedule(row)
    return found if found and viewer.may_see(found.application_name) else None


def totals(session: Session) -> dict[str, int]:
    """How many schedules have which status, among the first MOST_COUNTED."""
    return {row[0]: row[1] for row in session.all(TOTALS)}


def context(session: Session, name: str) -> tuple[int, Node | None]:
    """The size of what each run is given, and its tree unless it is too large for a page."""
    row = session.one(CONTEXT, name=name, most=LARGEST)
    if row is None:
        return 0, None
    return row[0], None if row[1] is None else readable(row[1], None)


def run_ids(name: str, tick: datetime) -> tuple[str, str]:
    """The ids a tick's run can have: Python writes the schedule's zone, TypeScript UTC."""
    zulu = tick.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return f"sched-{name}-{tick.isoformat()}", f"sched-{name}-{zulu}"


def runs(session: Session, ids: Iterable[str], viewer: Viewer) -> dict[str, WorkflowRow]:
    """Which of these runs there are: probes of the primary key alone."""
    wanted = [*ids]
    found: dict[str, WorkflowRow] = {}
    for start in range(0, len(wanted), IDS_AT_ONCE):
        found |= rows_by_id(session, wanted[start : start + IDS_AT_ONCE], viewer=viewer)
    return found


def recorded(session: Session, schedule: Schedule, now: datetime, viewer: Viewer) -> Node | None:
    """What the latest of its recent runs was given, as an inert tree."""
    ids = [
        each
        for tick in reversed(newest(schedule.cron, now, HISTORY_TICKS))
        for each in run_ids(schedule.schedule_name, tick)
    ]
    found = runs(session, ids, viewer)
    latest = next((found[each] for each in ids if each in found), None)
    if latest is None:
        return None
    row = session.one(INPUTS, id=latest.pk, most=LARGEST)
    return None if row is None else read(row[0], latest.serialization)


def _schedule(row: Sequence[Any]) -> Schedule:
    values = dict(zip(COLUMNS, row, strict=True))
    values["automatic_backfill"] = bool(values["automatic_backfill"])
    return Schedule(**values, context="")
