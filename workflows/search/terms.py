"""Reads the terms of a query string and a search box: keys, values, statuses and times.

A term that is not understood is left out, and a message is added to `problems`.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any, Protocol

from dboshub.workflows.django_settings import redacted_names
from dboshub.workflows.name_patterns import name_patterns
from dboshub.workflows.search.attributes import PREFIX, is_path
from dboshub.workflows.search.parser import ALIASES, Term, read_box
from dboshub.workflows.search.predicates import is_negated
from dboshub.workflows.statuses import FAILED, IN_FLIGHT, STATUS_STYLES, STATUSES

GROUPS = {"in_flight": IN_FLIGHT, "failed": FAILED}
# Names of workflows that belong to the engine begin with one of these.
INTERNAL_NAME_PREFIXES = ("_dbos_", "DBOS.")
# The words for a status, to its token or group.
WORDS = {style.word.lower(): style.token for style in STATUS_STYLES.values()}
WORDS |= {name.lower(): name for name in (*STATUSES, *GROUPS)}

# Query key to column; values have the syntax of `text_predicate`.
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
    "class": "class_name",
    "partition": "queue_partition_key",
}
# The time that orders the list and that `since` and `until` compare, to its column.
TIME_COLUMNS = {
    "created": "created_at",
    "started": "started_at_epoch_ms",
    "completed": "completed_at",
}
FLAGS = ("top", "internal")
SINGLE = ("since", "until", "by", *FLAGS)
KEYS = ("status", "id", *TEXT_KEYS, *SINGLE)
YES = ("yes", "1", "on", "true")
# Query keys that hold search box text: the box, and what a click on a cell adds.
SEARCH_BOX_KEYS = ("q", "and")
# Query keys of pages with a filter that are no part of it.
PAGE_KEYS = frozenset(
    (
        "columns",
        "after",
        "before",
        "open",
        "start",
        "found",
        "part",
        "count",
        "of",
        "csrfmiddlewaretoken",
    )
)
MAX_KEY_LENGTH = 100
MAX_VALUE_LENGTH = 1_000
MAX_BOX_LENGTH = 10_000
MAX_CRITERIA = 50
MAX_PROBLEMS = 10
SPAN = re.compile(r"(\d{1,6})\s*([smhdw])")
EPOCH = re.compile(r"[0-9]{11,15}")
SPAN_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}


class Query(Protocol):
    """The methods of a QueryDict that are used."""

    def get(self, key: str, default: str, /) -> Any: ...
    def getlist(self, key: str, /) -> list[Any]: ...
    def __iter__(self) -> Any: ...


def given_terms(query: Query, problems: list[str], besides: Container[str] = ()) -> list[Term]:
    """All terms as they are written, each once, of any key but those of the page (`besides`)."""
    terms = [
        (ALIASES.get(key, key), without_nul(value)[:MAX_VALUE_LENGTH])
        for key in query
        if key not in SEARCH_BOX_KEYS and key not in PAGE_KEYS and key not in besides
        for value in query.getlist(key)
    ]
    for key in SEARCH_BOX_KEYS:
        for text in query.getlist(key):
            terms += read_box(without_nul(text)[:MAX_BOX_LENGTH], problems)
    return list(dict.fromkeys(_normalized(*term) for term in terms if term[1]))


def read_terms(
    query: Query, problems: list[str], attributes: bool, besides: Container[str] = ()
) -> tuple[list[Term], list[Term]]:
    """All terms in the order of KEYS, each once, and those that are refused.

    `attributes` permits terms on attributes.
    """
    terms = given_terms(query, problems, besides)
    if len(terms) > MAX_CRITERIA:
        problems.append(f"A filter has at most {MAX_CRITERIA} criteria; the rest was left out.")
    found = [term for term in terms[:MAX_CRITERIA] if _is_known(term, problems)]
    if not attributes and any(key.startswith(PREFIX) for key, _ in found):
        problems.append(
            "Attributes are payload: filtering by them needs the right to see payloads."
        )
        found = [term for term in found if not term[0].startswith(PREFIX)]
    order = {key: at for at, key in enumerate(KEYS)}
    kept = sorted(found, key=lambda term: order.get(term[0], len(order)))
    return kept, [term for term in terms if term not in found]


def _is_known(term: Term, problems: list[str]) -> bool:
    key = term[0]
    if not key or key in KEYS or is_path(key):
        if _is_redacted(key):
            problems.append(f"{key} is redacted: no filter tells what is in it.")
            return False
        return True
    if key.startswith(PREFIX):
        problems.append(f"{key} names no attribute: write attr.key:value or attr.outer.key:value.")
    else:
        problems.append(
            f"There is no key {key[:MAX_KEY_LENGTH]!r}. Did you mean {nearest_key(key)}? "
            "Put a text with a colon in quotes."
        )
    return False


def nearest_key(key: str) -> str:
    """The key that is spelled most like one that does not exist, or an attribute of that name."""
    near = get_close_matches(key.lower(), (*KEYS, *ALIASES), n=1, cutoff=0.75)
    found = ALIASES.get(near[0], near[0]) if near else f"{PREFIX}{key}"
    return found[:MAX_KEY_LENGTH]


def _is_redacted(key: str) -> bool:
    """Whether a key leads to an attribute that pages redact: matches would reveal its value."""
    names = name_patterns(redacted_names())
    return key.startswith(PREFIX) and any(map(names.match, key.split(".")[1:]))


def without_nul(text: object) -> str:
    # PostgreSQL cannot store a NUL, so no row matches one.
    return str(text or "").strip().replace("\x00", "\N{REPLACEMENT CHARACTER}")


def _normalized(key: str, value: str) -> Term:
    """The canonical spelling of a value."""
    said = value.lstrip("!")
    if key == "status" and said:
        name = WORDS.get(said.lower(), said)
        return key, value[: len(value) - len(said)] + name
    return key, value.lower() if key == "by" else value


def read_statuses(given: Iterable[str], problems: list[str]) -> tuple[str, ...]:
    wanted: set[str] = set()
    refused: set[str] = set()
    for status in given:
        said = status.lstrip("!")
        chosen = refused if is_negated(status) else wanted
        if said in GROUPS or said in STATUSES:
            chosen.update(GROUPS.get(said, (said,)))
        else:
            problems.append(f"There is no status {said!r}; it was left out.")
    if refused and not wanted:
        wanted = set(STATUSES)
    if wanted and not wanted - refused:
        problems.append("These statuses exclude every workflow; they were left out.")
    return tuple(status for status in STATUSES if status in wanted - refused)


def written_time(key: str, value: str) -> str:
    """A value as people read it: of a time in epoch milliseconds, the date and time (UTC)."""
    if key not in ("since", "until") or not EPOCH.fullmatch(value):
        return value
    try:
        moment = datetime.fromtimestamp(int(value) / 1_000, UTC)
    except (ValueError, OverflowError, OSError):
        return value
    exact = "seconds" if int(value) % 1_000 == 0 else "milliseconds"
    return moment.replace(tzinfo=None).isoformat(timespec=exact)


def read_time(value: str, now: int, problems: list[str]) -> int | None:
    if not value:
        return None
    span = SPAN.fullmatch(value)
    if span:
        return now - int(span[1]) * SPAN_MS[span[2]]
    if EPOCH.fullmatch(value):
        return int(value)
    try:
        moment = datetime.fromisoformat(value)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return int(moment.timestamp() * 1_000)
    except (ValueError, OverflowError):
        problems.append(f"{value!r} is not a time; write 15m, 2h, 7d or 2026-01-31T13:00 (UTC).")
        return None
