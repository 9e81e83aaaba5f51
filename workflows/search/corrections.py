"""What somebody may have meant by a filter with keys that do not exist."""

from __future__ import annotations

from collections.abc import Callable

from dboshub.workflows.search.attributes import PREFIX, is_path
from dboshub.workflows.search.parser import Term, quoted, write_term
from dboshub.workflows.search.terms import KEYS, Query, given_terms, nearest_key

MAX_TERMS = 50


def corrections(query: Query, *, attributes: bool) -> list[str]:
    """Texts for the search box: with the nearest keys, and with the terms as texts in quotes.

    Empty if every key exists. `attributes` permits keys of attributes.
    """
    terms = given_terms(query, [])[:MAX_TERMS]
    if all(_exists(key) for key, _ in terms):
        return []
    found = [_written(terms, _with_nearest_key), _written(terms, _as_text)]
    return [each for each in dict.fromkeys(found) if attributes or PREFIX not in each]


def _exists(key: str) -> bool:
    return not key or key in KEYS or key.startswith(PREFIX)


def _written(terms: list[Term], correct: Callable[[str, str], str]) -> str:
    return " ".join(
        _written_term(key, value) if _exists(key) else correct(key, value) for key, value in terms
    )


def _written_term(key: str, value: str) -> str:
    return write_term(key, value) if key else quoted(value, always=":" in value)


def _with_nearest_key(key: str, value: str) -> str:
    nearest = nearest_key(key)
    known = nearest in KEYS or is_path(nearest)
    return write_term(nearest, value) if known else _as_text(key, value)


def _as_text(key: str, value: str) -> str:
    return quoted(f"{key}:{value.removeprefix('!')}", always=True)
