"""What a list shows: criteria read from a query string, each as SQL and as a Python predicate.

The two must agree on every row: the list asks the database, live push asks the predicate.
No SQL is run here, and no payload column may be filtered on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol
from urllib.parse import urlencode

IN_FLIGHT = ("PENDING", "ENQUEUED", "DELAYED")
FAILED = ("ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")
STATUSES = (*IN_FLIGHT, "SUCCESS", *FAILED)
GROUPS = {"in_flight": IN_FLIGHT, "failed": FAILED}

# Query key to column. A value may be `!x` (not x), `x*` (begins with x) or `-` (none).
TEXT_KEYS = {
    "name": "name",
    "queue": "queue_name",
    "app": "application_name",
    "version": "application_version",
    "executor": "executor_id",
    "user": "authenticated_user",
    "schedule": "schedule_name",
    "parent": "parent_workflow_id",
    "forked_from": "forked_from",
}
LONGEST = 1_000
SPAN = re.compile(r"(\d{1,6})\s*([smhdw])")
SPAN_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}


class Query(Protocol):
    """The part of a QueryDict that is read."""

    def get(self, key: str, default: str, /) -> Any: ...
    def getlist(self, key: str, /) -> list[Any]: ...


@dataclass(frozen=True, slots=True)
class Condition:
    """One criterion, twice: `sql` with its `params`, and `holds` for a row in memory."""

    key: str
    sql: str
    params: dict[str, Any]
    holds: Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class Criteria:
    """A filter. `texts` holds (query key, value) pairs; `problems` what could not be understood."""

    statuses: tuple[str, ...] = ()
    id: str = ""
    texts: tuple[tuple[str, str], ...] = ()
    since: int | None = None
    until: int | None = None
    top_level: bool = False
    problems: tuple[str, ...] = ()
    given: tuple[tuple[str, str], ...] = ()

    def conditions(self) -> list[Condition]:
        """Every criterion, in no order that matters."""
        found = [text_condition(key, value) for key, value in self.texts]
        if self.statuses:
            found.append(status_condition(self.statuses))
        if self.id:
            found.append(prefix_condition("id", "workflow_uuid", self.id))
        if self.since is not None:
            found.append(_since(self.since))
        if self.until is not None:
            found.append(_until(self.until))
        if self.top_level:
            found.append(text_condition("parent", "-", key="top"))
        return found

    def matches(self, row: Any) -> bool:
        """Say whether a row, with the columns as attributes, belongs to this list."""
        return all(condition.holds(row) for condition in self.conditions())

    def text(self, key: str) -> str:
        return dict(self.texts).get(key, "")

    def plain(self, key: str) -> str | None:
        """The value of a text key, if it asks for exactly that value."""
        value = self.text(key)
        special = value.startswith("!") or value.endswith("*") or value == "-"
        return None if special or not value else value

    def query(self, **changes: Any) -> str:
        """The query string of this filter, with some keys changed; None or "" drops one."""
        pairs = [(key, value) for key, value in self.given if key not in changes]
        for key, value in changes.items():
            values = value if isinstance(value, list | tuple) else [value]
            pairs += [(key, str(each)) for each in values if each not in (None, "")]
        return urlencode(pairs)

    @property
    def is_empty(self) -> bool:
        return not self.given


def parse(query: Query, *, now: int) -> Criteria:
    """Read a query string. What makes no sense is left out and named in `problems`."""
    problems: list[str] = []
    statuses = _statuses(query.getlist("status"), problems)
    texts = [(key, _text(query, key)) for key in TEXT_KEYS]
    given = [("status", each) for each in query.getlist("status") if each]
    given += [(key, value) for key, value in texts if value]
    searched = _text(query, "id")
    times = [_time(query, key, now, problems) for key in ("since", "until")]
    given += [(key, _text(query, key)) for key in ("id", "since", "until", "top")]
    return Criteria(
        statuses=statuses,
        id=searched,
        texts=tuple((key, value) for key, value in texts if value),
        since=times[0],
        until=times[1],
        top_level=_text(query, "top") in ("1", "on", "true"),
        problems=tuple(problems),
        given=tuple((key, value) for key, value in given if value),
    )


def text_condition(text_key: str, value: str, *, key: str = "") -> Condition:
    """A criterion on one text column, in the little language of TEXT_KEYS."""
    column, key = TEXT_KEYS[text_key], key or text_key
    said = value.lstrip("!")
    if value.startswith("!") and said:
        condition = text_condition(text_key, said, key=key)
        # Two negations are none.
        return _negated(condition) if (len(value) - len(said)) % 2 else condition
    if value == "-":
        return Condition(key, f"{column} IS NULL", {}, lambda row: getattr(row, column) is None)
    if value.endswith("*") and len(value) > 1:
        return prefix_condition(key, column, value[:-1])
    return Condition(
        key, f"{column} = :{key}", {key: value}, lambda row: bool(getattr(row, column) == value)
    )


def prefix_condition(key: str, column: str, prefix: str) -> Condition:
    """Values that begin with `prefix`, compared by character as Python does, not by collation."""
    return Condition(
        key,
        f"SUBSTR({column}, 1, LENGTH(:{key})) = :{key}",
        {key: prefix},
        lambda row: (getattr(row, column) or "").startswith(prefix),
    )


def status_condition(statuses: Iterable[str]) -> Condition:
    wanted = tuple(statuses)
    params = {f"status_{number}": status for number, status in enumerate(wanted)}
    names = ", ".join(f":{name}" for name in params)
    return Condition("status", f"status IN ({names})", params, lambda row: row.status in wanted)


def _negated(condition: Condition) -> Condition:
    # IS NOT TRUE, because NULL is not what was asked for either.
    sql = f"({condition.sql}) IS NOT TRUE"
    return Condition(condition.key, sql, condition.params, lambda row: not condition.holds(row))


def _since(since: int) -> Condition:
    return Condition(
        "since", "created_at >= :since", {"since": since}, lambda row: bool(row.created_at >= since)
    )


def _until(until: int) -> Condition:
    return Condition(
        "until", "created_at < :until", {"until": until}, lambda row: bool(row.created_at < until)
    )


def _text(query: Query, key: str) -> str:
    # NUL cannot be stored in PostgreSQL, so no row can match it.
    return (
        str(query.get(key, "") or "").strip().replace("\x00", "\N{REPLACEMENT CHARACTER}")[:LONGEST]
    )


def _statuses(given: Iterable[str], problems: list[str]) -> tuple[str, ...]:
    wanted: set[str] = set()
    for status in given:
        if status in GROUPS:
            wanted.update(GROUPS[status])
        elif status in STATUSES:
            wanted.add(status)
        elif status:
            problems.append(f"There is no status {status!r}; it was left out.")
    return tuple(status for status in STATUSES if status in wanted)


def _time(query: Query, key: str, now: int, problems: list[str]) -> int | None:
    value = _text(query, key)
    if not value:
        return None
    span = SPAN.fullmatch(value)
    if span:
        return now - int(span[1]) * SPAN_MS[span[2]]
    if re.fullmatch(r"\d{11,15}", value):
        return int(value)
    try:
        moment = datetime.fromisoformat(value)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return int(moment.timestamp() * 1_000)
    except (ValueError, OverflowError):
        problems.append(f"{value!r} is no time; write 15m, 2h, 7d or 2026-01-31T13:00 (UTC).")
        return None
