"""What people do to schedules: checked, performed and audited in one place, for every door.

Each works while no worker is alive. A ticker notices a change at its next look at the table, half
a minute later at most.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from dboshub.queues.storage.notify import announce
from dboshub.schedules import selectors
from dboshub.schedules.engine.calendar import INSTANT, between
from dboshub.schedules.engine.records import ACTIVE, PAUSED, Schedule
from dboshub.schedules.engine.runs import Runs
from dboshub.schedules.run_inputs import PlainCodec, is_pickle, takes_two_times
from dboshub.schedules.storage import schedules as storage
from dboshub.workflows.actions.audit import ActionRefusedError, Actor, AuditedAction, audited_action
from dboshub.workflows.engine.clock import DatabaseClock
from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.engine.records import INTERNAL_QUEUE, NewWorkflow
from dboshub.workflows.engine.serialization import Codec
from dboshub.workflows.payloads.encode import NotPlainError
from dboshub.workflows.selectors.scope import viewer_for
from dboshub.workflows.storage.fragments import LATEST_FIRST
from dboshub.workflows.storage.journal.insert_workflow import start as insert
from dboshub.workflows.storage.sql import Session, Statement

__all__ = ["PERMISSION", "backfill", "backfill_ticks", "delete", "pause", "resume", "trigger"]

PERMISSION = "dboshub_schedules.change_schedule"
MOST_TICKS = 1_000
# Locked, so that what is decided is decided about the row as it is.
LOCK = Statement(
    postgres="SELECT 1 FROM {workflow_schedules} WHERE schedule_name = :name FOR UPDATE",
    sqlite="SELECT 1 FROM {workflow_schedules} WHERE schedule_name = :name",
)
NEWEST_OWNER = Statement(f"""
    SELECT application_name
    FROM {{application_versions}}
    WHERE application_name IS NOT NULL
    ORDER BY {LATEST_FIRST}
    LIMIT 1
""")


def pause(actor: Actor, name: str, *, reason: str = "") -> None:
    """Let no tick fire until it is resumed; runs that were started go on."""
    with _acting(actor, "pause", name, reason) as act:
        if _expect(act, name).status == PAUSED:
            raise ActionRefusedError("This schedule is paused already.", "Resume it to go on.")
        storage.set_status(act.session, name, PAUSED)


def resume(actor: Actor, name: str, *, reason: str = "") -> None:
    """Go on with the next tick, after those missed if it backfills automatically."""
    with _acting(actor, "resume", name, reason) as act:
        if _expect(act, name).status == ACTIVE:
            raise ActionRefusedError("This schedule is active.", "Trigger it to run it now.")
        storage.set_status(act.session, name, ACTIVE)


def delete(actor: Actor, name: str, *, reason: str = "") -> None:
    """Remove the schedule; the runs that it started stay."""
    with _acting(actor, "delete", name, reason) as act:
        found = _expect(act, name)
        storage.delete(act.session, name)
        act.detail.update(
            schedule=found.schedule,
            workflow=found.workflow_name,
            application=found.application_name,
        )


def trigger(actor: Actor, name: str, *, reason: str = "", codec: Codec | None = None) -> str:
    """Start one run now, also of a paused schedule; return its id.

    Without a codec nothing is unpickled, and a context of more than plain data is refused.
    """
    with _acting(actor, "trigger", name, reason) as act:
        schedule = _expect_whole(act, name)
        started: list[str] = []
        runs = _runs(act, schedule, codec, started)
        with _explained():
            workflow_id = runs.trigger(schedule)
        _announce(act, schedule)
        act.detail.update(run=workflow_id)
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
    """Start a run for every tick from one moment to another that has none; return their ids.

    `expected` holds the ticks that the person was shown: refused if they are others by now.
    """
    with _acting(actor, "backfill", name, reason) as act:
        schedule = _expect_whole(act, name)
        ticks = backfill_ticks(schedule, start, end)
        if expected is not None and [tick.isoformat() for tick in ticks] != [*expected]:
            raise ActionRefusedError(
                "This schedule has other ticks now than those you were shown.",
                "Look at the preview again.",
            )
        started: list[str] = []
        runs = _runs(act, schedule, codec, started)
        with _explained():
            runs.backfill(schedule, start.astimezone(UTC) - INSTANT, end.astimezone(UTC) + INSTANT)
        _announce(act, schedule)
        act.detail.update(
            start=start.isoformat(), end=end.isoformat(), ticks=len(ticks), started=len(started)
        )
        return started


def backfill_ticks(schedule: Schedule, start: datetime, end: datetime) -> list[datetime]:
    """The ticks that a backfill would run. Raises ActionRefusedError where it would not."""
    if end > datetime.now(UTC):
        raise ActionRefusedError(
            "The end lies in the future: those ticks run by themselves.",
            "Choose an end that has passed, or trigger a run now.",
        )
    try:
        ticks = between(schedule.cron, start, end, MOST_TICKS + 1)
    except (DBOSException, ValueError, OverflowError) as error:
        said = getattr(error, "message", str(error))
        raise ActionRefusedError(
            f"This schedule has no ticks: {said}.", "Mend it in the application first."
        ) from error
    if not ticks:
        raise ActionRefusedError("There is no tick between these times.", "Choose a longer span.")
    if len(ticks) > MOST_TICKS:
        raise ActionRefusedError(
            f"There are more than {MOST_TICKS:,} ticks between these times.",
            "Choose a shorter span, and backfill the rest afterwards.",
        )
    return ticks


class StartedRuns:
    """The port of Runs on the action's own transaction; notes what did not run before."""

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


