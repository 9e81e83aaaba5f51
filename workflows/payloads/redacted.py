"""Reads stored payloads for pages, redacted by the rules in the settings."""

from __future__ import annotations

from dboshub.workflows.django_settings import redacted_names
from dboshub.workflows.name_patterns import name_patterns
from dboshub.workflows.payloads import read
from dboshub.workflows.payloads.pickles import MAX_BYTES
from dboshub.workflows.payloads.redaction import Rules, is_whole
from dboshub.workflows.payloads.tree import Node, Truncated
from dboshub.workflows.time_budget import is_spent

NOT_READ = Truncated("not read: reading this page takes too long")


def readable(
    text: str | None,
    serialization: str | None,
    *,
    limit: int = MAX_BYTES,
    is_cut: bool = False,
) -> Node:
    """The redacted tree of a payload column, for users who may see payloads.

    A value is not read once the time of the request is used up.
    """
    if text is not None and is_spent():
        return NOT_READ
    return _rules().apply(read(text, serialization, limit=limit, is_cut=is_cut))


def has_no_redactions(text: str, serialization: str | None) -> bool:
    """Whether the rules redact nothing in a stored text.

    False for a text that cannot be read completely (too long, nested too deep, malformed), unless
    there are no rules.
    """
    rules = _rules()
    if rules.is_empty:
        return True
    node = read(text, serialization)
    return is_whole(node) and rules.apply(node) is node


def _rules() -> Rules:
    return Rules(name_patterns(redacted_names()))
