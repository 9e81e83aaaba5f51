"""Reads stored payloads for pages, redacted by the rules in the settings."""

from __future__ import annotations

from functools import lru_cache

from dboshub.workflows.django_settings import redacted_names
from dboshub.workflows.payloads import read
from dboshub.workflows.payloads.pickles import MAX_BYTES
from dboshub.workflows.payloads.redaction import Rules
from dboshub.workflows.payloads.tree import Node, Truncated


def readable(text: str | None, serialization: str | None, *, limit: int = MAX_BYTES) -> Node:
    """The redacted tree of a payload column, for users who may see payloads."""
    return _rules(redacted_names()).apply(read(text, serialization, limit=limit))


def has_no_redactions(text: str, serialization: str | None) -> bool:
    """Whether the rules redact nothing in a stored text.

    False for a text that is too long to be read completely, unless there are no rules.
    """
    rules = _rules(redacted_names())
    if rules.is_empty:
        return True
    node = read(text, serialization)
    return not isinstance(node, Truncated) and rules.apply(node) is node


@lru_cache(maxsize=8)
def _rules(patterns: tuple[str, ...]) -> Rules:
    return Rules(patterns)
