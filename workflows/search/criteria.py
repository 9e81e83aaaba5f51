"""What a list shows: criteria read from a query string, or from the search box that says the same.

Every key means the same in the address, in the box and on live pages. No SQL is run here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from dboshub.workflows.search.attributes import PREFIX, attribute_predicate
from dboshub.workflows.search.parser import write_box
from dboshub.workflows.search.predicates import (
    Predicate,
    any_of,
    hidden_predicate,
    id_predicate,
    is_negated,
    null_predicate,
    present_predicate,
    since_predicate,
    status_predicate,
    text_predicate,
    until_predicate,
)
from dboshub.workflows.search.terms import (
    FLAGS,
    LONGEST,
    MOST_PROBLEMS,
    SINGLE,
    TEXT_KEYS,
    TIME_COLUMNS,
    YES,
    Query,
    read_statuses,
    read_terms,
    read_time,
    without_nul,
)

INTERNAL = ("_dbos_", "DBOS.")
# What names rows so closely that none of them is hidden.
NAMING_KEYS = ("id", "name", "parent")


@dataclass(frozen=True, slots=True)
class Criteria:
    """A filter.

    `texts` holds (query key, value) pairs, ids and attributes among them: several values of one
    key widen the list, several negations narrow it. `words` is what the box held besides;
    `problems` is what could not be understood, `given` what could. `columns` narrows nothing:
    addresses carry it along.
    """

    statuses: tuple[str, ...] = ()
    texts: tuple[tuple[str, str], ...] = ()
    since: int | None = None
    until: int | None = None
    by: str = "created"
    top_level: bool = False
    internal: bool = False
    words: str = ""
    problems: tuple[str, ...] = ()
    given: tuple[tuple[str, str], ...] = ()
    columns: str = ""

    @property
    def time_column(self) -> str:
        """The column that the list is ordered by, and that its span of time is about."""
        return TIME_COLUMNS[self.by]

    @property
    def hides_internal(self) -> bool:
        pointed = any(key in NAMING_KEYS and not is_negated(value) for key, value in self.texts)
        return not self.internal and not pointed

    def predicates(self) -> list[Predicate]:
        """Every criterion, in no order that matters."""
        found = [_text_criterion(at, *each) for at, each in enumerate(self._by_key())]
        if self.statuses:
            found.append(status_predicate(self.statuses))
        if self.since is not None:
            found.append(since_predicate(self.time_column, self.since))
        if self.until is not None:
            found.append(until_predicate(self.time_column, self.until))
        if self.by != "created":
            found.append(present_predicate(self.time_column))
        if self.top_level:
            found.append(null_predicate("top", "parent_workflow_id"))
        if self.hides_internal:
            found.append(hidden_predicate(INTERNAL))
        return found

    def _by_key(self) -> list[tuple[str, list[str]]]:
        """Values to be or-ed by key; a negation stands alone."""
        wanted: dict[str, list[str]] = {}
        for key, value in self.texts:
            if not is_negated(value):
                wanted.setdefault(key, []).append(value)
        refused = [(key, [value]) for key, value in self.texts if is_negated(value)]
        return [*wanted.items(), *refused]

    def matches(self, row: Any) -> bool:
        """Say whether a row, with the columns as attributes, belongs to this list."""
        return self.matcher()(row)

    def matcher(self) -> Callable[[Any], bool]:
        """The same for many rows."""
        tests = [predicate.matches for predicate in self.predicates()]
        return lambda row: all(matches(row) for matches in tests)

    def values(self, key: str) -> list[str]:
        """What a key may be, negations left out."""
        return [value for name, value in self.texts if name == key and not is_negated(value)]

    def single_value(self, key: str) -> str | None:
        """The value of a text key, if it asks for exactly one value."""
        values = self.values(key)
        if len(values) != 1 or values[0] == "-":
            return None
        if values[0].startswith("="):
            return values[0][1:] or "="
        return None if values[0].endswith("*") and len(values[0]) > 1 else values[0]

    @property
    def id(self) -> str:
        """The id that is asked for, if it is just one; `x*` asks for all that begin with it."""
        values = self.values("id")
        return values[0] if len(values) == 1 and not values[0].endswith("*") else ""

    @property
    def attributes(self) -> list[str]:
        """The attributes that are asked about: payload."""
        return [key for key, _ in self.texts if key.startswith(PREFIX)]

    def query(self, **changes: Any) -> str:
        """The query string of this filter, with some keys changed; None or "" drops one."""
        pairs = [(key, value) for key, value in self._query_pairs if key not in changes]
        for key, value in changes.items():
            values = value if isinstance(value, list | tuple) else [value]
            pairs += [(key, str(each)) for each in values if each not in (None, "")]
        return urlencode(pairs)

    def without(self, key: str, value: str) -> str:
        """The query string of this filter without one of its criteria."""
        return urlencode([pair for pair in self._query_pairs if pair != (key, value)])

    @property
    def _query_pairs(self) -> list[tuple[str, str]]:
        return [*self.given, *([("columns", self.columns)] if self.columns else [])]

    @property
    def box(self) -> str:
        """This filter as the search box says it."""
        return write_box(self.given)

    @property
    def box_without_options(self) -> str:
        """The part of the box that the form for times and flags leaves alone."""
        return write_box(pair for pair in self.given if pair[0] not in SINGLE)

    def narrowed_by(self, key: str, value: str) -> Criteria:
        """This filter, narrowed by one more pair in place of its words."""
        more = (key, value)
        return replace(self, words="", texts=(*self.texts, more), given=(*self.given, more))

    @property
    def is_empty(self) -> bool:
        return not self.given


def parse(query: Query, *, now: int, attributes: bool = False) -> Criteria:
    """Read a query string, the search box `q` in it included.

    What makes no sense is left out and named in `problems`, and so are criteria on attributes
    unless the reader may see payloads.
    """
    problems: list[str] = []
    terms = read_terms(query, problems, attributes)
    statuses = read_statuses([value for key, value in terms if key == "status"], problems)
    single = {key: value for key, value in terms if key in SINGLE}
    since, until = (read_time(single.get(key, ""), now, problems) for key in ("since", "until"))
    by = single.get("by", "created")
    if by not in TIME_COLUMNS:
        problems.append(f"by: must be one of {', '.join(TIME_COLUMNS)}; {by!r} was left out.")
        by = single["by"] = "created"
    flags = {flag: single.get(flag, "").lower() in YES for flag in FLAGS}
    texts = [(key, value) for key, value in terms if key not in (*SINGLE, "status", "")]
    given = [(key, value) for key, value in terms if key == "status"]
    given += [*texts, *((key, single[key]) for key in ("since", "until") if key in single)]
    given += [("by", by)] if by != "created" else []
    given += [(flag, "yes") for flag in FLAGS if flags[flag]]
    return Criteria(
        statuses=statuses,
        texts=tuple(texts),
        since=since,
        until=until,
        by=by,
        top_level=flags["top"],
        internal=flags["internal"],
        words=" ".join(value for key, value in terms if not key),
        problems=tuple(dict.fromkeys(problems))[:MOST_PROBLEMS],
        given=tuple(given),
        columns=without_nul(query.get("columns", ""))[:LONGEST],
    )


def _text_criterion(number: int, key: str, values: Sequence[str]) -> Predicate:
    column = TEXT_KEYS.get(key)
    parts = []
    for at, value in enumerate(values):
        name = f"t{number}_{at}"
        if key == "id":
            parts.append(id_predicate(name, value))
        elif column:
            parts.append(text_predicate(name, column, value))
        else:
            parts.append(attribute_predicate(name, key, value))
    return any_of(parts)
