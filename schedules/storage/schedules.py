"""The table of schedules: create, read, change and delete schedules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any

from dboshub.schedules.engine.cron import aware
from dboshub.schedules.engine.records import Schedule
from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.storage import fragments
from dboshub.workflows.storage.ownership import owned_by_another
from dboshub.workflows.storage.sql import Session, Statement, cached_statement

COLUMNS = tuple(field.name for field in fields(Schedule))
_NAMES = ", ".join(COLUMNS)
_GIVEN = ", ".join(f":{name}" for name in COLUMNS)

INSERT = Statement(
    f"""
    INSERT INTO {{workflow_schedules}} ({_NAMES})
    VALUES ({_GIVEN})
    ON CONFLICT (schedule_name) DO NOTHING
    """
)

# A declaration keeps id, status and last tick of an existing row.
UPDATE = Statement(
    """
    UPDATE {workflow_schedules}
    SET workflow_name = :workflow_name,
        workflow_class_name = :workflow_class_name,
        schedule = :schedule,
        context = :context,
        automatic_backfill = :automatic_backfill,
        cron_timezone = :cron_timezone,
        queue_name = :queue_name,
        application_name = COALESCE(application_name, :application_name)
    WHERE schedule_name = :schedule_name
        AND (application_name = :application_name OR application_name IS NULL)
    """
)

OWNER = Statement(
    "SELECT application_name FROM {workflow_schedules} WHERE schedule_name = :schedule_name"
)
SET_STATUS = Statement(
    "UPDATE {workflow_schedules} SET status = :status WHERE schedule_name = :schedule_name"
)
DELETE = Statement("DELETE FROM {workflow_schedules} WHERE schedule_name = :schedule_name")

LAST_FIRED = Statement(
    f"""
    SELECT last_fired_at, {fragments.CLOCK_MS}
    FROM {{workflow_schedules}}
    WHERE schedule_name = :schedule_name
    FOR NO KEY UPDATE
    """
)
SET_LAST_FIRED = Statement(
    """
    UPDATE {workflow_schedules}
    SET last_fired_at = :fired_at
    WHERE schedule_name = :schedule_name
    """
)

LATEST_VERSION = Statement(fragments.LATEST_VERSION)


def create(session: Session, schedule: Schedule) -> None:
    """Insert a schedule. Raises DBOSException if the name exists, and names its owner."""
    if not session.run(INSERT, **asdict(schedule)):
        raise _name_conflict(session, schedule)


def apply(session: Session, schedule: Schedule) -> None:
    """Insert or update a schedule by name; an existing one keeps id, status and last tick.

    Raises DBOSException if another application owns the name.
    """
    if session.run(INSERT, **asdict(schedule)):
        return
    kept = ("schedule_id", "status", "last_fired_at")
    given = {key: value for key, value in asdict(schedule).items() if key not in kept}
    if not session.run(UPDATE, **given):
        raise _name_conflict(session, schedule)


def schedules(
    session: Session,
    *,
    application: str | None,
    names: Sequence[str] | None = None,
    statuses: Sequence[str] | None = None,
    workflow_names: Sequence[str] | None = None,
    prefixes: Sequence[str] | None = None,
    applications: Sequence[str] | None = None,
) -> list[Schedule]:
    """Schedules of an application, or of `applications`, and those without an owner, by name.

    With neither, the schedules of all applications are read. None for a filter means any value.
    """
    conditions: list[str] = []
    params: dict[str, Any] = {}
    for column, values in (
        ("schedule_name", names),
        ("status", statuses),
        ("workflow_name", workflow_names),
    ):
        if values is not None:
            conditions.append(f"{column} = ANY(:{column})")
            params[column] = session.ids(values)
    if applications:
        conditions.append("(application_name = ANY(:applications) OR application_name IS NULL)")
        params["applications"] = session.ids(applications)
    elif applications is None and application is not None:
        conditions.append("(application_name = :own OR application_name IS NULL)")
        params["own"] = application
    if prefixes is not None:
        conditions.append(_prefixed(prefixes, params))
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    text = f"SELECT {_NAMES} FROM {{workflow_schedules}} {where} ORDER BY schedule_name"
    return [_schedule(row) for row in session.all(cached_statement(text), **params)]


def set_status(session: Session, name: str, status: str) -> bool:
    """Set the status; return False if there is no schedule of this name."""
    return bool(session.run(SET_STATUS, schedule_name=name, status=status))


def delete(session: Session, name: str) -> bool:
    return bool(session.run(DELETE, schedule_name=name))


def set_last_fired(session: Session, name: str, fired_at: str) -> None:
    """Record a tick, in ISO 8601 format, unless a later one is recorded.

    Every process that reaches a tick records it, also if the run exists, and some come late.
    """
    row = session.one(LAST_FIRED, schedule_name=name)
    if row is not None and not _is_later(row[0], fired_at, now_ms=int(row[1])):
        session.run(SET_LAST_FIRED, schedule_name=name, fired_at=fired_at)


def latest_version(session: Session, application: str | None) -> str | None:
    """The latest version of an application, which executes its scheduled runs."""
    row = session.one(LATEST_VERSION, application=application)
    return None if row is None else row[0]


def _is_later(recorded: str | None, fired_at: str, *, now_ms: int) -> bool:
    """Whether a later tick is recorded. Another program may have written no time, or the future."""
    try:
        known = datetime.fromisoformat(recorded or "")
    except ValueError:
        return False
    now = datetime.fromtimestamp(now_ms / 1000, UTC)
    return aware(datetime.fromisoformat(fired_at)) < aware(known) <= now


def _schedule(row: Sequence[Any]) -> Schedule:
    values = dict(zip(COLUMNS, row, strict=True))
    values["automatic_backfill"] = bool(values["automatic_backfill"])
    return Schedule(**values)


def _name_conflict(session: Session, schedule: Schedule) -> DBOSException:
    row = session.one(OWNER, schedule_name=schedule.schedule_name)
    owner = None if row is None else row[0]
    if owner is not None and owner != schedule.application_name:
        name = schedule.schedule_name
        return owned_by_another("Schedule", name, owner, schedule.application_name)
    return DBOSException(
        f"Schedule {schedule.schedule_name!r} already exists: apply_schedules changes it, "
        "delete_schedule removes it"
    )


def _prefixed(prefixes: Sequence[str], params: dict[str, Any]) -> str:
    parts = []
    for number, prefix in enumerate(prefixes):
        name = f"prefix_{number}"
        params[name] = prefix
        parts.append(f"SUBSTR(schedule_name, 1, LENGTH(:{name})) = :{name}")
    return f"({' OR '.join(parts) or 'FALSE'})"
