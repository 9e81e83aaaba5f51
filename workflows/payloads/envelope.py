"""The envelope around the arguments of a workflow, in the form of each language."""

from __future__ import annotations

from dboshub.workflows.payloads.tree import Mapping, Node, Scalar, Sequence

KEYS = frozenset({"args", "kwargs", "positionalArgs", "namedArgs"})


def opened(node: Node | None) -> tuple[Sequence, Mapping] | None:
    """The positional and the named arguments; None if this is not an envelope."""
    if not isinstance(node, Mapping):
        return None
    parts = {key.text: part for key, part in node.items if isinstance(key, Scalar)}
    if not parts or not parts.keys() <= KEYS:
        return None
    positional = parts.get("args") or parts.get("positionalArgs")
    named = parts.get("kwargs") or parts.get("namedArgs")
    return (
        positional if isinstance(positional, Sequence) else Sequence("list", ()),
        named if isinstance(named, Mapping) else Mapping("dict", ()),
    )
