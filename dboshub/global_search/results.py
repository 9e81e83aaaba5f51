"""What a search found, in groups by kind, each result with the reason why it matched."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.html import format_html
from django.utils.safestring import SafeString

# Results of one kind.
MAX_RESULTS = 5


@dataclass(frozen=True, slots=True)
class Result:
    """One place to go to. `reason` says why it matched, `excerpt` is the value that did.

    `detail`, `status` and `at` (epoch ms) are of a workflow. `key` is the go-to key of a page.
    `text` is what a completion puts into the box.
    """

    title: str
    address: str
    reason: str = ""
    detail: str = ""
    excerpt: str = ""
    icon: str = ""
    key: str = ""
    status: str = ""
    at: int | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Results of one kind; `more` is the address of all of them, if there are more."""

    title: str
    results: tuple[Result, ...]
    more: str = ""


def grouped(title: str, results: Iterable[Result], more: str = "") -> list[Group]:
    """A group of the first results, or none."""
    found = tuple(results)
    if not found:
        return []
    return [Group(title, found[:MAX_RESULTS], more if len(found) > MAX_RESULTS else "")]


def best_first(values: Iterable[str], words: str) -> list[str]:
    """The values that contain the words, ignoring case: those that begin with them first."""
    sought = words.casefold()
    found = [value for value in values if sought in value.casefold()]
    return sorted(found, key=lambda value: (not value.casefold().startswith(sought), value))


def marked(text: str, words: str) -> SafeString:
    """The text with the first occurrence of the words marked."""
    at = text.casefold().find(words.casefold()) if words else -1
    # A letter can have a longer form in lower case: then the places differ.
    if at < 0 or len(text) != len(text.casefold()):
        return format_html("{}", text)
    end = at + len(words)
    return format_html("{}<mark>{}</mark>{}", text[:at], text[at:end], text[end:])
