"""Completions of the last term in the search box."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from dboshub.workflows.search.parser import exactly, quoted
from dboshub.workflows.search.terms import TIME_COLUMNS
from dboshub.workflows.statuses import STATUS_STYLES

MAX_COMPLETIONS = 10
# A longer term is not completed.
MAX_TERM_LENGTH = 200
HINTS = {
    "status": "running, failed, in_flight…",
    "name": "of the function",
    "queue": "",
    "app": "application",
    "version": "application version",
    "executor": "id of the process",
    "user": "authenticated user",
    "id": "beginning of an id",
    "parent": "id of the parent",
    "schedule": "",
    "forked_from": "id of the original",
    "class": "",
    "partition": "of the queue",
    "attr.": "attribute, as attr.customer:42",
    "since": "15m, 2h, 7d, 2026-01-31T13:00",
    "until": "a time, UTC",
    "by": "the time that since and until compare",
    "top": "without children",
    "internal": "with internal workflows",
}
FIXED: Mapping[str, Sequence[str]] = {
    "status": ("in_flight", "failed", *STATUS_STYLES),
    "since": ("15m", "1h", "24h", "7d"),
    "by": tuple(TIME_COLUMNS),
    "top": ("yes",),
    "internal": ("yes",),
}
# The last term of the text: a bare word, or a key with the beginning of a value.
LAST = re.compile(r'(?P<minus>-?)(?:(?P<key>[a-z_]+):"?)?(?P<begun>[^\s":]*)$', re.ASCII)


def complete(text: str, known: Mapping[str, Sequence[str]]) -> list[dict[str, str]]:
    """At most MAX_COMPLETIONS completions: the whole new text, the completed word, and a hint."""
    last = LAST.search(text, max(0, len(text) - MAX_TERM_LENGTH))
    if last is None:
        return []
    before = text[: last.start()] + last["minus"]
    begun = last["begun"]
    found: Iterator[dict[str, str]]
    if last["key"] is None:
        found = chain(_keys(before, begun), _names(before, begun, known))
    else:
        found = _values(before, last["key"], begun, known)
    return [option for option, _ in zip(found, range(MAX_COMPLETIONS), strict=False)]


def _keys(before: str, begun: str) -> Iterator[dict[str, str]]:
    for key, hint in HINTS.items():
        if key.startswith(begun.lower()):
            shown = key if key.endswith(".") else f"{key}:"
            yield {"text": before + shown, "word": shown, "hint": hint}


def _names(before: str, begun: str, known: Mapping[str, Sequence[str]]) -> Iterator[dict[str, str]]:
    """Names that a bare word may stand for."""
    for option in _values(before, "name", begun, known) if begun else ():
        yield option | {"hint": "name"}


def _values(
    before: str, key: str, begun: str, known: Mapping[str, Sequence[str]]
) -> Iterator[dict[str, str]]:
    values = FIXED.get(key) or known.get(key, ())
    sought = begun.lower()
    fitting = [value for value in values if sought in value.lower()]
    for value in sorted(fitting, key=lambda value: not value.lower().startswith(sought)):
        style = STATUS_STYLES.get(value)
        term = f"{key}:{quoted(exactly(value))}"
        yield {"text": f"{before}{term} ", "word": value, "hint": style.word if style else ""}
