"""The filter of a workflow list, read from a query string that may contain a search box.

A key means the same in the URL, in the search box and in live updates. No SQL is run here.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict

from dboshub.workflows.search.attributes import PREFIX, attribute_predicate
from dboshub.workflows.search.parser import write_box
from dboshub.workflows.search.predicates import (
    Predicate,
    any_of,
    fragment,
    hidden_predicate,
    id_predicate,
    is_negated,
    no_row,
    null_predicate,
    present_predicate,
    since_predicate,
    status_predicate,
    text_predicate,
    until_predicate,
)
from dboshub.workflows.search.terms import (
    FLAGS,
    INTERNAL_NAME_PREFIXES,
    MAX_PROBLEMS,
    MAX_VALUE_LENGTH,
    SINGLE,
    TEXT_KEYS,
    TIME_COLUMNS,
    YES,
    Query,
    read_statuses,
    read_terms,
    read_time,
    without_nul,
    written_time,
)

# What stands for the value of an attribute.
HIDDEN = "hidden"
# With one of these keys, internal workflows are not hidden.
NAMING_KEYS = ("id", "name", "parent")


@dataclass(frozen=True, slots=True)
class Criteria:
    """The filter of a list. `since` and `until` are epoch ms.

    `texts` holds (query key, value) pairs, also for ids and attributes: a row matches one of the
    values of a key, and all negations. `words` are the bare words of the search box. `given` holds
    the (key, value) pairs that were understood, `problems` a message for each that was not.
    `refused` holds pairs whose key does not exist or may not be used: links keep them.
    `columns` does not filter: it is kept in the query string.
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
    refused: tuple[tuple[str, str], ...] = ()
    columns: str = ""

    @property
    def time_column(self) -> str:
        """The column that orders the list and that `since` and `until` compare."""
        return TIME_COLUMNS[self.by]

    @property
    def hides_internal(self) -> bool:
        pointed = any(key in NAMING_KEYS and not is_negated(value) for key, value in self.texts)
        return not self.internal and not pointed

    def predicates(self) -> list[Predicate]:
        """One predicate per criterion; a row of the list matches all of them.

        A filter that is not understood matches no row: one with less criteria would match more.
        """
        if self.problems:
            return [no_row()]
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
            found.append(hidden_predicate(INTERNAL_NAME_PREFIXES))
        return found

    def _by_key(self) -> list[tuple[str, list[str]]]:
        """The text criteria: all values of a key together, each negation by itself."""
        wanted: dict[str, list[str]] = {}
        for key, value in self.texts:
            if not is_negated(value):
                wanted.setdefault(key, []).append(value)
        refused = [(key, [value]) for key, value in self.texts if is_negated(value)]
        return [*wanted.items(), *refused]

    def matches(self, row: Any) -> bool:
        """Whether a row, with columns as attributes, belongs to this list."""
        return self.matcher()(row)

    def matcher(self) -> Callable[[Any], bool]:
        """`matches` with the predicates built once, for many rows."""
        tests = [predicate.matches for predicate in self.predicates()]
        return lambda row: all(matches(row) for matches in tests)

    def values(self, key: str) -> list[str]:
        """The values of a key, without negations."""
        return [value for name, value in self.texts if name == key and not is_negated(value)]

    def single_value(self, key: str) -> str | None:
        """The value of a text key if the filter allows exactly one, else None."""
        values = self.values(key)
        if len(values) != 1 or values[0] == "-":
            return None
        if values[0].startswith("="):
            return values[0][1:] or "="
        return None if values[0].endswith("*") and len(values[0]) > 1 else values[0]

    @property
    def id(self) -> str:
        """The id, if the filter has exactly one and no prefix `x*`; else empty."""
        values = self.values("id")
        return values[0] if len(values) == 1 and not values[0].endswith("*") else ""

    @property
    def id_part(self) -> str:
        """The part `x` of ids, if the filter has exactly one value `*x*` of them; else empty."""
        values = self.values("id")
        return (fragment(values[0]) or "") if len(values) == 1 else ""

    @property
    def attributes(self) -> list[str]:
        """The attribute keys of the filter. Attributes are payload."""
        return [key for key, _ in self.texts if key.startswith(PREFIX)]

    def query(self, **changes: Any) -> str:
        """The query string of this filter with `changes`; None and "" remove a key."""
        pairs = [(key, value) for key, value in self._query_pairs if key not in changes]
        for key, value in changes.items():
            values = value if isinstance(value, list | tuple) else [value]
            pairs += [(key, str(each)) for each in values if each not in (None, "")]
        return urlencode(pairs)

    def without(self, key: str, value: str) -> str:
        """The query string of this filter without one criterion."""
        return urlencode([pair for pair in self._query_pairs if pair != (key, value)])

    @property
    def _query_pairs(self) -> list[tuple[str, str]]:
        return [*self._criteria, *([("columns", self.columns)] if self.columns else [])]

    @property
    def _criteria(self) -> tuple[tuple[str, str], ...]:
        return (*self.given, *self.refused)

    @property
    def box(self) -> str:
        """This filter as text of the search box."""
        return write_box((key, written_time(key, value)) for key, value in self._criteria)

    @property
    def box_without_options(self) -> str:
        """The same without the keys that the form has fields for: times and flags."""
        return write_box(pair for pair in self._criteria if pair[0] not in SINGLE)

    def narrowed_by(self, key: str, value: str) -> Criteria:
        """This filter with one more criterion, which replaces its bare words."""
        more = (key, value)
        return replace(self, words="", texts=(*self.texts, more), given=(*self.given, more))

    @property
    def is_empty(self) -> bool:
        return not self.given and not self.problems


def public_query(query: str) -> str:
    """A query string without the values of attributes, for people who may not see payloads, and
    for what is stored where they may read it."""
    given = parse(QueryDict(query), now=0, attributes=True).given
    return urlencode([(key, HIDDEN if key.startswith(PREFIX) else value) for key, value in given])


def parse(
    query: Query, *, now: int, attributes: bool = False, besides: Container[str] = ()
) -> Criteria:
    """Read a query string, including the search box `q`; `now` is epoch ms.

    A criterion that is not understood is left out and named in `problems`; so is one on
    attributes, unless `attributes` permits them. `besides` are keys that are no criteria.
    """
    problems: list[str] = []
    terms, refused = read_terms(query, problems, attributes, besides)
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
        problems=tuple(dict.fromkeys(problems))[:MAX_PROBLEMS],
        given=tuple(given),
        refused=tuple(refused),
        columns=without_nul(query.get("columns", ""))[:MAX_VALUE_LENGTH],
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
