"""A node as indented text to read or copy, up to a number of characters."""

from __future__ import annotations

from collections.abc import Iterator

from dboshub.workflows.payloads.inline import inline, pieces
from dboshub.workflows.payloads.tree import (
    Failure,
    Instance,
    Malformed,
    Mapping,
    Node,
    Raw,
    Scalar,
    Sequence,
    Truncated,
)

CUT = "…"
MAX_KEY_LENGTH = 200
BRACKETS = {"tuple": ("(", ")"), "set": ("{", "}"), "frozenset": ("{", "}")}


def outline(node: Node, limit: int = 65_536) -> str:
    """The node on several lines, cut at ``limit`` characters with an ellipsis.

    A single text has no quotes.
    """
    parts = iter([node.text]) if isinstance(node, Scalar | Raw) else written(node, "\n")
    taken: list[str] = []
    left = limit
    # A shared subtree can expand without end: stop as soon as the text is full.
    for part in parts:
        taken.append(part[:left])
        left -= len(part)
        if left < 0:
            return "".join(taken) + CUT
    return "".join(taken)


def written(node: Node, newline: str) -> Iterator[str]:
    match node:
        case Mapping(items=items):
            yield from block("{", entries(items, newline + "  "), "}", newline)
        case Sequence(kind=kind, items=items):
            opening, closing = BRACKETS.get(kind, ("[", "]"))
            yield from block(
                opening, (written(each, newline + "  ") for each in items), closing, newline
            )
        case Instance() | Failure():
            yield node.class_name
            yield from block("(", fields(node, newline + "  "), ")", newline)
        case Truncated(reason=reason, node=inner) | Malformed(reason=reason, node=inner):
            yield f"<{reason}>"
            if inner is not None:
                yield newline
                yield from written(inner, newline)
        case _:
            yield from pieces(node)


def block(
    opening: str, members: Iterator[Iterator[str]], closing: str, newline: str
) -> Iterator[str]:
    """The members between brackets, one per line."""
    yield opening
    empty = True
    for member in members:
        yield newline + "  "
        yield from member
        yield ","
        empty = False
    yield closing if empty else newline + closing


def entries(items: tuple[tuple[Node, Node], ...], newline: str) -> Iterator[Iterator[str]]:
    for key, value in items:
        yield labelled(f"{inline(key, MAX_KEY_LENGTH)}: ", value, newline)


def fields(node: Instance | Failure, newline: str) -> Iterator[Iterator[str]]:
    """The arguments, state, keywords and contents of an object."""
    if isinstance(node, Failure) and node.message and not node.args:
        yield iter([node.message])
    for each in node.args:
        yield written(each, newline)
    named = [("state", node.state)]
    if isinstance(node, Instance):
        named += [("keywords", node.keywords), ("contents", node.contents)]
    for name, value in named:
        if value is not None:
            yield labelled(f"{name} = ", value, newline)


def labelled(label: str, value: Node, newline: str) -> Iterator[str]:
    yield label
    yield from written(value, newline)
