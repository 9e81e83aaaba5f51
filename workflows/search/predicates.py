"""Criteria, each as SQL and as a Python predicate that agree on every row.

The list asks the database, live push asks the predicate. No SQL is run here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

Holds = Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class Condition:
    """One criterion, twice: `sql` with its `params`, and `holds` for a row in memory.

    `sqlite` is the text for SQLite where it differs; `reads` a column beyond those of a list's row.
    """

    key: str
    sql: str
    params: dict[str, Any]
    holds: Holds
    sqlite: str = ""
    reads: str = ""

    def on(self, vendor: str) -> Condition:
        """The same criterion with `sql` as this database wants it."""
        return replace(self, sql=self.sqlite) if self.sqlite and vendor == "sqlite" else self

    def negated(self) -> Condition:
        # IS NOT TRUE, because NULL is not what was asked for either.
        holds = self.holds
        return replace(
            self,
            sql=f"({self.sql}) IS NOT TRUE",
            sqlite=self.sqlite and f"({self.sqlite}) IS NOT TRUE",
            holds=lambda row: not holds(row),
        )


def either(conditions: Sequence[Condition]) -> Condition:
    """What any of some criteria of one key wants."""
    if len(conditions) == 1:
        return conditions[0]
    return replace(
        conditions[0],
        sql=f"({' OR '.join(each.sql for each in conditions)})",
        sqlite=conditions[0].sqlite and f"({' OR '.join(each.sqlite for each in conditions)})",
        params={name: value for each in conditions for name, value in each.params.items()},
        holds=lambda row: any(each.holds(row) for each in conditions),
    )


def text_condition(key: str, column: str, value: str) -> Condition:
    """A criterion on a text column: `x`, `=x` (exactly), `x*` (begins so), `-` (none), `!` before
    any of them (not)."""
    return with_negation(value, lambda said: _text(key, column, said))


def id_condition(key: str, value: str) -> Condition:
    """A criterion on the id: what it begins with, or, after `!`, does not begin with."""
    return with_negation(
        value, lambda said: prefix_condition(key, "workflow_uuid", id_prefix(said))
    )


def is_negated(value: str) -> bool:
    said = value.lstrip("!")
    return bool(said) and (len(value) - len(said)) % 2 == 1


def id_prefix(value: str) -> str:
    return value[:-1] if value.endswith("*") and len(value) > 1 else value


def with_negation(value: str, plain: Callable[[str], Condition]) -> Condition:
    """The criterion that a value asks for, where any number of `!` may come before it."""
    said = value.lstrip("!")
    if not said:
        return plain(value)
    # Two negations are none.
    return plain(said).negated() if (len(value) - len(said)) % 2 else plain(said)


def _text(key: str, column: str, value: str) -> Condition:
    if value == "-":
        return null_condition(key, column)
    if value.endswith("*") and len(value) > 1 and not value.startswith("="):
        return prefix_condition(key, column, value[:-1])
    exact = literal(value)
    return Condition(
        key, f"{column} = :{key}", {key: exact}, lambda row: bool(getattr(row, column) == exact)
    )


def literal(value: str) -> str:
    """The value that `=x` or a plain word means."""
    return value[1:] if value.startswith("=") and len(value) > 1 else value


def null_condition(key: str, column: str) -> Condition:
    return Condition(key, f"{column} IS NULL", {}, lambda row: getattr(row, column) is None)


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


def since_condition(column: str, since: int) -> Condition:
    def holds(row: Any) -> bool:
        at = getattr(row, column)
        return at is not None and at >= since

    return Condition("since", f"{column} >= :since", {"since": since}, holds)


def until_condition(column: str, until: int) -> Condition:
    def holds(row: Any) -> bool:
        at = getattr(row, column)
        return at is not None and at < until

    return Condition("until", f"{column} < :until", {"until": until}, holds)


def present_condition(column: str) -> Condition:
    """Rows to which a moment has come at all, such as the end of those that ended."""
    return Condition(
        "by", f"{column} IS NOT NULL", {}, lambda row: getattr(row, column) is not None
    )


def hidden_condition(beginnings: Sequence[str]) -> Condition:
    """Rows whose name begins with none of these."""
    params = {f"hidden_{at}": beginning for at, beginning in enumerate(beginnings)}
    parts = [f"SUBSTR(name, 1, LENGTH(:{name})) <> :{name}" for name in params]
    return Condition(
        "internal",
        f"(name IS NULL OR ({' AND '.join(parts)}))",
        params,
        lambda row: not (row.name or "").startswith(tuple(beginnings)),
    )
