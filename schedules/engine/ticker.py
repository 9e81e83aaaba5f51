"""The ticker: one thread that fires every schedule of the application when it is due.

Any number of processes tick; the id of a run decides who fired first. While a process lives no
tick is skipped, however late it comes.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from schedules.engine.cron import Cron
from schedules.engine.records import ACTIVE, Schedule
from schedules.engine.runs import Runs, missed
from workflows.engine.errors import DBOSException

logger = logging.getLogger("dboshub.schedules")

FIRST_INTERVAL_S = 1.0
FIRST_PERIOD_S = 60.0
# Processes that reach a tick together would only wait for each other.
MOST_JITTER_S = 0.2


class ScheduleTable(Protocol):
    def find(self, *, statuses: Sequence[str]) -> list[Schedule]: ...


class Loop:
    """One active schedule, and its next tick."""

    def __init__(self, schedule: Schedule, cron: Cron, now: datetime) -> None:
        self.schedule = schedule
        self.cron = cron
        self.due = cron.after(now)
        self._jitter = 0.0
        self.rest(now)

    def rest(self, now: datetime) -> None:
        wait = max(0.0, (self.due - now).total_seconds())
        self._jitter = random.uniform(0, min(wait / 10, MOST_JITTER_S))  # noqa: S311

    def seconds_left(self, now: datetime) -> float:
        return (self.due - now).total_seconds() + self._jitter


class Ticker:
    """`enqueued` is told the queue of every run that this process fired."""

    def __init__(
        self,
        table: ScheduleTable,
        runs: Runs,
        *,
        enqueued: Callable[[str], None],
        interval: float = 30.0,
    ) -> None:
        self._table = table
        self._runs = runs
        self._enqueued = enqueued
        self._interval = interval
        self._loops: dict[str, Loop] = {}
        self._began: datetime | None = None
        self._reload_at: datetime | None = None
        self._wake = threading.Event()
        self._over = False
        self._failing = False
        self._refused: set[str] = set()
        self._thread = threading.Thread(target=self._run, name="dboshub-ticker", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float = 5) -> None:
        self._over = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def wake(self) -> None:
        """A schedule was changed here: look at the table now."""
        self._reload_at = None
        self._wake.set()

    def turn(self) -> float:
        """Reload if it is time, fire what is due; the seconds until there is more to do."""
        now = self._runs.now()
        self._began = self._began or now
        if self._reload_at is None or now >= self._reload_at:
            self._reload(now)
        for loop in [*self._loops.values()]:
            while loop.seconds_left(now) <= 0:
                self._fire(loop.schedule, loop.due)
                loop.due = loop.cron.after(loop.due)
                loop.rest(now)
        now = self._runs.now()
        left = [loop.seconds_left(now) for loop in self._loops.values()]
        if self._reload_at is not None:
            left.append((self._reload_at - now).total_seconds())
        return max(0.0, min(left, default=0.0))

    def _run(self) -> None:
        while not self._over:
            try:
                pause = self.turn()
            except Exception as error:
                if not self._failing:
                    logger.warning("schedules wait for the database: %s", error)
                self._failing, pause = True, 1.0
            else:
                self._failing = False
            self._wake.wait(pause)
            self._wake.clear()

    def _reload(self, now: datetime) -> None:
        found = {each.schedule_name: each for each in self._table.find(statuses=[ACTIVE])}
        for name in [*self._loops]:
            if name not in found:
                del self._loops[name]
        for name, schedule in found.items():
            known = self._loops.get(name)
            if known is None:
                self._begin(schedule, now, makes_up=True)
            elif known.schedule.definition != schedule.definition:
                self._begin(schedule, now, makes_up=False)
        self._reload_at = self._next_reload(now)

    def _next_reload(self, now: datetime) -> datetime:
        assert self._began is not None
        is_new = (now - self._began).total_seconds() < FIRST_PERIOD_S
        return now + timedelta(seconds=FIRST_INTERVAL_S if is_new else self._interval)

    def _begin(self, schedule: Schedule, now: datetime, *, makes_up: bool) -> None:
        try:
            loop = Loop(schedule, schedule.cron, now)
        except DBOSException as error:
            # A foreign row may hold anything; it must not stop the others.
            if schedule.schedule_name not in self._refused:
                self._refused.add(schedule.schedule_name)
                logger.warning("schedule %r does not run: %s", schedule.schedule_name, error)
            return
        for at in missed(schedule, now) if makes_up else ():
            self._fire(schedule, at)
        self._loops[schedule.schedule_name] = loop

    def _fire(self, schedule: Schedule, at: datetime) -> None:
        try:
            queue = self._runs.tick(schedule, at)
        except DBOSException as error:
            logger.warning("tick %s is lost: %s", at.isoformat(), error)
            return
        if queue is not None:
            self._enqueued(queue)
