"""Start the workflows of schedules: the workflow id makes one run for each schedule and tick."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any, Protocol

from dboshub.schedules.engine.cron import aware
from dboshub.schedules.engine.records import Schedule
from dboshub.workflows.engine.clock import Clock
from dboshub.workflows.engine.error_text import summary
from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.engine.records import INTERNAL_QUEUE, NewWorkflow, Status
from dboshub.workflows.engine.serialization import Codec


class FiringStore(Protocol):
    def latest_version(self, application: str | None) -> str | None:
        """The version that executes the scheduled runs of an application."""

    def fire(self, row: NewWorkflow, inputs: str, *, fired_at: str | None) -> bool:
        """Enqueue a run and record its tick; return False if its id exists."""


class Runs:
    """Starts runs of schedules.

    `takes_actual_time` names the schedules whose workflow gets the actual time as its second
    argument, as `@DBOS.scheduled` of 2.x passes it; the others get the context.
    """

    def __init__(
        self,
        store: FiringStore,
        clock: Clock,
        codec: Codec,
        *,
        application: str | None,
        takes_actual_time: Collection[str] = (),
    ) -> None:
        self._store = store
        self._clock = clock
        self._codec = codec
        self._application = application
        self._takes_actual_time = takes_actual_time

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC)

    def tick(self, schedule: Schedule, at: datetime) -> str | None:
        """Start the run of a tick; return its queue, or None if the run exists."""
        return self._start(schedule, f"sched-{schedule.schedule_name}-{at.isoformat()}", at, True)

    def trigger(self, schedule: Schedule) -> str:
        """Start a run now, without a tick, also of a paused schedule; return its id."""
        now = self.now()
        workflow_id = f"sched-{schedule.schedule_name}-trigger-{now.isoformat()}"
        self._start(schedule, workflow_id, now, False)
        return workflow_id

    def backfill(self, schedule: Schedule, start: datetime, end: datetime) -> list[str]:
        """Start missing runs for all ticks strictly between two times; return all their ids."""
        ids = []
        for at in schedule.cron.between(aware(start), aware(end)):
            ids.append(f"sched-{schedule.schedule_name}-{at.isoformat()}")
            self._start(schedule, ids[-1], at, False)
        return ids

    def _start(
        self, schedule: Schedule, workflow_id: str, at: datetime, is_tick: bool
    ) -> str | None:
        owner = schedule.application_name or self._application
        version = self._store.latest_version(owner)
        if version is None and owner is not None:
            raise DBOSException(
                f"schedule {schedule.schedule_name!r} starts no run: application {owner!r} has no "
                "registered version, so no executor could run it"
            )
        now = self._clock.now_ms()
        queue = schedule.queue_name or INTERNAL_QUEUE
        row = NewWorkflow(
            workflow_uuid=workflow_id,
            status=Status.ENQUEUED,
            name=schedule.workflow_name,
            class_name=schedule.workflow_class_name,
            created_at=now,
            updated_at=now,
            application_version=version,
            application_name=owner,
            queue_name=queue,
            schedule_name=schedule.schedule_name,
        )
        inputs = self._inputs(schedule, at)
        created = self._store.fire(row, inputs, fired_at=at.isoformat() if is_tick else None)
        return queue if created else None

    def _inputs(self, schedule: Schedule, at: datetime) -> str:
        try:
            # The row names no serialization format, so readers expect the configured one.
            return self._codec.encode({"args": self._arguments(schedule, at), "kwargs": {}})
        except Exception as error:
            raise DBOSException(
                f"schedule {schedule.schedule_name!r} starts no run: its context cannot be read: "
                f"{summary(error)}"
            ) from error

    def _arguments(self, schedule: Schedule, at: datetime) -> tuple[Any, Any]:
        if schedule.schedule_name in self._takes_actual_time:
            return at, self.now()
        return at, self._codec.decode(schedule.context, None)


def first_tick_after(schedule: Schedule, now: datetime) -> datetime:
    """The time before the first tick: now or, with automatic backfill, the last tick that ran.

    Raises ValueError if the row's `last_fired_at` is not a time.
    """
    if not schedule.automatic_backfill or schedule.last_fired_at is None:
        return now
    return min(now, aware(datetime.fromisoformat(schedule.last_fired_at)))
