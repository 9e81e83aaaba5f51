"""Filter predicates, each as SQL and as a Python function that give the same result on a row.

Lists use the SQL, live updates the function. No SQL is run here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from string import ascii_lowercase, ascii_uppercase
from typing import Any

RowTest = Callable[[Any], bool]

# Databases differ in how they lower other letters.
LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)


@dataclass(frozen=True, slots=True)
class Predicate:
    """One criterion: `sql` with its `params`, and `matches` for a row in memory.

    `sqlite` is the SQL for SQLite where it differs. `reads` names a column that the SQL needs and
    a list row does not have.
    """

    key: str
    sql: str
    params: dict[str, Any]
    matches: RowTest
    sqlite: str = ""
    reads: str = ""

    def on(self, vendor: str) -> Predicate:
        """The same predicate with the `sql` of this database."""
        return replace(self, sql=self.sqlite) if self.sqlite and vendor == "sqlite" else self

    def negated(self) -> Predicate:
        # IS NOT TRUE instead of NOT: a NULL does not match the value, so it matches the negation.
        matches = self.matches
        return replace(
            self,
            sql=f"({self.sql}) IS NOT TRUE",
            sqlite=self.sqlite and f"({self.sqlite}) IS NOT TRUE",
            matches=lambda row: not matches(row),
        )


def any_of(predicates: Sequence[Predicate]) -> Predicate:
    """A predicate that matches if one of these predicates of one key does."""
    if len(predicates) == 1:
        return predicates[0]
    return replace(
        predicates[0],
        sql=f"({' OR '.join(each.sql for each in predicates)})",
        sqlite=f"({' OR '.join(each.sqlite or each.sql for each in predicates)})",
        params={name: value for each in predicates for name, value in each.params.items()},
        matches=lambda row: any(each.matches(row) for each in predicates),
    )


def text_predicate(key: str, column: str, value: str) -> Predicate:
    """A predicate on a text column. Values: `x` or `=x` (equal), `x*` (prefix), `*x*` (anywhere,
    ignoring case of ASCII letters), `-` (NULL), and `!` before any of these (negation)."""
    return with_negation(value, lambda said: _text(key, column, said))


def id_predicate(key: str, value: str) -> Predicate:
    """A predicate on the workflow id: its prefix, or any fragment of it; with `!` none of these."""
    return with_negation(value, lambda said: _id(key, said))


def _id(key: str, value: str) -> Predicate:
    part = fragment(value)
    if part is not None:
        return fragment_predicate(key, "workflow_uuid", part)
    return prefix_predicate(key, "workflow_uuid", id_prefix(value))


def is_negated(value: str) -> bool:
    said = value.lstrip("!")
    return bool(said) and (len(value) - len(said)) % 2 == 1


def fragment(value: str) -> str | None:
    """The `x` of a value `*x*`; None for any other."""
    is_fragment = len(value) > 2 and value.startswith("*") and value.endswith("*")
    return value[1:-1] if is_fragment else None


def id_prefix(value: str) -> str:
    return value[:-1] if value.endswith("*") and len(value) > 1 else value


def with_negation(value: str, plain: Callable[[str], Predicate]) -> Predicate:
    """The predicate of a value before which any number of `!` may stand."""
    said = value.lstrip("!")
    if not said:
        return plain(value)
    # Two negations are none.
    return plain(said).negated() if (len(value) - len(said)) % 2 else plain(said)


def _text(key: str, column: str, value: str) -> Predicate:
    if value == "-":
        return null_predicate(key, column)
    part = fragment(value)
    if part is not None:
        return fragment_predicate(key, column, part)
    if value.endswith("*") and len(value) > 1 and not value.startswith("="):
        return prefix_predicate(key, column, value[:-1])
    exact = literal(value)
    return Predicate(
        key, f"{column} = :{key}", {key: exact}, lambda row: bool(getattr(row, column) == exact)
    )


def literal(value: str) -> str:
    """The text that `=x` or a plain value stands for."""
    return value[1:] if value.startswith("=") and len(value) > 1 else value


def no_row() -> Predicate:
    """No row: of a filter that is not understood."""
    return Predicate("problems", "1 = 0", {}, lambda row: False)


def null_predicate(key: str, column: str) -> Predicate:
    return Predicate(key, f"{column} IS NULL", {}, lambda row: getattr(row, column) is None)


def prefix_predicate(key: str, column: str, prefix: str) -> Predicate:
    """Values that begin with `prefix`, compared character by character, without collation."""
    return Predicate(
        key,
        f"SUBSTR({column}, 1, LENGTH(:{key})) = :{key}",
        {key: prefix},
        lambda row: (getattr(row, column) or "").startswith(prefix),
    )


def fragment_predicate(key: str, column: str, part: str) -> Predicate:
    """Values that contain `part`; of letters, only A to Z are the same in both cases."""
    sought = part.translate(LOWER)
    return Predicate(
        key,
        f'STRPOS(LOWER({column} COLLATE "C"), :{key}) > 0',
        {key: sought},
        lambda row: sought in (getattr(row, column) or "").translate(LOWER),
        sqlite=f"INSTR(LOWER({column}), :{key}) > 0",
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
    """Rows whose time column is set, such as the end of an ended workflow."""
    return Predicate(
        "by", f"{column} IS NOT NULL", {}, lambda row: getattr(row, column) is not None
    )


def hidden_predicate(prefixes: Sequence[str]) -> Predicate:
    """Rows whose name begins with none of these prefixes."""
    params = {f"hidden_{at}": prefix for at, prefix in enumerate(prefixes)}
    parts = [f"SUBSTR(name, 1, LENGTH(:{name})) <> :{name}" for name in params]
    return Predicate(
        "internal",
        f"(name IS NULL OR ({' AND '.join(parts)}))",
        params,
        lambda row: not (row.name or "").startswith(tuple(prefixes)),
    )
