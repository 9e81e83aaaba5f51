"""Actions of people on schedules: permission, precondition, effect and audit row.

No worker needs to run for them. Tickers read the table of schedules every half a minute.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from dboshub.queues.storage.notify import announce
from dboshub.schedules import selectors
from dboshub.schedules.checks import (
    PERMISSION,
    require_schedule,
    require_whole_schedule,
    schedule_action,
    sentence,
)
from dboshub.schedules.engine.calendar import INSTANT, between
from dboshub.schedules.engine.records import ACTIVE, PAUSED, Schedule
from dboshub.schedules.engine.runs import Runs
from dboshub.schedules.run_inputs import PlainCodec, is_pickle, takes_two_times
from dboshub.schedules.storage import schedules as storage
from dboshub.workflows.actions.audit import ActionRefusedError, Actor, AuditedAction
from dboshub.workflows.engine.clock import DatabaseClock
from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.engine.records import INTERNAL_QUEUE, NewWorkflow
from dboshub.workflows.engine.serialization import Codec
from dboshub.workflows.invocation import command
from dboshub.workflows.payloads.encode import NotPlainError
from dboshub.workflows.selectors.scope import all_in_scope, viewer_for
from dboshub.workflows.storage.database_clock import adjust
from dboshub.workflows.storage.fragments import LATEST_FIRST
from dboshub.workflows.storage.journal.insert_workflow import start as insert
from dboshub.workflows.storage.sql import Session

__all__ = ["PERMISSION", "backfill", "backfill_ticks", "delete", "pause", "resume", "trigger"]

MAX_TICKS = 1_000  # of one backfill
NEWEST_OWNER = f"""
    SELECT application_name
    FROM {{application_versions}}
    WHERE application_name IS NOT NULL AND SCOPE
    ORDER BY {LATEST_FIRST}
    LIMIT 1
"""


def pause(actor: Actor, name: str, *, reason: str = "") -> None:
    """Pause a schedule: no tick starts a run. Runs that were started continue."""
    with schedule_action(actor, "pause", name, reason=reason) as action:
        if require_schedule(action, name).status == PAUSED:
            raise ActionRefusedError("This schedule is paused already.", "Resume it to continue.")
        storage.set_status(action.session, name, PAUSED)


def resume(actor: Actor, name: str, *, reason: str = "") -> None:
    """Resume a paused schedule; with automatic backfill its missed ticks run first."""
    with schedule_action(actor, "resume", name, reason=reason) as action:
        if require_schedule(action, name).status == ACTIVE:
            raise ActionRefusedError("This schedule is active.", "Trigger it to run it now.")
        storage.set_status(action.session, name, ACTIVE)


def delete(actor: Actor, name: str, *, reason: str = "") -> None:
    """Delete a schedule. Its runs are kept."""
    with schedule_action(actor, "delete", name, reason=reason) as action:
        found = require_schedule(action, name)
        storage.delete(action.session, name)
        action.detail.update(
            schedule=found.schedule,
            workflow=found.workflow_name,
            application=found.application_name,
        )


def trigger(actor: Actor, name: str, *, reason: str = "", codec: Codec | None = None) -> str:
    """Start a run of an active or paused schedule now; return the run's workflow id.

    Without a codec nothing is unpickled, and a context that is not plain data is refused.
    """
    with schedule_action(actor, "trigger", name, reason=reason) as action:
        schedule = require_whole_schedule(action, name)
        runs = _runs(action, schedule, codec, [])
        with _refusing():
            workflow_id = runs.trigger(schedule)
        _announce(action, schedule)
        action.detail.update(run=workflow_id)
        return workflow_id


def backfill(
    actor: Actor,
    name: str,
    start: datetime,
    end: datetime,
    *,
    expected: Sequence[str] | None = None,
    reason: str = "",
    codec: Codec | None = None,
) -> list[str]:
    """Start a run for every tick from `start` to `end` that has none; return the new workflow ids.

    Both times are included. `expected` holds the ticks that the person was shown, in ISO format:
    the action is refused if they have changed.
    """
    with schedule_action(actor, "backfill", name, reason=reason) as action:
        schedule = require_whole_schedule(action, name)
        ticks = backfill_ticks(schedule, start, end)
        if expected is not None and [tick.isoformat() for tick in ticks] != [*expected]:
            raise ActionRefusedError(
                "This schedule has other ticks now than those you were shown.",
                "Look at the preview again.",
            )
        started: list[str] = []
        runs = _runs(action, schedule, codec, started)
        with _refusing():
            runs.backfill(schedule, start.astimezone(UTC) - INSTANT, end.astimezone(UTC) + INSTANT)
        _announce(action, schedule)
        action.detail.update(
            start=start.isoformat(), end=end.isoformat(), ticks=len(ticks), started=len(started)
        )
        return started


def backfill_ticks(schedule: Schedule, start: datetime, end: datetime) -> list[datetime]:
    """The ticks of a backfill. Raises ActionRefusedError if the backfill would be refused."""
    if end > datetime.now(UTC):
        raise ActionRefusedError(
            "The end is in the future: those ticks run without a backfill.",
            "Choose an end in the past, or trigger a run now.",
        )
    try:
        ticks = between(schedule.cron, start, end, MAX_TICKS + 1)
    except (DBOSException, ValueError, OverflowError) as error:
        cause = getattr(error, "message", str(error))
        raise ActionRefusedError(
            f"This schedule has no ticks: {cause}.", "Correct it in the application first."
        ) from error
    if not ticks:
        raise ActionRefusedError("There is no tick between these times.", "Choose a longer span.")
    if len(ticks) > MAX_TICKS:
        raise ActionRefusedError(
            f"There are more than {MAX_TICKS:,} ticks between these times.",
            "Choose a shorter span, and backfill the rest afterwards.",
        )
    return ticks


class ActionRuns:
    """The store of `Runs` in the action's transaction; adds the ids of new runs to `started`."""

    def __init__(self, session: Session, started: list[str]) -> None:
        self._session = session
        self._started = started
        self._versions: dict[str | None, str | None] = {}

    def latest_version(self, application: str | None) -> str | None:
        if application not in self._versions:
            self._versions[application] = storage.latest_version(self._session, application)
        return self._versions[application]

    def fire(self, row: NewWorkflow, inputs: str, *, fired_at: str | None) -> bool:
        created = insert(self._session, row, inputs).created
        if created:
            self._started.append(row.workflow_uuid)
        return created


