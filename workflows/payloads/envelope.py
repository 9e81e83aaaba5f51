"""The envelope around the arguments of a workflow, in the form of each language."""

from __future__ import annotations

from dboshub.workflows.payloads.tree import Mapping, Node, Raw, Scalar, Sequence

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


def as_call(node: Node) -> Node:
    """An envelope as the arguments of a call; any other node as it is."""
    found = opened(node)
    if found is None:
        return node
    positional, named = found
    items: list[tuple[Node, Node]] = [
        *((Scalar("int", str(at)), part) for at, part in enumerate(positional.items)),
        # Names of arguments stand without quotes.
        *((Raw(key.text) if isinstance(key, Scalar) else key, part) for key, part in named.items),
    ]
    return Mapping("arguments", tuple(items)) if items else Raw("no arguments")
