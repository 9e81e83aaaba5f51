"""The ticker: one thread that starts the runs of all schedules of an application at their ticks.

Any number of processes run a ticker; the run's workflow id makes only the first start effective.
Of several ticks that a process missed while it was suspended or without database, the latest alone
runs; with automatic backfill all of them run.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from dboshub.schedules.engine.calendar import newest
from dboshub.schedules.engine.records import ACTIVE, Schedule
from dboshub.schedules.engine.runs import Runs, first_tick_after
from dboshub.schedules.engine.schedule_registry import ScheduleTable
from dboshub.workflows.engine.background import BackgroundLoop
from dboshub.workflows.engine.errors import DBOSException

logger = logging.getLogger("dboshub.schedules")

FIRST_INTERVAL_S = 1.0
FIRST_PERIOD_S = 60.0
# Spreads the processes that reach the same tick at the same time.
MAX_JITTER_S = 0.2
RETRIES_S = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
# Ticks of one schedule before the others are served, so that missed ticks do not delay them.
MAX_TICKS_AT_ONCE = 100
# A tick that is later than this is missed if the next one is due as well.
MISSED_AFTER = timedelta(seconds=1)


class ActiveSchedule:
    """One active schedule and its next tick."""

    def __init__(self, schedule: Schedule, *, after: datetime, now: datetime) -> None:
        self.schedule = schedule
        self.cron = schedule.cron
        self.due = self.cron.after(after)
        self.failures = 0
        self._pause = 0.0
        self.draw_jitter(now)

    def draw_jitter(self, now: datetime) -> None:
        """Choose a random delay of the next tick, at most a tenth of the time until then."""
        wait = max(0.0, (self.due - now).total_seconds())
        self._pause = random.uniform(0, min(wait / 10, MAX_JITTER_S))

    def advance(self, now: datetime) -> None:
        """Wait for the tick after the present one."""
        self.due = self.cron.after(self.due)
        self.failures = 0
        self.draw_jitter(now)

    def skip_missed(self, now: datetime) -> bool:
        """Without automatic backfill, go on to the latest tick that is due; whether it moved."""
        if self.schedule.automatic_backfill or now - self.due <= MISSED_AFTER:
            return False
        due = newest(self.cron, now, 1)
        if not due or due[0].astimezone(UTC) <= self.due.astimezone(UTC):
            return False
        self.due = due[0]
        return True

    def retry(self, now: datetime) -> None:
        """Try the same tick again after a delay that grows with each failure."""
        late = max(0.0, (now - self.due).total_seconds())
        self._pause = late + RETRIES_S[min(self.failures, len(RETRIES_S) - 1)]
        self.failures += 1

    def seconds_left(self, now: datetime) -> float:
        return (self.due - now).total_seconds() + self._pause


class Ticker:
    """Starts runs in a thread; calls `enqueued` with the queue of every run that it started.

    `interval` is how often it reads the table of schedules, in seconds.
    """

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
        self._schedules: dict[str, ActiveSchedule] = {}
        self._began_at: datetime | None = None
        self._reload_at: datetime | None = None
        # What was last said of each schedule that starts no run.
        self._said: dict[str, str] = {}
        self._loop = BackgroundLoop("ticker", "Starting runs of schedules", self.run_due)

    def start(self) -> None:
        self._loop.start()

    def stop(self, timeout: float = 5) -> None:
        self._loop.stop(timeout)

    def wake(self) -> None:
        """Read the table of schedules now: this process has changed it."""
        self._reload_at = None
        self._loop.wake()

    def run_due(self) -> float:
        """Read the table if it is time, start due runs; return the seconds until the next task."""
        now = self._runs.now()
        self._began_at = self._began_at or now
        if self._reload_at is None or now >= self._reload_at:
            self._reload(now)
        for active in [*self._schedules.values()]:
            for _ in range(MAX_TICKS_AT_ONCE):
                if self._loop.stopping.is_set() or active.seconds_left(now) > 0:
                    break
                if active.skip_missed(now) and not active.failures:
                    name, until = active.schedule.schedule_name, active.due.isoformat()
                    logger.warning("schedule %r missed its ticks before %s", name, until)
                self._fire(active, now)
        now = self._runs.now()
        left = [active.seconds_left(now) for active in self._schedules.values()]
        if self._reload_at is not None:
            left.append((self._reload_at - now).total_seconds())
        return max(0.0, min(left, default=0.0))

    def _reload(self, now: datetime) -> None:
        # Set before the table is read, so that a wake in the meantime causes another reading.
        self._reload_at = self._next_reload(now)
        try:
            found = {each.schedule_name: each for each in self._table.find(statuses=[ACTIVE])}
        except Exception:
            self._reload_at = None
            raise
        for name in [*self._schedules]:
            if name not in found:
                del self._schedules[name]
        for name, schedule in found.items():
            known = self._schedules.get(name)
            if known is None:
                self._begin(schedule, now, catches_up=True)
            elif known.schedule.definition != schedule.definition:
                self._begin(schedule, now, catches_up=False)

    def _next_reload(self, now: datetime) -> datetime:
        assert self._began_at is not None
        is_new = (now - self._began_at).total_seconds() < FIRST_PERIOD_S
        return now + timedelta(seconds=FIRST_INTERVAL_S if is_new else self._interval)

    def _begin(self, schedule: Schedule, now: datetime, *, catches_up: bool) -> None:
        try:
            after = first_tick_after(schedule, now) if catches_up else now
            active = ActiveSchedule(schedule, after=after, now=now)
        except (DBOSException, ValueError, OverflowError) as error:
            # Another program may have written an invalid row; it must not stop the others.
            self._say(schedule, "schedule %r does not run: %s", schedule.schedule_name, error)
            return
        self._schedules[schedule.schedule_name] = active

    def _fire(self, active: ActiveSchedule, now: datetime) -> None:
        queue = None
        try:
            queue = self._runs.tick(active.schedule, active.due)
        except DBOSException as error:
            due = active.due.isoformat()
            self._say(active.schedule, "tick %s starts no run: %s", due, error)
        except Exception as error:
            # The database is away, or the row cannot be read. Other schedules continue.
            if not active.failures:
                logger.warning("schedule %r is retried: %s", active.schedule.schedule_name, error)
            active.retry(now)
            return
        else:
            self._said.pop(active.schedule.schedule_name, None)
        active.advance(now)
        if queue is not None:
            self._enqueued(queue)

    def _say(self, schedule: Schedule, text: str, about: str, error: Exception) -> None:
        """Log why a schedule starts no run, unless it was the last that was logged of it."""
        if self._said.get(schedule.schedule_name) != str(error):
            self._said[schedule.schedule_name] = str(error)
            logger.warning(text, about, error)
