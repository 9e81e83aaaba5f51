"""A schedule's past and next ticks, and the effect of clock changes on them.

Past ticks are computed forwards from an approximate start, because the ids of runs contain ticks
that were computed forwards.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import islice

from croniter import croniter
from croniter.croniter import CroniterError

from dboshub.schedules.engine.cron import Cron

MAX_PAST = timedelta(days=2 * 366)
MAX_AHEAD = timedelta(days=400)
DAY, SECOND, INSTANT = timedelta(days=1), timedelta(seconds=1), timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class ClockChange:
    """A clock change that affects ticks; `wall` is the first affected wall-clock time.

    Forward, `runs` means that the skipped ticks become one run at the end of the gap. Back, it
    means that the repeated ticks run twice.
    """

    at: datetime
    is_forward: bool
    low: datetime
    high: datetime
    wall: datetime
    runs: bool


class Ticks:
    """The newest and the next ticks of a cron expression, computed again after each tick.

    Safe to use from any thread.
    """

    def __init__(self, cron: Cron, *, past: int, ahead: int) -> None:
        self.cron = cron
        self._past = past
        self._ahead = ahead
        self._known: tuple[datetime, list[datetime], list[datetime]] | None = None

    def at(self, now: datetime) -> tuple[list[datetime], list[datetime]]:
        """The ticks until `now`, oldest first, and the ticks after it."""
        known = self._known
        if known is None or not known[2] or not known[0] <= now < known[2][0].astimezone(UTC):
            past = newest(self.cron, now, self._past)
            known = self._known = (now, past, upcoming(self.cron, now, self._ahead))
        return known[1], known[2]


def upcoming(cron: Cron, now: datetime, count: int) -> list[datetime]:
    """The next `count` ticks; fewer at the end of the calendar."""
    try:
        return list(islice(cron.ticks(now), count))
    except (CroniterError, OverflowError):
        return []


def newest(cron: Cron, now: datetime, count: int) -> list[datetime]:
    """The latest `count` ticks until `now`, oldest first; fewer if they are years ago."""
    latest: deque[datetime] = deque(maxlen=count)
    for tick in islice(cron.ticks(_before(cron, now, count)), 4 * count):
        if tick.astimezone(UTC) > now:
            break
        latest.append(tick)
    return [*latest]


def between(cron: Cron, start: datetime, end: datetime, most: int) -> list[datetime]:
    """The first `most` ticks from `start` to `end`, both included."""
    # In UTC, because times of one zone compare by their wall-clock times, which can repeat.
    first, last = start.astimezone(UTC) - INSTANT, end.astimezone(UTC) + INSTANT
    return list(islice(cron.between(first, last), most))


def clock_changes(cron: Cron, start: datetime, end: datetime) -> list[ClockChange]:
    """The clock changes between two times that move, drop or repeat a tick."""
    found = (
        _change(cron, at) for at in _transitions(cron.zone, start, min(end, start + MAX_AHEAD))
    )
    return [change for change in found if change is not None]


def _before(cron: Cron, now: datetime, count: int) -> datetime:
    """A time just before the last `count` ticks, approximately."""
    found = croniter(cron.expression, now.astimezone(cron.zone), second_at_beginning=True)
    moment = now
    try:
        for _ in range(count):
            tick = found.get_prev(datetime).astimezone(UTC)
            if tick < now - MAX_PAST:
                break
            moment = tick
    except (CroniterError, OverflowError):
        pass
    return moment - INSTANT


def _transitions(zone: tzinfo, start: datetime, end: datetime) -> Iterator[datetime]:
    moment = start.astimezone(UTC).replace(microsecond=0)
    while moment < end:
        later = moment + DAY
        if _offset(zone, moment) != _offset(zone, later):
            yield _first_after_change(zone, moment, later)
        moment = later


def _first_after_change(zone: tzinfo, low: datetime, high: datetime) -> datetime:
    while high - low > SECOND:
        middle = low + timedelta(seconds=(high - low) // SECOND // 2)
        if _offset(zone, middle) == _offset(zone, low):
            low = middle
        else:
            high = middle
    return high


def _change(cron: Cron, at: datetime) -> ClockChange | None:
    walls = [_wall(at, _offset(cron.zone, at - SECOND)), _wall(at, _offset(cron.zone, at))]
    low, high = min(walls), max(walls)
    # Without time zones no time is skipped and none is repeated.
    wall_only = Cron(cron.expression)
    affected = next(wall_only.between(low - INSTANT, high), None)
    if affected is None:
        return None
    wall = affected.replace(tzinfo=None)
    if walls[1] == high:
        ends_gap = cron.after(at - INSTANT).astimezone(UTC) == at
        is_own = wall_only.after(high.replace(tzinfo=UTC) - INSTANT).replace(tzinfo=None) == high
        return ClockChange(at, True, low, high, wall, runs=ends_gap and not is_own)
    first, second = (wall.replace(tzinfo=cron.zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    twice = all(cron.after(each - INSTANT).astimezone(UTC) == each for each in (first, second))
    return ClockChange(at, False, low, high, wall, runs=twice)


def _offset(zone: tzinfo, moment: datetime) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta(0)


def _wall(moment: datetime, offset: timedelta) -> datetime:
    return (moment + offset).replace(tzinfo=None)
