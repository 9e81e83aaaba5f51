"""Reads JSON text: the portable format, and the formats of other languages.

Numbers stay text, duplicate keys are kept, and nesting is cut at MAX_DEPTH.
"""

from __future__ import annotations

import json
from typing import Any

from dboshub.workflows.payloads.stdlib_types import plain
from dboshub.workflows.payloads.tree import (
    NONE,
    Failure,
    Malformed,
    Mapping,
    Node,
    Scalar,
    Sequence,
    Truncated,
    shown,
)

MAX_DEPTH = 60
EXCERPT = 2_000
TOO_DEEP = Truncated(f"nested more than {MAX_DEPTH} levels deep")
ERROR_KEYS = frozenset({"name", "message", "code", "data"})


class Members(list[tuple[str, Any]]):
    """The members of an object in order; a type that differs from an array."""


def read_portable(text: str) -> Node:
    """The tree of a portable value; arguments and errors are taken out of their envelopes."""
    return opened(read_json(text))


def read_json(text: str) -> Node:
    """The tree of a JSON text, or Malformed."""
    try:
        return node(parsed(text), 0)
    except (ValueError, RecursionError) as error:
        reason = "nested too deep" if isinstance(error, RecursionError) else str(error)
        return Malformed(f"not JSON: {reason}", shown(text[:EXCERPT]))


def parsed(text: str) -> Any:
    return json.loads(
        text,
        object_pairs_hook=Members,
        parse_int=lambda digits: Scalar("int", digits),
        parse_float=lambda digits: Scalar("float", digits),
        parse_constant=lambda name: Scalar("float", name),
    )


def node(value: Any, depth: int) -> Node:
    if isinstance(value, list) and depth >= MAX_DEPTH:
        return TOO_DEEP
    match value:
        case Scalar():
            return value
        case Members():
            members = [(Scalar("str", shown(key)), node(each, depth + 1)) for key, each in value]
            return Mapping("dict", tuple(members))
        case list():
            return Sequence("list", tuple(node(each, depth + 1) for each in value))
        case _:
            return plain(value) or TOO_DEEP


def opened(value: Node) -> Node:
    if not isinstance(value, Mapping):
        return value
    members = {key.text: each for key, each in value.items if isinstance(key, Scalar)}
    if members and members.keys() <= {"positionalArgs", "namedArgs"}:
        return arguments(members)
    if members.keys() == ERROR_KEYS:
        return failure(members) or value
    return value


def arguments(members: dict[str, Node]) -> Mapping:
    """The arguments in the shape of Python's own format; a missing or null part is empty."""
    positional, named = members.get("positionalArgs", NONE), members.get("namedArgs", NONE)
    args = Sequence("tuple", ()) if positional == NONE else positional
    kwargs = Mapping("dict", ()) if named == NONE else named
    return Mapping("dict", ((Scalar("str", "args"), args), (Scalar("str", "kwargs"), kwargs)))


def failure(members: dict[str, Node]) -> Failure | None:
    name, message = members["name"], members["message"]
    if not isinstance(name, Scalar) or not isinstance(message, Scalar):
        return None
    if name.kind != "str" or message.kind not in {"str", "none"}:
        return None
    extras = [(Scalar("str", key), members[key]) for key in ("code", "data")]
    kept = tuple((key, value) for key, value in extras if value != NONE)
    said = message.text if message.kind == "str" else ""
    return Failure(name.text, said, (), Mapping("dict", kept) if kept else None)