def _runs(
    action: AuditedAction, schedule: Schedule, codec: Codec | None, started: list[str]
) -> Runs:
    if not is_pickle(schedule):
        raise ActionRefusedError(
            "Its context is not in Python's format, so only its application can write the input of "
            "a run.",
            "Do it in the application: DBOS.trigger_schedule and DBOS.backfill_schedule.",
        )
    codec = codec or PlainCodec()
    _require_readable(schedule, codec)
    owner = schedule.application_name or _newest_owner(action)
    now, viewer = datetime.now(UTC), viewer_for(action.actor.user)
    with _refusing():
        recorded = selectors.recorded(action.session, schedule, now, viewer)
    two_times = takes_two_times(schedule, recorded)
    return Runs(
        ActionRuns(action.session, started),
        adjust(DatabaseClock(), action.session),
        codec,
        application=owner,
        takes_actual_time={schedule.schedule_name} if two_times else (),
    )


def _require_readable(schedule: Schedule, codec: Codec) -> None:
    try:
        codec.decode(schedule.context, None)
    except NotPlainError as error:
        raise ActionRefusedError(
            "Its context is not plain data, and pages do not unpickle stored objects.",
            "Do it in a terminal where the application's code is installed: "
            f"{command('schedule')}.",
        ) from error
    except Exception as error:
        # Unpickling calls classes of the application, which may raise anything.
        raise ActionRefusedError(
            f"Its context cannot be read here: {error}.",
            "Do it where the application's modules can be imported.",
        ) from error


def _newest_owner(action: AuditedAction) -> str:
    """The application that runs a schedule without one: never one that the actor may not see."""
    rows = all_in_scope(action.session, NEWEST_OWNER, viewer_for(action.actor.user))
    if not rows:
        raise ActionRefusedError(
            "No application owns this schedule, and none of yours has registered a version.",
            "Start a worker of the application once, then try again.",
        )
    return str(rows[0][0])


@contextmanager
def _refusing() -> Iterator[None]:
    """Raise ActionRefusedError for an error of the engine."""
    try:
        yield
    except DBOSException as error:
        advice = "Start a worker of the application once."
        raise ActionRefusedError(sentence(error), advice) from error


def _announce(action: AuditedAction, schedule: Schedule) -> None:
    announce(action.session, [schedule.queue_name or INTERNAL_QUEUE])
