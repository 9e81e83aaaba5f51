"""The ticks of a cron expression, computed in the schedule's own time zone.

Where the clocks change, every tick is a distinct instant: a repeated hour has its ticks twice, and
the ticks of a skipped hour are at its end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from croniter import croniter

from dboshub.workflows.engine.errors import DBOSException

MAX_LENGTH = 200
RANGES = {
    "second": "0 to 59",
    "minute": "0 to 59",
    "hour": "0 to 23",
    "day": "1 to 31",
    "month": "1 to 12 or jan to dec",
    "weekday": "0 to 7 or sun to sat",
}
FIELDS = (*RANGES,)
SOME_DAY = datetime(2026, 1, 1, tzinfo=UTC)
# Random and hashed fields would give other ticks in each process.
_NONDETERMINISTIC = re.compile(r"(?:^|[\s,])[rh]", re.IGNORECASE)


class Cron:
    """A cron expression of five fields, or six with seconds first.

    Raises DBOSException for an invalid expression, and for one without any tick.
    """

    def __init__(self, expression: str, timezone: str | None = None) -> None:
        self.expression = expression
        self.zone = zone(timezone)
        if not _is_cron(expression):
            raise DBOSException(
                f"Invalid cron schedule: {expression!r:.300}: {_problem(expression)}"
            )
        try:
            self.after(SOME_DAY)
        except ValueError:
            raise DBOSException(f"cron schedule {expression!r} matches no date") from None

    def after(self, moment: datetime) -> datetime:
        """The first tick strictly after an aware time, in the schedule's time zone."""
        return next(self.ticks(moment))

    def between(self, start: datetime, end: datetime) -> Iterator[datetime]:
        """Ticks strictly after ``start`` and strictly before ``end``; naive times are UTC."""
        # Times of one zone compare by their wall-clock times, which can repeat; UTC never repeats.
        last = aware(end).astimezone(UTC)
        for tick in self.ticks(aware(start)):
            if tick >= last:
                return
            yield tick

    def ticks(self, moment: datetime) -> Iterator[datetime]:
        """All ticks strictly after an aware time."""
        found = croniter(self.expression, moment.astimezone(self.zone), second_at_beginning=True)
        while True:
            yield found.get_next(datetime)


def zone(name: str | None) -> tzinfo:
    """The time zone of an IANA name, UTC for None. Raises DBOSException for an unknown name."""
    if name is None:
        return UTC
    try:
        return ZoneInfo(name)
    except (LookupError, OSError, ValueError, TypeError):
        raise DBOSException(
            f"Invalid timezone: {name!r}: give an IANA time zone, such as 'Europe/Berlin'"
        ) from None


def aware(moment: datetime) -> datetime:
    """The time itself, or as UTC if it is naive."""
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _problem(expression: object) -> str:
    """The field that is wrong, or what a schedule looks like."""
    words = expression.split() if isinstance(expression, str) else []
    names = FIELDS[len(FIELDS) - len(words) :]
    if len(words) in (5, 6):
        for at, (name, word) in enumerate(zip(names, words, strict=True)):
            alone = ["*"] * len(words)
            alone[at] = word
            if not _is_cron(" ".join(alone)):
                return f"the field {name} is {word!r:.50}, and takes {RANGES[name]}"
    return "give five fields (minute hour day month weekday), or six with seconds first"


def _is_cron(expression: object) -> bool:
    if not isinstance(expression, str) or len(expression) > MAX_LENGTH:
        return False
    fields = len(expression.split())
    is_alias = fields == 1 and expression.startswith("@")
    if not (is_alias or fields in (5, 6)) or _NONDETERMINISTIC.search(expression):
        return False
    return bool(croniter.is_valid(expression, second_at_beginning=True))
