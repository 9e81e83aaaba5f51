"""A filter as people see it: pills that count and toggle, fields, spans of time, chips to drop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from workflows.filters import FAILED, IN_FLIGHT, STATUSES, Criteria
from workflows.selectors.counts import Count, total
from workflows.statuses import look

SPANS = (("15m", "15 min"), ("1h", "1 h"), ("24h", "24 h"), ("7d", "7 d"), ("", "Any time"))
MAIN = {
    "id": ("Id", "Id or its beginning"),
    "name": ("Name", "Exact, begins*, !not"),
    "queue": ("Queue", "Any, or - for none"),
    "app": ("Application", "Any"),
    "version": ("Version", "Any"),
}
MORE = {
    "executor": ("Executor", ""),
    "user": ("User", ""),
    "schedule": ("Schedule", ""),
    "parent": ("Parent id", ""),
    "forked_from": ("Forked from", ""),
    "since": ("Created since", "15m, 2h, 2026-01-31T13:00"),
    "until": ("Created before", "UTC"),
}
LABELS = {key: label for key, (label, _) in (MAIN | MORE).items()} | {"top": "Top level only"}


@dataclass(frozen=True, slots=True)
class Pill:
    """One status, or a group of them: how many there are, and a link that toggles it."""

    key: str
    word: str
    query: str
    is_on: bool
    css: str = ""
    icon: str = ""
    count: Count | None = None
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class Field:
    key: str
    label: str
    value: str
    hint: str
    options: Sequence[str] = ()

    @property
    def is_rare(self) -> bool:
        """Whether a narrow page folds it away."""
        return self.key not in ("id", "name")


@dataclass(frozen=True, slots=True)
class Link:
    word: str
    query: str
    is_on: bool = False


@dataclass(frozen=True, slots=True)
class FilterBar:
    """Everything above the rows."""

    pills: list[Pill]
    fields: list[Field]
    more: list[Field]
    spans: list[Link]
    chips: list[Link]
    statuses: Sequence[str] = ()
    top_level: bool = False
    counts_all: bool = False
    problems: Sequence[str] = field(default_factory=tuple)

    @property
    def has_more(self) -> bool:
        """Whether one of the fields that are folded away is in use."""
        return self.top_level or any(each.value for each in self.more if each.key != "since")


def filter_bar(
    criteria: Criteria, counts: Mapping[str, Count], facets: Mapping[str, Sequence[str]]
) -> FilterBar:
    given = dict(criteria.given)
    return FilterBar(
        pills=_pills(criteria, counts),
        fields=_fields(MAIN, given, facets),
        more=_fields(MORE, given, facets),
        spans=[
            Link(word, criteria.query(since=span, until=None), given.get("since", "") == span)
            for span, word in SPANS
        ],
        chips=_chips(criteria),
        statuses=[value for key, value in criteria.given if key == "status"],
        top_level=criteria.top_level,
        counts_all=any(key != "status" for key in given),
        problems=criteria.problems,
    )


def _pills(criteria: Criteria, counts: Mapping[str, Count]) -> list[Pill]:
    chosen = criteria.statuses
    flying = [counts[status] for status in IN_FLIGHT if status in counts]
    pills = [
        Pill("", "All", criteria.query(status=None), not chosen),
        Pill(
            "in_flight",
            "In flight",
            criteria.query(status=None if chosen == IN_FLIGHT else "in_flight"),
            chosen == IN_FLIGHT,
            icon="activity",
            count=total(flying) if flying else None,
            meaning="Running, queued or delayed",
        ),
    ]
    for status in STATUSES:
        count = counts.get(status)
        if status in FAILED[2:] and status not in chosen and count and not count.number:
            continue
        is_on = status in chosen and chosen != IN_FLIGHT
        rest = [each for each in chosen if each != status] if is_on else _added(chosen, status)
        shown = look(status)
        query = criteria.query(status=rest)
        meaning = f"{status}: {shown.meaning}"
        pills.append(Pill(status, shown.word, query, is_on, shown.css, shown.icon, count, meaning))
    return pills


def _added(chosen: Sequence[str], status: str) -> list[str]:
    """Within the group "in flight" a pill narrows; beside other single ones it adds."""
    if not chosen or tuple(chosen) == IN_FLIGHT:
        return [status]
    return [each for each in STATUSES if each in chosen or each == status]


def _fields(
    fields: Mapping[str, tuple[str, str]],
    given: Mapping[str, str],
    facets: Mapping[str, Sequence[str]],
) -> list[Field]:
    return [
        Field(key, label, given.get(key, ""), hint, facets.get(key, ()))
        for key, (label, hint) in fields.items()
    ]


def _chips(criteria: Criteria) -> list[Link]:
    """What narrows the list, each as a link that takes it away; statuses show in their pills."""
    return [
        Link(
            LABELS[key] if key == "top" else f"{LABELS[key]}: {value}",
            criteria.query(**{key: None}),
        )
        for key, value in criteria.given
        if key in LABELS
    ]
