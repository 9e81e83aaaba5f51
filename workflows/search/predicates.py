"""Criteria, each as SQL and as a Python predicate that agree on every row.

The list asks the database, live push asks the predicate. No SQL is run here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

RowTest = Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class Predicate:
    """One criterion, twice: `sql` with its `params`, and `matches` for a row in memory.

    `sqlite` is the text for SQLite where it differs; `reads` a column beyond those of a list's row.
    """

    key: str
    sql: str
    params: dict[str, Any]
    matches: RowTest
    sqlite: str = ""
    reads: str = ""

    def on(self, vendor: str) -> Predicate:
        """The same criterion with `sql` as this database wants it."""
        return replace(self, sql=self.sqlite) if self.sqlite and vendor == "sqlite" else self

    def negated(self) -> Predicate:
        # IS NOT TRUE, because NULL is not what was asked for either.
        matches = self.matches
        return replace(
            self,
            sql=f"({self.sql}) IS NOT TRUE",
            sqlite=self.sqlite and f"({self.sqlite}) IS NOT TRUE",
            matches=lambda row: not matches(row),
        )


def any_of(predicates: Sequence[Predicate]) -> Predicate:
    """What any of some criteria of one key wants."""
    if len(predicates) == 1:
        return predicates[0]
    return replace(
        predicates[0],
        sql=f"({' OR '.join(each.sql for each in predicates)})",
        sqlite=predicates[0].sqlite and f"({' OR '.join(each.sqlite for each in predicates)})",
        params={name: value for each in predicates for name, value in each.params.items()},
        matches=lambda row: any(each.matches(row) for each in predicates),
    )


def text_predicate(key: str, column: str, value: str) -> Predicate:
    """A criterion on a text column: `x`, `=x` (exactly), `x*` (begins so), `-` (none), `!` before
    any of them (not)."""
    return with_negation(value, lambda said: _text(key, column, said))


def id_predicate(key: str, value: str) -> Predicate:
    """A criterion on the id: what it begins with, or, after `!`, does not begin with."""
    return with_negation(
        value, lambda said: prefix_predicate(key, "workflow_uuid", id_prefix(said))
    )


def is_negated(value: str) -> bool:
    said = value.lstrip("!")
    return bool(said) and (len(value) - len(said)) % 2 == 1


def id_prefix(value: str) -> str:
    return value[:-1] if value.endswith("*") and len(value) > 1 else value


def with_negation(value: str, plain: Callable[[str], Predicate]) -> Predicate:
    """The criterion that a value asks for, where any number of `!` may come before it."""
    said = value.lstrip("!")
    if not said:
        return plain(value)
    # Two negations are none.
    return plain(said).negated() if (len(value) - len(said)) % 2 else plain(said)


def _text(key: str, column: str, value: str) -> Predicate:
    if value == "-":
        return null_predicate(key, column)
    if value.endswith("*") and len(value) > 1 and not value.startswith("="):
        return prefix_predicate(key, column, value[:-1])
    exact = literal(value)
    return Predicate(
        key, f"{column} = :{key}", {key: exact}, lambda row: bool(getattr(row, column) == exact)
    )


def literal(value: str) -> str:
    """The value that `=x` or a plain word means."""
    return value[1:] if value.startswith("=") and len(value) > 1 else value


def null_predicate(key: str, column: str) -> Predicate:
    return Predicate(key, f"{column} IS NULL", {}, lambda row: getattr(row, column) is None)


def prefix_predicate(key: str, column: str, prefix: str) -> Predicate:
    """Values that begin with `prefix`, compared by character as Python does, not by collation."""
    return Predicate(
        key,
        f"SUBSTR({column}, 1, LENGTH(:{key})) = :{key}",
        {key: prefix},
        lambda row: (getattr(row, column) or "").startswith(prefix),
    )


def status_predicate(statuses: Iterable[str]) -> Predicate:
    wanted = tuple(statuses)
    params = {f"status_{number}": status for number, status in enumerate(wanted)}
    names = ", ".join(f":{name}" for name in params)
    return Predicate("status", f"status IN ({names})", params, lambda row: row.status in wanted)


def since_predicate(column: str, since: int) -> Predicate:
    def matches(row: Any) -> bool:
        at = getattr(row, column)
        return at is not None and at >= since

    return Predicate("since", f"{column} >= :since", {"since": since}, matches)


def until_predicate(column: str, until: int) -> Predicate:
    def matches(row: Any) -> bool:
        at = getattr(row, column)
        return at is not None and at < until

    return Predicate("until", f"{column} < :until", {"until": until}, matches)


def present_predicate(column: str) -> Predicate:
    """Rows to which a moment has come at all, such as the end of those that ended."""
    return Predicate(
        "by", f"{column} IS NOT NULL", {}, lambda row: getattr(row, column) is not None
    )


def hidden_predicate(beginnings: Sequence[str]) -> Predicate:
    """Rows whose name begins with none of these."""
    params = {f"hidden_{at}": beginning for at, beginning in enumerate(beginnings)}
    parts = [f"SUBSTR(name, 1, LENGTH(:{name})) <> :{name}" for name in params]
    return Predicate(
        "internal",
        f"(name IS NULL OR ({' AND '.join(parts)}))",
        params,
        lambda row: not (row.name or "").startswith(tuple(beginnings)),
    )