def _runs(act: AuditedAction, schedule: Schedule, codec: Codec | None, started: list[str]) -> Runs:
    if not is_pickle(schedule):
        raise ActionRefusedError(
            "Its context is not in Python's format, so only its application can write what a run "
            "is given.",
            "Do it in the application: DBOS.trigger_schedule and DBOS.backfill_schedule.",
        )
    codec = codec or PlainCodec()
    _expect_readable(schedule, codec)
    owner = schedule.application_name or _newest_owner(act.session)
    now, viewer = datetime.now(UTC), viewer_for(act.actor.user)
    with _explained():
        recorded = selectors.recorded(act.session, schedule, now, viewer)
    two_times = takes_two_times(schedule, recorded)
    return Runs(
        StartedRuns(act.session, started),
        DatabaseClock(),
        codec,
        application=owner,
        takes_actual_time={schedule.schedule_name} if two_times else (),
    )


def _expect_readable(schedule: Schedule, codec: Codec) -> None:
    try:
        codec.decode(schedule.context, None)
    except NotPlainError as error:
        raise ActionRefusedError(
            "Its context holds more than plain data, and a page loads no stored objects.",
            "Do it in a terminal where the application's code is at hand: manage.py schedule.",
        ) from error
    except Exception as error:
        # Unpickling raises whatever a class or a damaged pickle makes of it.
        raise ActionRefusedError(
            f"Its context cannot be read here: {error}.",
            "Do it where the application's modules can be imported.",
        ) from error


def _newest_owner(session: Session) -> str:
    row = session.one(NEWEST_OWNER)
    if row is None:
        raise ActionRefusedError(
            "No application owns this schedule, and none has registered a version.",
            "Start a worker of the application once, then try again.",
        )
    return str(row[0])


@contextmanager
def _acting(actor: Actor, action: str, name: str, reason: str) -> Iterator[AuditedAction]:
    with audited_action(
        actor, action, "schedule", name, permission=PERMISSION, reason=reason
    ) as act:
        yield act


def _expect(act: AuditedAction, name: str) -> Schedule:
    """The schedule without its context, locked; refused if the person does not know of it."""
    found = None
    if "\x00" not in name:
        act.session.all(LOCK, name=name)
        found = selectors.one(act.session, name, viewer_for(act.actor.user))
    if found is None:
        raise ActionRefusedError(
            f"There is no schedule {name!r}.", "Reload the page: it may have been deleted."
        )
    return found


def _expect_whole(act: AuditedAction, name: str) -> Schedule:
    _expect(act, name)
    return storage.schedules(act.session, application=None, names=[name])[0]


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except DBOSException as error:
        said = f"{error.message[:1].upper()}{error.message[1:]}."
        raise ActionRefusedError(said, "Start a worker of the application once.") from error


def _announce(act: AuditedAction, schedule: Schedule) -> None:
    announce(act.session, [schedule.queue_name or INTERNAL_QUEUE])
