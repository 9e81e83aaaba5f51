"""The filter bar of the list: status pills with counts, time spans, and removable chips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.utils.html import format_html

from dboshub.workflows.rendering.components import absolute_time
from dboshub.workflows.search.criteria import Criteria
from dboshub.workflows.search.parser import exactly, write_term
from dboshub.workflows.search.terms import SPAN, TIME_COLUMNS, written_time
from dboshub.workflows.selectors.counts import Count, total
from dboshub.workflows.statuses import FAILED, IN_FLIGHT, STATUSES, status_style

SPANS = (("15m", "15 min"), ("1h", "1 h"), ("24h", "24 h"), ("7d", "7 d"), ("", "Any time"))
# Values of a facet that are listed.
MAX_FACET_VALUES = 12
FLAGS = {"top": "Top level only", "internal": "Internal ones too"}
FACETS = {
    "name": "Names",
    "queue": "Queues",
    "app": "Applications",
    "version": "Versions",
    "executor": "Executors",
    "user": "Users",
}


@dataclass(frozen=True, slots=True)
class Pill:
    """A status or a group of statuses, its count, and the query string that toggles it."""

    key: str
    word: str
    query: str
    is_on: bool
    css: str = ""
    icon: str = ""
    count: Count | None = None
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    word: str
    query: str
    is_on: bool = False


@dataclass(frozen=True, slots=True)
class Facet:
    """Values of one key among the newest rows, each with its search term."""

    title: str
    terms: list[tuple[str, str]]
    is_cut: bool


@dataclass(frozen=True, slots=True)
class FilterBar:
    """Everything above the rows of the list."""

    pills: list[Pill]
    spans: list[Link]
    chips: list[Link]
    time_keys: list[tuple[str, bool]]
    facets: list[Facet]
    since: str = ""
    until: str = ""
    counts_all: bool = False


def filter_bar(
    criteria: Criteria, counts: Mapping[str, Count], facets: Mapping[str, Sequence[str]]
) -> FilterBar:
    given = dict(criteria.given)
    return FilterBar(
        pills=_pills(criteria, counts),
        spans=[
            Link(word, criteria.query(since=span, until=None), given.get("since", "") == span)
            for span, word in SPANS
        ],
        chips=_chips(criteria),
        time_keys=[(key, key == criteria.by) for key in TIME_COLUMNS],
        facets=_facets(facets),
        since=written_time("since", given.get("since", "")),
        until=written_time("until", given.get("until", "")),
        counts_all=any(key != "status" for key in given),
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
        shown = status_style(status)
        query = criteria.query(status=rest)
        meaning = f"{status}: {shown.meaning}"
        pills.append(Pill(status, shown.word, query, is_on, shown.css, shown.icon, count, meaning))
    return pills


def _added(chosen: Sequence[str], status: str) -> list[str]:
    """The statuses after a click: alone within "in flight", else added to the chosen ones."""
    if not chosen or tuple(chosen) == IN_FLIGHT:
        return [status]
    return [each for each in STATUSES if each in chosen or each == status]


def _chips(criteria: Criteria) -> list[Link]:
    """The criteria as links that remove them, except statuses, which the pills show."""
    return [
        Link(_chip(criteria, key, value), criteria.without(key, value))
        for key, value in (*criteria.given, *criteria.refused)
        if key != "status"
    ]


def _chip(criteria: Criteria, key: str, value: str) -> str:
    """A criterion as the search box writes it; times and flags in words."""
    if key in FLAGS:
        return FLAGS[key]
    if key == "by":
        return f"Ordered by when {criteria.by}"
    if key not in ("since", "until"):
        return write_term(key, value)
    moment = criteria.by.capitalize()
    if SPAN.fullmatch(value):
        return f"{moment} {'in the last' if key == 'since' else 'longer ago than'} {value}"
    at = criteria.since if key == "since" else criteria.until
    if at is None:
        return write_term(key, value)
    return format_html(
        "{} {} {}", moment, "since" if key == "since" else "before", absolute_time(at)
    )


def _facets(known: Mapping[str, Sequence[str]]) -> list[Facet]:
    return [
        Facet(
            title,
            [(value, write_term(key, exactly(value))) for value in known[key][:MAX_FACET_VALUES]],
            len(known[key]) > MAX_FACET_VALUES,
        )
        for key, title in FACETS.items()
        if known.get(key)
    ]
