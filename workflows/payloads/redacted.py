"""What pages show of a stored payload: read, then without what the operator's rules leave out."""

from __future__ import annotations

from functools import lru_cache

from dboshub.workflows.django_settings import redacted_names
from dboshub.workflows.payloads import read
from dboshub.workflows.payloads.pickles import MAX_BYTES
from dboshub.workflows.payloads.redaction import Rules
from dboshub.workflows.payloads.tree import Node, Truncated


def readable(text: str | None, serialization: str | None, *, limit: int = MAX_BYTES) -> Node:
    """The tree of a payload column that any holder of `view_payload` may see."""
    return _rules(redacted_names()).apply(read(text, serialization, limit=limit))


def has_no_redactions(text: str, serialization: str | None) -> bool:
    """Whether the stored text as it is holds nothing that the rules leave out.

    Of what is too long to be read whole nobody can tell, so it does not, unless there are no rules.
    """
    rules = _rules(redacted_names())
    if rules.is_empty:
        return True
    node = read(text, serialization)
    return not isinstance(node, Truncated) and rules.apply(node) is node


@lru_cache(maxsize=8)
def _rules(patterns: tuple[str, ...]) -> Rules:
    return Rules(patterns)
