"""The table of schedules for ticker and public API. Each call is one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dboshub.schedules.engine.records import Schedule
from dboshub.schedules.storage import schedules
from dboshub.workflows.engine.records import NewWorkflow
from dboshub.workflows.storage.answering import AnsweringSessions
from dboshub.workflows.storage.database import Sessions
from dboshub.workflows.storage.journal.insert_workflow import start


class ScheduleStore:
    """The schedules of one application, or of all if None. Safe to use from any thread."""

    def __init__(self, database: Sessions, *, application: str | None) -> None:
        self._database = AnsweringSessions(database)
        self._application = application

    def create(self, schedule: Schedule) -> None:
        with self._database.writing() as session:
            schedules.create(session, schedule)

    def apply(self, wanted: Sequence[Schedule]) -> None:
        """Insert or update all schedules, or none."""
        with self._database.writing() as session:
            for schedule in wanted:
                schedules.apply(session, schedule)

    def find(self, **filters: Any) -> list[Schedule]:
        with self._database.reading() as session:
            return schedules.schedules(session, application=self._application, **filters)

    def set_status(self, name: str, status: str) -> bool:
        with self._database.writing() as session:
            return schedules.set_status(session, name, status)

    def delete(self, name: str) -> bool:
        with self._database.writing() as session:
            return schedules.delete(session, name)

    def latest_version(self, application: str | None) -> str | None:
        with self._database.reading() as session:
            return schedules.latest_version(session, application)

    def fire(self, row: NewWorkflow, inputs: str, *, fired_at: str | None) -> bool:
        """Enqueue a run and record its tick; return False if the run exists."""
        with self._database.writing() as session:
            created = start(session, row, inputs).created
            if fired_at is not None and row.schedule_name is not None:
                schedules.set_last_fired(session, row.schedule_name, fired_at)
            return created
